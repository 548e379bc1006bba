#include "authority/filter.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "domain/span_of_time.h"
#include "domain/verdict.h"

namespace marque::authority {

using namespace domain;

namespace {

constexpr std::size_t page_size = 512;

bool is_known_state(std::string_view word) {
    return std::ranges::find(all_states, word) != std::end(all_states);
}

bool matches_state(std::string_view wanted, const IdentityView& view) {
    if (wanted.empty() || wanted == name_of(view.state)) return true;
    if (wanted == "no-live-credential") return lacks_live_credential(view);
    if (wanted == "active" || wanted == "paused" || wanted == "revoked") return false;
    return std::ranges::any_of(view.credentials, [&](const CredentialView& c) { return wanted == name_of(c.state); });
}

bool is_expiring(const IdentityView& view, Instant by) {
    const auto end = ends_at(view);
    return end && *end <= by;
}

bool is_unused(const IdentityView& view, Instant since) {
    const auto is_live_one = [](const CredentialView& c) { return is_live(c.state); };
    const auto is_idle = [&](const CredentialView& c) {
        return !is_live(c.state) || (c.credential.created_at < since && (!c.last_use || c.last_use->at < since));
    };
    return view.state != Standing::Revoked && std::ranges::any_of(view.credentials, is_live_one) &&
           std::ranges::all_of(view.credentials, is_idle);
}

}  // namespace

std::size_t count_live(const IdentityView& view) {
    if (view.state == Standing::Revoked) return 0;
    return static_cast<std::size_t>(
        std::ranges::count_if(view.credentials, [](const CredentialView& c) { return is_live(c.state); }));
}

bool lacks_live_credential(const IdentityView& view) {
    return view.state == Standing::Active && count_live(view) == 0;
}

std::optional<Instant> ends_at(const IdentityView& view) {
    if (view.state == Standing::Revoked) return std::nullopt;
    std::optional<Instant> first, last;
    for (const CredentialView& one : view.credentials) {
        const auto& end = one.credential.expires_at;
        if (is_live(one.state) && end && (!first || *end < *first)) first = end;
        if (one.state == CredentialState::Expired && (!last || *end > *last)) last = end;
    }
    return count_live(view) > 0 ? first : last;
}

Result<std::pair<std::string, std::string>> parse_label(std::string_view text) {
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos || !is_name(text.substr(0, equals)))
        return Error(Code::InvalidRequest, quote(text) + " is not a label", "labels are key=value, such as team=ops");
    return std::pair(std::string(text.substr(0, equals)), TRY(parse_free_text("label", text.substr(equals + 1), 200)));
}

bool Filter::is_empty() const {
    return !environment && !kind && labels.empty() && state.empty() && !expiring && !unused;
}

bool Filter::matches(const IdentityView& view, Instant now) const {
    if (environment && view.identity.environment != *environment) return false;
    if (kind && view.identity.kind != *kind) return false;
    for (const auto& [key, value] : labels) {
        const auto found = view.identity.labels.find(key);
        if (found == view.identity.labels.end() || found->second != value) return false;
    }
    if (!matches_state(state, view)) return false;
    if (expiring && !is_expiring(view, now + *expiring)) return false;
    return !unused || is_unused(view, now - *unused);
}

audit::JsonObject Filter::to_json() const {
    audit::JsonObject object;
    if (environment) object["env"] = environment->text();
    if (kind) object["kind"] = name_of(*kind);
    for (const auto& [key, value] : labels) object["label." + key] = value;
    if (!state.empty()) object["state"] = state;
    if (expiring) object["expiring"] = to_text(*expiring);
    if (unused) object["unused"] = to_text(*unused);
    return object;
}

Result<void> Filter::set_state(std::string_view word) {
    if (!is_known_state(word))
        return Error(Code::InvalidRequest, quote(word) + " is not a state",
                     fmt::format("states: {}", fmt::join(all_states, ", ")));
    state = std::string(word);
    return {};
}

Result<void> Filter::add(std::string_view condition) {
    const std::size_t equals = condition.find('=');
    const std::string_view key = condition.substr(0, equals);
    const std::string_view value = equals == std::string_view::npos ? "" : condition.substr(equals + 1);
    const bool is_given_already = (key == "env" && environment) || (key == "kind" && kind) ||
                                  (key == "state" && !state.empty()) || (key == "expiring" && expiring) ||
                                  (key == "unused" && unused) ||
                                  (key.starts_with("label.") && labels.contains(std::string(key.substr(6))));
    if (is_given_already)
        return Error(Code::InvalidRequest, quote(key) + " is given twice, and all conditions have to hold");
    if (key == "env") {
        environment = TRY(EnvironmentName::parse(value));
    } else if (key == "kind") {
        kind = TRY(parse_kind(value));
    } else if (key == "state") {
        return set_state(value);
    } else if (key == "expiring") {
        expiring = TRY(parse_duration(value));
    } else if (key == "unused") {
        unused = TRY(parse_duration(value));
    } else if (key.starts_with("label.")) {
        labels.insert(TRY(parse_label(condition.substr(6))));
    } else {
        return Error(Code::InvalidRequest, quote(condition) + " is not a condition",
                     "conditions: env=, kind=, state=, expiring=, unused=, label.KEY=");
    }
    return {};
}

Result<IdentityView> view_of(const store::Reader& reader, const Workspace& workspace, const Identity& identity,
                             Instant now) {
    const auto environment = TRY(reader.environment(identity.workspace, identity.environment));
    if (!environment)
        return Error(Code::Corrupt, "identity " + identity.name.text() + " has no environment", "run marque doctor");
    IdentityView view{identity, standing_at(identity.condition, now), Standing::Active, {}, {}, {}};
    view.state = view.own_state;
    view.is_protected = environment->protection == Protection::Protected;
    const auto apply = [&](Standing standing, const std::string& who) {
        if (standing <= view.state) return;  // declared from mild to strict
        view.state = standing;
        view.stopped_by = who;
    };
    apply(standing_at(environment->condition, now), "environment " + environment->name.text());
    apply(standing_at(workspace.condition, now), "workspace " + workspace.name.text());
    for (Credential& credential : TRY(reader.credentials(identity.workspace, identity.name, store::Listing::AsFound))) {
        const CredentialState state = state_at(credential, now);
        auto last_use = TRY(reader.last_use(credential.id));
        auto refused = TRY(reader.refused_uses(credential.id));
        if (refused) {
            const Ancestry standings{workspace, *environment, identity, credential};
            const Reason reason = judge(standings, {}, now);
            const bool is_of_now = is_stopped(reason) || refused->reason == name_of(Reason::EnvironmentDiffers);
            if (!is_of_now || refused->since != stopped_since(standings, reason)) refused.reset();
        }
        view.credentials.push_back({std::move(credential), state, std::move(last_use), std::move(refused)});
    }
    return view;
}

Result<void> for_each_identity(const store::Reader& reader, const WorkspaceName& workspace, store::Listing listing,
                               const std::function<Result<bool>(const Identity&)>& visit) {
    std::optional<IdentityName> after;
    for (;;) {
        const auto page = TRY(reader.identities(workspace, after, page_size, listing));
        for (const Identity& identity : page)
            if (!TRY(visit(identity))) return {};
        if (page.size() < page_size) return {};
        after = page.back().name;
    }
}

}  // namespace marque::authority
