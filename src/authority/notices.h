// authority/notices.h: what somebody should hear of without asking: credentials that end soon, and stopped ones that
// are still presented.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "audit/json.h"
#include "authority/filter.h"
#include "domain/subject.h"
#include "store/store.h"

namespace marque::authority {

struct Notice {
    domain::CredentialRef credential;
    domain::EnvironmentName environment;
    std::string contact;
    std::optional<Instant> expires_at;           // of one that ends soon
    std::optional<domain::RefusedUses> refused;  // of one that is stopped
};

struct Notices {
    std::vector<Notice> expiring_soon;
    std::vector<Notice> revoked_in_use;
};

// The time up to which the hook for each event was told. Nothing: the hook was never run.
struct Told {
    std::optional<Instant> expiring_soon, revoked_in_use;
};

// Returns the notices that are due after `told`. An expiry is due `within` before it comes, and again a week and a day
// before it, where those are later. Errors: Unavailable, Corrupt.
Result<Notices> notices(const store::Reader& reader, const Told& told, Instant now, Duration within);

audit::JsonArray to_json(const std::vector<Notice>& notices);

}  // namespace marque::authority
