// cli/table.h: how things look on a terminal: colours, columns, and time in words.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"

namespace marque::cli {

// Colours that mean something, or nothing at all.
class Paint {
 public:
    explicit Paint(bool is_on = false) : is_on_(is_on) {}
    std::string good(std::string_view text) const { return wrap("32", text); }
    std::string warning(std::string_view text) const { return wrap("33", text); }
    std::string bad(std::string_view text) const { return wrap("31", text); }
    std::string dim(std::string_view text) const { return wrap("2", text); }
    bool is_on() const { return is_on_; }
    std::string bold(std::string_view text) const { return wrap("1", text); }
    // A state's word in its colour.
    std::string state(std::string_view word) const;

 private:
    std::string wrap(const char* code, std::string_view text) const;
    bool is_on_;
};

// How many columns `text` takes on a terminal; colours take none.
std::size_t width_of(std::string_view text);

// Columns as wide as their widest cell; the last one is not padded.
class Table {
 public:
    explicit Table(std::vector<std::string> header) : rows_{std::move(header)} {}
    // Cells may carry colours: their width is counted without.
    void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
    // `width`: of the terminal; the widest columns are cut until a row fits. 0: nothing is cut.
    std::string text(const Paint& paint, std::size_t width = 0) const;

 private:
    std::vector<std::vector<std::string>> rows_;
};

// Makes all later calls show times as dates, such as 2027-02-20 20:43:00 UTC. For --absolute.
void show_absolute_times();

// "3 minutes ago", "in 89 days", "now"; or a date.
std::string in_words(Instant instant, Instant now);

// Returns a short form for a narrow column: "3m ago", "in 89d", "now"; or a date.
std::string in_few_words(Instant instant, Instant now);

// "in 89 days (2027-02-20 20:43:00 UTC)", or `none` when there is no instant.
std::string when(const std::optional<Instant>& instant, Instant now, std::string_view none = "never");

}  // namespace marque::cli
