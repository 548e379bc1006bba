// test/faults/report.h: what the groups tell: each test passed or not, and how many faults were survived.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace marque::faults {

class Report {
 public:
    // Begins a test; what `fail` says until the next one is about it.
    void begin(const std::string& group, const std::string& test);
    void survived(std::uint64_t faults = 1) { rows_.back().faults += faults; }
    // The first few of a test are shown, all make it fail.
    void fail(const std::string& what);
    bool has_failed() const { return rows_.back().failures > 0; }

    // The table, for docs/reliability.md too, and the sum. The exit code.
    int conclude() const;

 private:
    struct Row {
        std::string group, test;
        std::uint64_t faults = 0;
        int failures = 0;
    };
    static bool is_well(const Row& row);
    void tell_last() const;

    std::vector<Row> rows_;
};

// The groups.
void fail_store_calls(Report& report);
void fail_file_calls(Report& report, std::uint64_t seed);
void fail_allocations(Report& report);

}  // namespace marque::faults
