#include "cli/identity_view.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "domain/verdict.h"

namespace marque::cli {

using namespace domain;
using authority::CredentialView;
using authority::IdentityView;

namespace {

void add_time(audit::JsonObject& object, const char* key, const std::optional<Instant>& time) {
    if (time) object[key] = to_rfc3339(*time);
}

audit::JsonArray scopes_json(const ScopeSet& scopes) {
    audit::JsonArray array;
    for (const Scope& scope : scopes.scopes()) array.emplace_back(scope.text());
    return array;
}

}  // namespace

audit::JsonObject to_json(const CredentialView& view) {
    const Credential& c = view.credential;
    audit::JsonObject object{{"credential", c.id.text()},
                             {"state", name_of(view.state)},
                             {"scopes", scopes_json(c.scopes)},
                             {"created_at", to_rfc3339(c.created_at)},
                             {"revision", c.revision}};
    add_time(object, "expires_at", c.expires_at);
    if (view.state == CredentialState::Paused) add_time(object, "paused_until", c.paused_until);
    add_time(object, "retire_at", c.retire_at);
    if (c.succession) object["replaces"] = c.succession->replaces.text();
    if (view.last_use) {
        object["last_used_at"] = to_rfc3339(view.last_use->at);
        object["last_used_from"] = view.last_use->from;
        object["use_count"] = view.last_use->count;
    }
    if (view.refused)
        object["refused"] = audit::JsonObject{{"reason", view.refused->reason},
                                              {"count", view.refused->count},
                                              {"last_at", to_rfc3339(view.refused->last_at)},
                                              {"last_from", view.refused->last_from}};
    return object;
}

audit::JsonObject to_json(const IdentityView& view) {
    const Identity& i = view.identity;
    audit::JsonObject labels;
    for (const auto& [key, value] : i.labels) labels[key] = value;
    audit::JsonArray credentials;
    for (const CredentialView& credential : view.credentials) {
        audit::JsonObject one = to_json(credential);
        // As for the identity: `state` is the strictest, what is in force; `own_state` the row's own.
        one["own_state"] = name_of(credential.state);
        if (view.state != Standing::Active && is_live(credential.state)) one["state"] = name_of(view.state);
        credentials.emplace_back(std::move(one));
    }
    audit::JsonObject object{{"identity", i.name.text()},
                             {"workspace", i.workspace.text()},
                             {"environment", i.environment.text()},
                             {"protected", view.is_protected},
                             {"kind", name_of(i.kind)},
                             {"state", name_of(view.state)},
                             {"own_state", name_of(view.own_state)},
                             {"scopes", scopes_json(i.scopes)},
                             {"contact", i.contact},
                             {"description", i.description},
                             {"labels", std::move(labels)},
                             {"created_at", to_rfc3339(i.created_at)},
                             {"revision", i.revision},
                             {"live_credentials", authority::count_live(view)},
                             {"credentials", std::move(credentials)}};
    if (view.own_state == Standing::Paused) add_time(object, "paused_until", i.condition.paused_until);
    if (!view.stopped_by.empty()) object["stopped_by"] = view.stopped_by;
    return object;
}

namespace {

std::string labels_in_words(const Labels& labels) {
    std::string text;
    for (const auto& [key, value] : labels) text += (text.empty() ? "" : ", ") + key + "=" + escaped(value);
    return text;
}

}  // namespace

std::string identity_lines(const Identity& identity, Instant now) {
    std::string text =
        fmt::format("  created  {}\n  scopes   {}\n", when(identity.created_at, now), identity.scopes.text());
    if (!identity.description.empty()) text += fmt::format("  is for   {}\n", escaped(identity.description));
    if (!identity.contact.empty()) text += fmt::format("  contact  {}\n", escaped(identity.contact));
    if (!identity.labels.empty()) text += fmt::format("  labels   {}\n", labels_in_words(identity.labels));
    return text;
}

std::optional<LastUse> latest_use(const IdentityView& view) {
    std::optional<LastUse> latest;
    for (const CredentialView& credential : view.credentials)
        if (credential.last_use && (!latest || credential.last_use->at > latest->at)) latest = credential.last_use;
    return latest;
}

std::string use_in_words(const std::optional<LastUse>& use, Instant now) {
    if (!use) return "never used";
    return fmt::format("{} from {}", in_words(use->at, now), escaped(use->from));
}

std::string refused_in_words(const RefusedUses& refused, Instant now) {
    // credential_revoked, identity_paused and so on end in the state.
    const std::string state = refused.reason.substr(refused.reason.rfind('_') + 1);
    const bool is_elsewhere = refused.reason == name_of(Reason::EnvironmentDiffers);
    return fmt::format("refused {} {} {}, last from {}, {}", refused.count, refused.count == 1 ? "time" : "times",
                       is_elsewhere ? "where another environment is demanded" : "since it was " + escaped(state),
                       escaped(refused.last_from), in_words(refused.last_at, now));
}

std::string entry_heading(Instant now) {
    const std::size_t width = std::max<std::size_t>(16, in_words(now, now).size());  // a date is longer
    return fmt::format("{:>6}  {:<{}}  {}", "ENTRY", "WHEN", width,
                       "WHO  ACTION  ABOUT  OUTCOME, IF NOT DONE  “REASON”");
}

std::string entry_line(const audit::Entry& entry, Instant now, const Paint& paint) {
    return fmt::format("{:>6}  {:<16}  {}  {}  {}{}{}", entry.seq, in_words(entry.at, now), escaped(entry.actor),
                       paint.bold(escaped(entry.action)), escaped(entry.target),
                       entry.outcome == "done" ? "" : "  " + paint.state(escaped(entry.outcome)),
                       entry.reason.empty() ? "" : "  “" + escaped(entry.reason) + "”");
}

Result<std::vector<audit::Entry>> decode_all(const std::vector<store::StoredEntry>& entries) {
    std::vector<audit::Entry> decoded;
    for (const store::StoredEntry& entry : entries) {
        auto one = audit::decode(entry.bytes);
        if (!one || one->seq != entry.seq)
            return Error(Code::Corrupt, fmt::format("audit entry {} is not well formed", entry.seq),
                         "run marque audit verify");
        decoded.push_back(one.release());
    }
    return decoded;
}

}  // namespace marque::cli
