#include "authority/powers.h"

#include <fmt/format.h>

#include <set>

#include "audit/entry.h"
#include "base/bytes.h"
#include "base/text.h"
#include "crypto/digest.h"

namespace marque::authority {

audit::JsonObject powers_json(const domain::Subject& subject, const std::vector<Power>& back) {
    std::set<std::string> scopes, environments;
    std::string all;
    for (const Power& power : back) {
        for (const domain::Scope& scope : power.scopes.scopes()) scopes.insert(scope.text());
        environments.insert(power.environment.text());
        all += fmt::format("{} {} {}\n", power.identity.text(), power.environment.text(), power.scopes.text());
    }
    audit::JsonObject object{{"environments", fmt::format("{}", fmt::join(environments, " "))},
                             {"scopes", fmt::format("{}", fmt::join(scopes, " "))}};
    if (audit::identity_of(subject)) return object;
    object["identities"] = back.size();
    object["identities_digest"] = to_hex(crypto::sha256(bytes_of(all)));
    return object;
}

}  // namespace marque::authority
