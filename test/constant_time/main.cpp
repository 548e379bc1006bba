// What is counted by run.py, under callgrind: one verification a case, by the gate that the server asks, with a dump of
// the instructions it took. By itself it prints the verdicts.
#include <fmt/format.h>

#include <string>
#include <valgrind/callgrind.h>

#include "base/check.h"
#include "test/fixed.h"
#include "verify/index.h"

namespace {

using namespace marque;
using namespace marque::domain;

const CredentialId id = CredentialId::from_bits(0x123456789ABCDE),
                   unknown_id = CredentialId::from_bits(0x223456789ABCDE);

std::string token(const CredentialId& of, std::size_t changed = token_entropy_bytes) {
    Bytes entropy(token_entropy_bytes, 5);
    if (changed < entropy.size()) entropy[changed] ^= 1;
    return std::string(make_token(TokenClass::Test, of, entropy).reveal_text());
}

class Gate {
 public:
    Gate() {
        const auto workspace = *WorkspaceName::parse("default");
        index_.put(Workspace{.name = workspace, .condition = {}, .created_at = {}});
        CHECK(index_.put(Environment{.workspace = workspace,
                                     .name = *EnvironmentName::parse("dev"),
                                     .protection = {},
                                     .max_lifetime = {},
                                     .condition = {},
                                     .created_at = {}}));
        CHECK(index_.put(store::IdentityFacts{
            .workspace = "default", .name = "codex", .environment = "dev", .scopes = "a:b", .condition = {}}));
        hasher_.begin(token(id));
        hash_ = hasher_.finish();
    }

    const TokenHash& hash() const { return hash_; }

    // The dump's name is the case's.
    void count(const std::string& name, const TokenHash& stored, const std::string& presented, Reason expected,
               CredentialStanding standing = CredentialStanding::Active) {
        CHECK(index_.put(store::CredentialFacts{.id = id,
                                                .workspace = "default",
                                                .identity = "codex",
                                                .scopes = "a:b",
                                                .hash = stored,
                                                .term = {standing, {}, {}},
                                                .ends_predecessor = false}));
        // The first ones grow what is kept between two.
        for (int i = 0; i < 4; ++i) CHECK(index_.verify(hasher_, presented, {}, t0).reason == expected);
        CALLGRIND_ZERO_STATS;
        CALLGRIND_START_INSTRUMENTATION;
        const verify::Verdict verdict = index_.verify(hasher_, presented, {}, t0);
        CALLGRIND_STOP_INSTRUMENTATION;
        CALLGRIND_DUMP_STATS_AT(name.c_str());
        fmt::print("{}: {}\n", name, name_of(verdict.reason));
    }

 private:
    verify::Index index_;
    verify::TokenHasher hasher_{key(1)};
    TokenHash hash_{};
};

}  // namespace

int main() {
    Gate gate;
    for (std::size_t i = 0; i < gate.hash().size(); ++i) {
        TokenHash stored = gate.hash();
        stored[i] ^= 1;
        gate.count(fmt::format("hash byte {}", i), stored, token(id), Reason::WrongSecret);
    }
    for (const std::size_t i : {std::size_t{0}, token_entropy_bytes - 1})
        gate.count(fmt::format("secret byte {}", i), gate.hash(), token(id, i), Reason::WrongSecret);
    gate.count("unknown", gate.hash(), token(unknown_id), Reason::Unknown);
    gate.count("revoked", gate.hash(), token(id), Reason::CredentialRevoked, CredentialStanding::Revoked);
    gate.count("accepted", gate.hash(), token(id), Reason::Accepted);
}
