// authority/filter.h: which identities are meant, for list and for bulk revocation.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "audit/json.h"
#include "base/time.h"
#include "domain/entities.h"
#include "domain/lifecycle.h"
#include "store/store.h"

namespace marque::authority {

// A credential with what follows for it at the moment of asking.
struct CredentialView {
    domain::Credential credential;
    domain::CredentialState state;
    std::optional<domain::LastUse> last_use;
    // Uses refused since what stops it now does.
    std::optional<domain::RefusedUses> refused;
};

struct IdentityView {
    domain::Identity identity;
    domain::Standing own_state;
    domain::Standing state;  // the strictest of its own, its environment's and its workspace's
    std::string stopped_by;  // "environment staging", when that is not its own doing
    bool is_protected = false;
    std::vector<CredentialView> credentials;  // oldest first
};

// The states that a filter knows: of identities, and of their credentials.
inline constexpr std::string_view all_states[] = {"active",  "paused",  "revoked", "pending",           "retiring",
                                                  "retired", "expired", "lapsed",  "no-live-credential"};

// All parts that are given have to hold.
struct Filter {
    std::optional<domain::EnvironmentName> environment;
    std::optional<domain::MachineKind> kind;
    domain::Labels labels;
    // active, paused, revoked: the identity is. pending, lapsed, retiring, retired, expired: it
    // has a credential that is. no-live-credential: it is active, and has none that is live.
    std::string state;
    std::optional<Duration> expiring;  // it ends within that time (ends_at()), or has ended
    std::optional<Duration> unused;    // it has live credentials, none used, none younger

    bool is_empty() const;
    bool matches(const IdentityView& view, Instant now) const;
    audit::JsonObject to_json() const;

    // Adds `key=value`: env, kind, state, expiring, unused, or label.KEY. Errors: InvalidRequest.
    Result<void> add(std::string_view condition);
    Result<void> set_state(std::string_view word);
};

// Its credentials are listed as they are found; to know that none was taken away takes Reader::require_complete().
// Returns how many of the identity's credentials are live. A revoked identity has none.
std::size_t count_live(const IdentityView& view);

// Returns true if the identity is active, but has no credential that works or can still come into force.
bool lacks_live_credential(const IdentityView& view);

// Returns when the identity stops working unless a credential is replaced: the first expiry of its live credentials or,
// if none is live, the last expiry that has passed. Returns nothing if it never expires, or is revoked.
std::optional<Instant> ends_at(const IdentityView& view);

// Errors: Unavailable, Corrupt.
Result<IdentityView> view_of(const store::Reader& reader, const domain::Workspace& workspace,
                             const domain::Identity& identity, Instant now);

// Every identity of the workspace, in the order of names, until `visit` says false.
Result<void> for_each_identity(const store::Reader& reader, const domain::WorkspaceName& workspace,
                               store::Listing listing,
                               const std::function<Result<bool>(const domain::Identity&)>& visit);

inline constexpr std::size_t most_labels = 32;

// `key=value` of a label. Errors: InvalidRequest.
Result<std::pair<std::string, std::string>> parse_label(std::string_view text);

}  // namespace marque::authority
