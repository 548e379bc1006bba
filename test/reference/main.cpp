// test/reference/main.cpp: Marque against a reference model: the same lives lived by both, and every answer compared.
//
//     reference                  many seeds, until each was lived or one differs
//     reference --seed S         one of them; with --trace all its steps
//     reference --store sqlite   all on a store in a file; by default each 50th is
#include <fmt/format.h>

#include <atomic>
#include <ctime>
#include <iostream>
#include <malloc.h>
#include <mutex>
#include <thread>

#include "test/reference/coverage.h"
#include "test/reference/life.h"

namespace marque::reference {
namespace {

constexpr const char* usage =
    "usage: reference [--lives N] [--seed S] [--steps N] [--trace] [--store memory|sqlite]\n"
    "    by default 650 lives of 1500 steps, each 50th of them on a store in a file; each 100th has 10000 steps\n";

struct Options {
    std::uint64_t first = 1, lives = 650, steps = 0;
    bool has_seed = false, is_traced = false, is_default = true;
    std::optional<Backend> backend;
};

struct Found {
    Tally tally;
    std::optional<std::uint64_t> seed;  // the first that differs
    std::string violation;
};

std::uint64_t steps_of(std::uint64_t seed, const Options& options) {
    return options.steps != 0 ? options.steps : seed % 100 == 7 ? 10'000 : 1'500;
}

Backend backend_of(std::uint64_t seed, const Options& options) {
    return options.backend.value_or(seed % 50 == 0 ? Backend::Sqlite : Backend::Memory);
}

Found search(const Options& options) {
    Found found;
    std::mutex mutex;
    std::atomic<std::uint64_t> next{options.first}, end{options.first + options.lives};
    std::vector<std::jthread> threads;
    for (unsigned i = 0; i < std::max(1u, std::thread::hardware_concurrency()); ++i)
        threads.emplace_back([&] {
            for (std::uint64_t seed; (seed = next++) < end;) {
                const Lived lived = live(seed, steps_of(seed, options), backend_of(seed, options));
                const std::lock_guard lock(mutex);
                found.tally.add(lived.tally);
                if (!lived.violation || (found.seed && *found.seed < seed)) continue;
                found.seed = seed;
                found.violation = *lived.violation;
                end = std::min(end.load(), seed);
            }
        });
    threads.clear();
    return found;
}

// The same seed does the same, step by step, whatever was lived before.
bool replays(const Options& options) {
    for (const std::uint64_t seed : {1, 2, 50}) {
        const std::uint64_t first = live(seed, 500, backend_of(seed, options)).hash;
        if (first != live(seed, 500, backend_of(seed, options)).hash) {
            std::cout << fmt::format("seed {} does not do the same twice\n", seed);
            return false;
        }
    }
    return true;
}

using Counts = std::map<std::string, std::uint64_t>;

std::string words_of(const Counts& counts) {
    std::uint64_t sum = 0;
    std::string words;
    for (const auto& [name, count] : counts) {
        sum += count;
        words += fmt::format("{}{} {}", words.empty() ? "" : ", ", name, count);
    }
    return fmt::format("{}: {}", sum, words);
}

void tell(const Tally& tally) {
    const double cpu = static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
    Counts exits;
    std::map<std::string, Counts> by_kind;
    for (const auto& [name, count] : tally.changes) {
        const std::size_t colon = name.find(": ");
        exits[name.substr(colon + 2)] += count;
        by_kind[name.substr(0, colon)][name.substr(colon + 2)] += count;
    }
    for (const auto& [kind, counts] : by_kind) std::cout << fmt::format("{:<22} {}\n", kind, words_of(counts));
    std::cout << fmt::format("simulated: {} lives, {} steps in {:.0f} s of CPU, {:.0f} a second\n", tally.lives,
                             tally.steps, cpu, static_cast<double>(tally.steps) / cpu)
              << "simulated: verifications " << words_of(tally.verdicts) << "\n"
              << "simulated: changes " << words_of(exits) << "\n"
              << "simulated: accidents " << words_of(tally.accidents) << "\n"
              << fmt::format("simulated: everything listed compared {} times\n", tally.comparisons);
}

std::optional<Options> parse(std::span<char*> words) {
    Options options;
    for (std::size_t i = 0; i < words.size(); ++i) {
        const std::string_view word = words[i];
        const std::string value = i + 1 < words.size() ? words[i + 1] : "";
        const auto number = [&](std::uint64_t& to) {
            char* end = nullptr;
            to = std::strtoull(value.c_str(), &end, 10);
            options.is_default = false;
            ++i;
            return !value.empty() && *end == '\0';
        };
        if (word == "--trace") {
            options.is_traced = true;
        } else if (word == "--lives") {
            if (!number(options.lives)) return std::nullopt;
        } else if (word == "--steps") {
            if (!number(options.steps)) return std::nullopt;
        } else if (word == "--seed") {
            options.has_seed = true;
            options.lives = 1;
            if (!number(options.first)) return std::nullopt;
        } else if (word == "--store" && (value == "memory" || value == "sqlite")) {
            options.backend = value == "sqlite" ? Backend::Sqlite : Backend::Memory;
            options.is_default = false;
            ++i;
        } else {
            return std::nullopt;
        }
    }
    return options;
}

int run(const Options& options) {
    if (options.is_traced) {
        std::string trace;
        const Lived lived =
            live(options.first, steps_of(options.first, options), backend_of(options.first, options), &trace);
        std::cout << trace << lived.violation.value_or("nothing differs") << "\n";
        return lived.violation ? 1 : 0;
    }
    const Found found = search(options);
    tell(found.tally);
    int failed = 0;
    if (found.seed) {
        ++failed;
        std::cout << fmt::format(
            "seed {}, {}\n  replay with: reference --seed {} --trace\n  found after {} steps in all\n", *found.seed,
            found.violation, *found.seed, found.tally.steps);
    }
    int checks = 2;
    failed += replays(options) ? 0 : 1;
    if (options.is_default && !found.seed) {
        ++checks;
        const auto missing = never_met(found.tally);
        for (const std::string& one : missing) std::cout << "never met: " << one << "\n";
        failed += missing.empty() ? 0 : 1;
    }
    std::cout << fmt::format("{} passed, {} failed\n", checks - failed, failed);
    return failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace marque::reference

int main(int count, char** words) {
    const auto options = marque::reference::parse(std::span(words, static_cast<std::size_t>(count)).subspan(1));
    if (!options) {
        std::cerr << marque::reference::usage;
        return 2;
    }
    // The store in memory copies its rows for each change: that need not ask the kernel for memory each time.
    mallopt(M_MMAP_THRESHOLD, 256 << 20);
    mallopt(M_TRIM_THRESHOLD, 512 << 20);
    return marque::reference::run(*options);
}
