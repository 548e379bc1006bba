// test/faults/main.cpp: everything that can fail is made to, one call after the other: the store, the file beneath it,
// memory. After each the invariants hold.
//
//     faults                       all groups
//     faults store | file | memory one of them
//     faults --seed S              which pieces of what was not synced are lost with the power
#include <fmt/format.h>

#include <cstdlib>
#include <iostream>
#include <string_view>

#include "test/faults/report.h"

namespace marque::faults {

void Report::begin(const std::string& group, const std::string& test) {
    if (!rows_.empty()) tell_last();
    rows_.push_back({group, test, 0, 0});
}

void Report::fail(const std::string& what) {
    Row& row = rows_.back();
    constexpr int most_shown = 3;
    if (++row.failures <= most_shown) std::cout << fmt::format("not ok {}, {}: {}\n", row.group, row.test, what);
}

// A test without a fault has shown nothing.
bool Report::is_well(const Row& row) {
    return row.failures == 0 && row.faults > 0;
}

void Report::tell_last() const {
    const Row& row = rows_.back();
    std::cout << fmt::format("{} {}, {}: {} faults survived\n", is_well(row) ? "ok" : "not ok", row.group, row.test,
                             row.faults)
              << std::flush;
}

int Report::conclude() const {
    if (!rows_.empty()) tell_last();
    std::vector<Row> sums;
    int passed = 0, failed = 0;
    for (const Row& row : rows_) {
        (is_well(row) ? passed : failed) += 1;
        if (sums.empty() || sums.back().group != row.group) sums.push_back({row.group, "", 0, 0});
        sums.back().faults += row.faults;
        ++sums.back().failures;  // here: how many tests
    }
    std::cout << "\n| what fails | tests | faults survived |\n| --- | --- | --- |\n";
    for (const Row& sum : sums) std::cout << fmt::format("| {} | {} | {} |\n", sum.group, sum.failures, sum.faults);
    std::cout << fmt::format("\n{} passed, {} failed\n", passed, failed);
    return failed == 0 && passed > 0 ? 0 : 1;
}

}  // namespace marque::faults

int main(int count, char** words) {
    std::string_view group;
    std::uint64_t seed = 1;
    for (int i = 1; i < count; ++i) {
        const std::string_view word = words[i];
        if (word == "--seed" && i + 1 < count) {
            seed = std::strtoull(words[++i], nullptr, 10);
        } else if (group.empty() && (word == "store" || word == "file" || word == "memory")) {
            group = word;
        } else {
            std::cerr << "usage: faults [store|file|memory] [--seed S]\n";
            return 2;
        }
    }
    marque::faults::Report report;
    std::cout << fmt::format("# seed {}\n", seed);
    if (group.empty() || group == "store") marque::faults::fail_store_calls(report);
    if (group.empty() || group == "file") marque::faults::fail_file_calls(report, seed);
    if (group.empty() || group == "memory") marque::faults::fail_allocations(report);
    return report.conclude();
}
