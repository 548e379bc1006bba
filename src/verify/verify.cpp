#include "verify/verify.h"

#include "crypto/digest.h"

namespace marque::verify {

using namespace domain;

TokenHash hash_token(const Secret& token_key, std::string_view token) {
    return crypto::hmac_sha256(token_key, bytes_of(token));
}

Result<Standings> standings_of(const store::Reader& reader, const Credential& credential) {
    const auto identity = TRY(reader.identity(credential.workspace, credential.identity));
    const auto workspace = TRY(reader.workspace(credential.workspace));
    const auto environment =
        identity ? TRY(reader.environment(credential.workspace, identity->environment)) : std::nullopt;
    if (!identity || !workspace || !environment)
        return Error(Code::Corrupt, "credential " + credential.id.string() + " stands under nothing",
                     "run marque doctor");
    return Standings{*workspace, *environment, *identity, credential};
}

Result<Verdict> verify(const store::Reader& reader, const Secret& token_key, std::string_view token,
                       const Demand& demand, Instant now) {
    const auto parts = parse_token(token);
    if (!parts) return Verdict{Reason::Malformed, std::nullopt};
    const TokenHash hash = hash_token(token_key, token);  // for unknown ids too: the same work
    const auto credential = TRY(reader.credential(parts->id));
    if (!credential) return Verdict{Reason::Unknown, std::nullopt};
    const Standings standings = TRY(standings_of(reader, *credential));
    if (!crypto::equal(hash, credential->hash)) return Verdict{Reason::WrongSecret, standings};
    return Verdict{judge(standings, demand, now), standings};
}

}  // namespace marque::verify
