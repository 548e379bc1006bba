// bench_verify CREDENTIALS TOKENS: fills an index with that many credentials, TOKENS of them with a real token, and
// asks about these in a random order. Prints two numbers: nanoseconds of CPU for each `Index::verify`, the median of
// several rounds, and the bytes of resident memory that the index came to.
//
// The credentials that nobody asks about have hashes all the same, so that what is asked about lies scattered among
// all of them.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <random>
#include <unistd.h>

#include "base/check.h"
#include "verify/facts.h"
#include "verify/verify.h"

using namespace marque;
using namespace marque::domain;

namespace {

constexpr int rounds = 9;
constexpr std::uint64_t identities_of_one_environment = 1'000'000;
const Instant now(Duration(1'800'000'000'000'000));

double cpu_ns() {
    timespec time{};
    CHECK(::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time) == 0);
    return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

std::size_t resident_bytes() {
    std::ifstream file("/proc/self/statm");
    std::size_t total = 0, resident = 0;
    file >> total >> resident;
    return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

// Side by side: a token that is asked about has just arrived, and is in the processor's cache.
using Token = std::array<char, token_length>;
std::string_view text(const Token& token) {
    return {token.data(), token.size()};
}

// Each credential its own identity, as agents and jobs have it.
Result<void> fill(verify::Index& index, const Secret& key, std::uint64_t count, std::vector<Token>& tokens) {
    const auto workspace = TRY(WorkspaceName::parse("default"));
    index.put(Workspace{workspace, {}, now});
    std::mt19937_64 random(1);
    const std::uint64_t step = count / tokens.capacity();
    for (std::uint64_t i = 0; i < count; ++i) {
        const std::string environment = fmt::format("env-{}", i / identities_of_one_environment);
        if (i % identities_of_one_environment == 0) {
            const auto name = TRY(EnvironmentName::parse(environment));
            TRY(index.put(Environment{workspace, name, Protection::Open, {}, {}, now}));
        }
        const std::string name = fmt::format("m{:07}", i);
        TRY(index.put(store::IdentityFacts{"default", name, environment, "card:edit,card:view", {}}));
        const auto id = CredentialId::from_bits(random());
        TokenHash hash;
        std::ranges::generate(hash, [&] { return static_cast<std::uint8_t>(random()); });
        if (i % step == 0 && tokens.size() < tokens.capacity()) {
            Bytes entropy(token_entropy_bytes);
            std::ranges::generate(entropy, [&] { return static_cast<std::uint8_t>(random()); });
            std::ranges::copy(make_token(TokenClass::Test, id, entropy).reveal_text(), tokens.emplace_back().begin());
            hash = verify::hash_token(key, text(tokens.back()));
        }
        TRY(index.put(store::CredentialFacts{id,
                                             "default",
                                             name,
                                             "card:edit,card:view",
                                             hash,
                                             {CredentialStanding::Active, std::nullopt, now + std::chrono::hours(1)},
                                             false}));
    }
    std::ranges::shuffle(tokens, random);
    return {};
}

Result<void> measure(std::uint64_t count, std::size_t token_count) {
    const Secret key = Secret::copy_of(Bytes(32, 1));
    std::vector<Token> tokens;
    tokens.reserve(token_count);
    const std::size_t before = resident_bytes();
    verify::Index index;
    TRY(fill(index, key, count, tokens));
    const std::size_t bytes = resident_bytes() - before - token_count * sizeof(Token);

    verify::TokenHasher hasher(key);
    std::vector<double> costs;
    for (int round = 0; round < rounds; ++round) {
        const double begin = cpu_ns();
        std::size_t accepted = 0;
        for (const Token& token : tokens) accepted += index.verify(hasher, text(token), {}, now).is_accepted();
        costs.push_back((cpu_ns() - begin) / static_cast<double>(tokens.size()));
        if (accepted != tokens.size()) return Error(Code::Unexpected, "a good token was not accepted");
    }
    std::ranges::sort(costs);
    std::puts(fmt::format("{:.0f} {}", costs[rounds / 2], bytes).c_str());
    return {};
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) return 2;
    const std::uint64_t count = std::strtoull(argv[1], nullptr, 10);
    const std::uint64_t tokens = std::strtoull(argv[2], nullptr, 10);
    if (tokens == 0 || count < tokens) return 2;
    const auto measured = measure(count, tokens);
    if (!measured) std::fprintf(stderr, "bench_verify: %s\n", measured.error().message.c_str());
    return measured ? 0 : 1;
}
