#include "authority/notices.h"

#include <algorithm>

#include "authority/resolve.h"
#include "domain/verdict.h"

namespace marque::authority {

using namespace domain;

namespace {

// Whether it came nearer than one of the distances after `since`.
bool is_news(const Credential& credential, const std::optional<Instant>& since, Instant now, Duration within) {
    const Instant end = *credential.expires_at;
    for (const Duration distance : {within, Duration(std::chrono::days(7)), Duration(std::chrono::days(1))}) {
        const Instant reached = std::max(credential.created_at, end - distance);
        if (distance <= within && reached <= now && (!since || reached > *since)) return true;
    }
    return false;
}

}  // namespace

Result<Notices> notices(const store::Reader& reader, const Told& told, Instant now, Duration within) {
    Notices found;
    for (const Workspace& workspace : TRY(reader.workspaces(store::Listing::Complete)))
        TRY(for_each_identity(
            reader, workspace.name, store::Listing::Complete, [&](const Identity& identity) -> Result<bool> {
                const IdentityView view = TRY(view_of(reader, workspace, identity, now));
                for (const CredentialView& one : view.credentials) {
                    Notice notice{ref_of(one.credential), identity.environment, identity.contact, {}, {}};
                    const bool is_stopped_in_use =
                        one.refused && one.refused->reason != name_of(Reason::EnvironmentDiffers);
                    if (is_stopped_in_use && (!told.revoked_in_use || one.refused->last_at > *told.revoked_in_use)) {
                        notice.refused = one.refused;
                        found.revoked_in_use.push_back(notice);
                    } else if (view.own_state != Standing::Revoked && is_live(one.state) && one.credential.expires_at &&
                               is_news(one.credential, told.expiring_soon, now, within)) {
                        notice.expires_at = one.credential.expires_at;
                        found.expiring_soon.push_back(std::move(notice));
                    }
                }
                return true;
            }));
    return found;
}

audit::JsonArray to_json(const std::vector<Notice>& notices) {
    audit::JsonArray list;
    for (const Notice& notice : notices) {
        audit::JsonObject object = audit::to_json(Subject(notice.credential));
        object["environment"] = notice.environment.text();
        if (!notice.contact.empty()) object["contact"] = notice.contact;
        if (notice.expires_at) object["expires_at"] = to_rfc3339(*notice.expires_at);
        if (notice.refused) {
            object["reason"] = notice.refused->reason;
            object["count"] = notice.refused->count;
            object["last_at"] = to_rfc3339(notice.refused->last_at);
            object["last_from"] = notice.refused->last_from;
        }
        list.emplace_back(std::move(object));
    }
    return list;
}

}  // namespace marque::authority
