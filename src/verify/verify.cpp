#include "verify/verify.h"

#include "crypto/digest.h"
#include "verify/facts.h"
#include "verify/index.h"

namespace marque::verify {

using namespace domain;

TokenHash hash_token(const Secret& token_key, std::string_view token) {
    return crypto::hmac_sha256(token_key, bytes_of(token));
}

Result<Ancestry> ancestry_of(const store::Reader& reader, const Credential& credential) {
    const auto identity = TRY(reader.identity(credential.workspace, credential.identity));
    const auto workspace = TRY(reader.workspace(credential.workspace));
    const auto environment =
        identity ? TRY(reader.environment(credential.workspace, identity->environment)) : std::nullopt;
    if (!identity || !workspace || !environment)
        return Error(Code::Corrupt, "credential " + credential.id.string() + " stands under nothing",
                     "run marque doctor");
    return Ancestry{*workspace, *environment, *identity, credential};
}

Result<Judgement> verify(const store::Reader& reader, const Secret& token_key, std::string_view token,
                         const Demand& demand, Instant now) {
    Index index;
    std::optional<Ancestry> standings;
    if (const auto parts = read_token(token))
        if (const auto credential = TRY(reader.credential(parts->id))) {
            standings = TRY(ancestry_of(reader, *credential));
            index.put(standings->workspace);
            TRY(index.put(standings->environment));
            TRY(put_identity(index, standings->identity));
            TRY(put_credential(index, standings->credential));
        }
    TokenHasher hasher(token_key);
    const Verdict verdict = index.verify(hasher, token, demand, now);
    return Judgement{verdict.reason, std::move(standings)};
}

}  // namespace marque::verify
