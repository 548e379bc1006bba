// test/reference/main.cpp: Marque against a reference model: the same lives lived by both, and every answer compared.
//
//     reference                  many seeds, until each was lived or one differs
//     reference --seed S         one of them; with --trace all its steps
//     reference --store sqlite   all on a store in a file; by default each 50th is
#include <fmt/format.h>

#include <atomic>
#include <ctime>
#include <iostream>
#include <mutex>
#include <thread>

#include "test/reference/coverage.h"
#include "test/reference/life.h"

namespace marque::reference {
namespace {

constexpr const char* usage =
    "usage: reference [--lives N] [--seed S] [--steps N] [--trace] [--store memory|sqlite]\n"
    "    by default 500 lives, each 50th of them on a store in a file and each 100th ten times as long\n";

struct Options {
    std::uint64_t first = 1, lives = 500, steps = 0;
    bool has_seed = false, is_traced = false, is_default = true;
    std::optional<Backend> backend;
};

struct Found {
    Tally tally;
    std::optional<std::uint64_t> seed;  // the first that differs
    std::string violation;
};

std::uint64_t steps_of(std::uint64_t seed, const Options& options) {
    return options.steps != 0 ? options.steps : seed % 100 == 7 ? 20'000 : 2'000;
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

void tell(const char* what, const std::map<std::string, std::uint64_t>& counts) {
    std::uint64_t sum = 0;
    for (const auto& [name, count] : counts) sum += count;
    std::cout << fmt::format("simulated: {} {}\n", sum, what);
    std::string line = "  ";
    for (const auto& [name, count] : counts) {
        const std::string word = fmt::format(" {} {};", name, count);
        if (line.size() + word.size() > 150) {
            std::cout << line << "\n";
            line = "  ";
        }
        line += word;
    }
    std::cout << line << "\n";
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
        const Lived lived = live(options.first, steps_of(options.first, options), backend_of(options.first, options), &trace);
        std::cout << trace << lived.violation.value_or("nothing differs") << "\n";
        return lived.violation ? 1 : 0;
    }
    const Found found = search(options);
    const double cpu = static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
    std::cout << fmt::format("simulated: {} lives, {} steps, {:.0f} s of CPU, {:.0f} steps a second of CPU; everything listed compared {} times\n",
                             found.tally.lives, found.tally.steps, cpu, static_cast<double>(found.tally.steps) / cpu,
                             found.tally.comparisons);
    tell("changes", found.tally.changes);
    tell("verifications", found.tally.verdicts);
    tell("accidents", found.tally.accidents);
    int failed = 0;
    if (found.seed) {
        ++failed;
        std::cout << fmt::format("seed {}, {}\n  replay with: reference --seed {} --trace\n  found after {} steps in all\n", *found.seed, found.violation,
                                 *found.seed, found.tally.steps);
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
    return marque::reference::run(*options);
}
