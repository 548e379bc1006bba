// verify/index.h: everything that a verdict rests on, in memory, and the one gate: `verify` (invariant 14).
//
//     token ─▶ checksum ─▶ keyed hash ─▶ credential ─▶ hashes equal? ─▶ judge (domain/verdict.h)
//                                            │
//       a credential is a line of 64 bytes: id, standing and flag (8) │ hash (32) │ identity (4) │ scopes (4)
//                                           │ expires_at (8) │ turns_at (8)
//       identities, environments and workspaces keep their own state: pausing one is one write, not a thousand
//
// Ten million credentials are about a gigabyte. Rows are put in and overwritten, never removed, because no row of a
// store ever is. When rows were changed by hand, the verifier clears the index and reads everything again.
//
// Any number of threads may read one index; writing it takes all of it (verify/verifier.h has the lock).
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/digest.h"
#include "domain/token.h"
#include "domain/verdict.h"
#include "store/store.h"
#include "verify/chunked.h"
#include "verify/number_table.h"

namespace marque::verify {

// Hashes tokens as the store does: HMAC-SHA-256 over the whole text, in two steps with time between them for what is
// on its way from memory. For one thread.
class TokenHasher {
 public:
    explicit TokenHasher(const Secret& token_key) : hmac_(token_key) {}
    void begin(std::string_view token) { hmac_.begin(bytes_of(token)); }
    domain::TokenHash finish() { return hmac_.finish(); }

 private:
    crypto::HmacSha256 hmac_;
};

struct Verdict {
    domain::Reason reason = domain::Reason::Unknown;
    // The credential, when there is one of the token's id: a line of the index that was asked.
    std::optional<std::uint32_t> line;

    bool is_accepted() const { return reason == domain::Reason::Accepted; }
};

// Whose credential it is. Texts and scopes live as long as the index is not written.
struct Holder {
    domain::CredentialId credential;
    std::string_view identity, environment, workspace;
    const domain::ScopeSet& scopes;  // in force
    domain::CredentialTerm term;
    bool ends_predecessor;
};

class Index {
 public:
    // A row as it now is. Errors: Corrupt when what it stands under is not there.
    void put(const domain::Workspace& workspace);
    Result<void> put(const domain::Environment& environment);
    Result<void> put(const store::IdentityFacts& identity);
    // Whether these are other scopes than those that the identity's credentials are cut to: once it is put, they have
    // to be put again.
    bool cuts_otherwise(const domain::IdentityRef& identity, const domain::ScopeSet& scopes) const;
    Result<void> put(const store::CredentialFacts& credential);
    // One after the other, at less cost than one by one: they stand under what lies anywhere in memory, and that is
    // fetched for all of them side by side.
    Result<void> put(std::span<const store::CredentialFacts> credentials);

    // Forgets all rows. Never fails, and keeps the memory: what it held it can hold again, also when there is no more.
    void clear();

    // Whose token is this, and may it? Writes nothing, allocates nothing. What the caller is told must not tell
    // malformed, unknown, expired and revoked apart; the reason is the operator's.
    Verdict verify(TokenHasher& hasher, std::string_view token, const domain::Demand& demand, Instant now) const;

    // Of a verdict's line.
    Holder holder(std::uint32_t line) const;

    std::size_t credentials() const { return lines_.size(); }
    // Memory, about.
    std::size_t bytes() const;
    // Credentials in force or retiring that end in [now, now + within), from line `first` on, `count` of them at most.
    std::size_t count_ending(Instant now, Duration within, std::size_t first, std::size_t count) const;

 private:
    struct alignas(64) Line {
        std::uint64_t key;  // id, 60 bits; standing, 3; ends_predecessor, 1
        domain::TokenHash hash;
        std::uint32_t identity;
        std::uint32_t scopes;     // those in force
        std::int64_t expires_at;  // microseconds; `never`
        std::int64_t turns_at;
    };
    static_assert(sizeof(Line) == 64);

    struct Identity {
        std::uint32_t name;                      // where its length and text lie in names_
        std::uint32_t environment_and_standing;  // 30 bits and 2
        std::uint32_t scopes;
    };

    struct Container {  // a workspace or an environment
        std::string name;
        std::uint32_t workspace = 0;  // of an environment
        domain::Condition condition;
    };

    struct FullName {
        std::uint32_t workspace;
        std::string_view name;
        bool operator==(const FullName&) const = default;
    };
    struct Intern {
        std::vector<domain::ScopeSet> sets;
        boost::unordered_flat_map<std::string, std::uint32_t> numbers;
        boost::unordered_flat_map<std::uint64_t, std::uint32_t> both;  // two numbers to that of the intersection
    };

    FullName full_name(std::uint32_t identity) const;
    std::string_view name_at(std::uint32_t at) const;
    std::optional<std::uint32_t> find_line(std::uint64_t id) const;
    std::optional<std::uint32_t> find_identity(const FullName& name) const;
    std::optional<std::uint32_t> find_workspace(std::string_view name) const;
    std::optional<std::uint32_t> find_environment(std::uint32_t workspace, std::string_view name) const;
    const Container& environment_of(const Line& line) const;
    domain::AncestryStates states_of(const Line& line) const;
    Result<std::uint32_t> intern(std::string_view scopes);
    std::uint32_t intersect(std::uint32_t a, std::uint32_t b);

    std::vector<Container> workspaces_, environments_;
    Chunked<Identity> identities_;
    Chunked<Line> lines_;
    Chunked<char> names_;
    Intern scopes_;
    boost::unordered_flat_map<std::uint32_t, Instant> identity_paused_until_;
    NumberTable lines_by_id_, identities_by_name_;
};

}  // namespace marque::verify
