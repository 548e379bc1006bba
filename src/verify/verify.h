// verify/verify.h: one token against a store that is read for it alone, as a command does. The gate itself is
// Index::verify (verify/index.h); this puts the one credential that may be meant into an index and asks it.
#pragma once

#include <optional>

#include "base/secret.h"
#include "domain/verdict.h"
#include "store/store.h"

namespace marque::verify {

// The result of verifying one token.
struct Judgement {
    domain::Reason reason = domain::Reason::Unknown;
    // Who it is, when the token is one of ours; for the operator also when it is not accepted.
    std::optional<domain::Ancestry> whose;

    bool is_accepted() const { return reason == domain::Reason::Accepted; }
};

// Writes nothing. A store that can't answer is an Error and so a denial, never a verdict
// (invariant 7). Errors: Unavailable, Corrupt.
Result<Judgement> verify(const store::Reader& reader, const Secret& token_key, std::string_view token,
                         const domain::Demand& demand, Instant now);

// The hash that is stored for a token: HMAC-SHA-256 of its text.
domain::TokenHash hash_token(const Secret& token_key, std::string_view token);

// Returns the credential and everything that it stands under. Errors: Corrupt when a part is missing.
Result<domain::Ancestry> ancestry_of(const store::Reader& reader, const domain::Credential& credential);

}  // namespace marque::verify
