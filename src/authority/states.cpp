// Pause, resume, revoke: of a credential, an identity, an environment, a workspace, or many.
#include <fmt/format.h>

#include <set>

#include "authority/authority.h"
#include "authority/powers.h"
#include "authority/resolve.h"
#include "base/bytes.h"
#include "base/overloaded.h"
#include "base/text.h"
#include "crypto/digest.h"
#include "domain/token.h"

namespace marque::authority {

using namespace domain;

namespace {

constexpr std::size_t most_stops_listed = 1000;

// One thing whose state is to change.
struct Affected {
    Subject subject;
    std::string state;  // as it is now
    Rule rule;
    Revision revision = 0;
    std::optional<Instant> paused_until;
    bool is_paused = false;
};

Affected affected(const Credential& credential, CredentialAction action, Instant now) {
    const CredentialState state = state_at(credential, now);
    return {ref_of(credential),  name_of(state),          rule_for(state, action),
            credential.revision, credential.paused_until, state == CredentialState::Paused};
}

Affected affected(const Subject& subject, const Condition& condition, Revision revision, StandingAction action,
                  Instant now) {
    const Standing state = standing_at(condition, now);
    return {subject,  name_of(state),         rule_for(state, action),
            revision, condition.paused_until, state == Standing::Paused};
}

struct Actions {
    CredentialAction credential;
    StandingAction standing;
};

std::vector<Affected> one(Affected thing) {
    return {std::move(thing)};
}

Result<std::vector<Affected>> find_affected(const store::Reader& reader, const Workspace& workspace,
                                            const Target& target, const Actions& actions, Instant now,
                                            const std::optional<Credential>& of_token) {
    return std::visit(
        Overloaded{
            [&](const ByNameOrId& by) -> Result<std::vector<Affected>> {
                const Resolved found = TRY(resolve(reader, workspace.name, by.text));
                if (const auto* credential = std::get_if<Credential>(&found))
                    return one(affected(*credential, actions.credential, now));
                const auto& identity = std::get<Identity>(found);
                return one(affected(ref_of(identity), identity.condition, identity.revision, actions.standing, now));
            },
            [&](const ByToken&) -> Result<std::vector<Affected>> {
                return one(affected(*of_token, actions.credential, now));
            },
            [&](const EnvironmentName& name) -> Result<std::vector<Affected>> {
                const Environment environment = TRY(require_environment(reader, workspace.name, name));
                return one(affected(EnvironmentRef{workspace.name, name}, environment.condition, environment.revision,
                                    actions.standing, now));
            },
            [&](const WorkspaceName&) -> Result<std::vector<Affected>> {
                return one(affected(WorkspaceRef{workspace.name}, workspace.condition, workspace.revision,
                                    actions.standing, now));
            },
            [&](const Filter& filter) -> Result<std::vector<Affected>> {
                std::vector<Affected> all;
                TRY(for_each_identity(reader, workspace.name, store::Listing::Complete,
                                      [&](const Identity& identity) -> Result<bool> {
                                          if (identity.condition.stored != Standing::Revoked &&
                                              filter.matches(TRY(view_of(reader, workspace, identity, now)), now))
                                              all.push_back(affected(ref_of(identity), identity.condition,
                                                                     identity.revision, actions.standing, now));
                                          return true;
                                      }));
                if (all.empty()) return Error(Code::NotFound, "no identity meets these conditions", "see marque list");
                return all;
            },
        },
        target);
}

// What works now under the subject, and so would stop.
Result<void> add_stops(const store::Reader& reader, const Workspace& workspace, const Subject& subject, Instant now,
                       Plan& plan) {
    const auto add_of = [&](const Identity& identity) -> Result<bool> {
        const IdentityView view = TRY(view_of(reader, workspace, identity, now));
        if (view.state != Standing::Active) return true;
        for (const CredentialView& credential : view.credentials) {
            const bool is_meant = !std::holds_alternative<CredentialRef>(subject) ||
                                  std::get<CredentialRef>(subject).id == credential.credential.id;
            if (!is_meant || !is_usable(credential.state)) continue;
            if (plan.stops.size() == most_stops_listed) {
                plan.are_stops_complete = false;
                return false;
            }
            plan.stops.push_back({ref_of(credential.credential), credential.last_use});
        }
        return true;
    };
    if (const auto about = audit::identity_of(subject)) {
        TRY(add_of(TRY(require_identity(reader, about->workspace, about->name))));
        return {};
    }
    // The whole of it is stopped, listed or not, so a missing row does not keep the operator from stopping it.
    if (const auto complete = reader.require_complete(); !complete) {
        if (complete.error().tampered.empty()) return complete;
        plan.are_stops_complete = false;
        plan.notes.push_back("more may stop than is listed: " + complete.error().message);
    }
    return for_each_identity(reader, workspace.name, store::Listing::AsFound,
                             [&](const Identity& identity) -> Result<bool> {
                                 const auto* environment = std::get_if<EnvironmentRef>(&subject);
                                 if (environment != nullptr && identity.environment != environment->name) return true;
                                 return add_of(identity);
                             });
}

// The protected environments in which the subject is, or that are under it.
Result<std::set<EnvironmentName>> protected_places(const store::Reader& reader, const WorkspaceName& workspace,
                                                   const Subject& subject) {
    std::set<EnvironmentName> names;
    const auto add = [&](const Environment& environment) {
        if (environment.protection == Protection::Protected) names.insert(environment.name);
    };
    if (const auto about = audit::identity_of(subject)) {
        const Identity identity = TRY(require_identity(reader, workspace, about->name));
        add(TRY(require_environment(reader, workspace, identity.environment)));
    } else if (const auto* environment = std::get_if<EnvironmentRef>(&subject)) {
        add(TRY(require_environment(reader, workspace, environment->name)));
    } else {
        for (const Environment& one : TRY(reader.environments(workspace, store::Listing::Complete))) add(one);
    }
    return names;
}

// Who lives in one of the places, under the subject, and is not revoked.
Result<std::vector<Identity>> members(const store::Reader& reader, const WorkspaceName& workspace,
                                      const Subject& subject, const std::set<EnvironmentName>& places) {
    std::vector<Identity> found;
    if (places.empty()) return found;
    if (const auto about = audit::identity_of(subject)) {
        found.push_back(TRY(require_identity(reader, workspace, about->name)));
        return found;
    }
    TRY(for_each_identity(reader, workspace, store::Listing::Complete, [&](const Identity& identity) -> Result<bool> {
        if (places.contains(identity.environment) && identity.condition.stored != Standing::Revoked)
            found.push_back(identity);
        return true;
    }));
    return found;
}

// A workspace in whose protected environments nobody lives brings nothing back into force there.
void gate_resume(Plan& plan, const Subject& subject, const std::set<EnvironmentName>& places,
                 const std::vector<Identity>& back) {
    std::set<EnvironmentName> names;
    if (std::holds_alternative<EnvironmentRef>(subject)) names = places;
    for (const Identity& identity : back) names.insert(identity.environment);
    for (const EnvironmentName& name : names) plan.stop_at_gate("environment " + name.text() + " is protected");
}

// Tells the owners which identities come back, and what these may do again.
Result<void> add_powers(const store::Reader& reader, const Subject& subject, const std::vector<Identity>& back,
                        audit::JsonObject& after) {
    std::vector<Power> powers;
    for (const Identity& identity : back) {
        ScopeSet own = identity.scopes;
        if (const auto* ref = std::get_if<CredentialRef>(&subject))
            if (const auto credential = TRY(reader.credential(ref->id))) own = scopes_in_force(identity, *credential);
        powers.push_back({identity.name, identity.environment, std::move(own)});
    }
    for (const auto& member : powers_json(subject, powers)) after[member.key()] = member.value();
    return {};
}

// Resuming one thing does not resume what it stands under.
Result<void> note_what_still_stops(const store::Reader& reader, const Workspace& workspace, const Subject& subject,
                                   Instant now, Plan& plan) {
    const auto about = audit::identity_of(subject);
    if (!about) return {};
    const auto note = [&](const Subject& above, const Condition& condition) {
        if (const Standing standing = standing_at(condition, now); standing != Standing::Active)
            plan.notes.push_back(
                fmt::format("{} is {}, so it will still not be accepted", describe(above), name_of(standing)));
    };
    const Identity identity = TRY(require_identity(reader, about->workspace, about->name));
    const Environment environment = TRY(require_environment(reader, about->workspace, identity.environment));
    if (std::holds_alternative<CredentialRef>(subject)) note(*about, identity.condition);
    note(EnvironmentRef{environment.workspace, environment.name}, environment.condition);
    note(WorkspaceRef{workspace.name}, workspace.condition);
    return {};
}

const char* kind_word(const Target& target) {
    return std::visit(Overloaded{
                          [](const ByNameOrId&) { return "identity"; },
                          [](const ByToken&) { return "credential"; },
                          [](const EnvironmentName&) { return "environment"; },
                          [](const WorkspaceName&) { return "workspace"; },
                          [](const Filter&) { return "identity"; },
                      },
                      target);
}

const Secret* token_of(const Target& target) {
    const auto* by_token = std::get_if<ByToken>(&target);
    return by_token == nullptr ? nullptr : &by_token->token;
}

audit::Json target_json(const Target& target) {
    return std::visit(Overloaded{
                          [](const ByNameOrId& by) -> audit::Json {
                              return {{"name", is_name(by.text) ? by.text : quote(by.text, 80)}};
                          },
                          [](const ByToken&) -> audit::Json { return {{"token", true}}; },
                          [](const EnvironmentName& name) -> audit::Json { return {{"environment", name.text()}}; },
                          [](const WorkspaceName& name) -> audit::Json { return {{"workspace", name.text()}}; },
                          [](const Filter& filter) -> audit::Json { return filter.to_json(); },
                      },
                      target);
}

PlannedChange planned(const Affected& thing, audit::JsonObject after) {
    return {thing.subject, {{"state", thing.state}, {"revision", thing.revision}}, std::move(after)};
}

Error refused(const Affected& thing) {
    return Error(Code::StateRefuses, fmt::format("{}: {}", describe(thing.subject), thing.rule.because));
}

void note_already_so(Plan& plan, const Affected& thing) {
    plan.notes.push_back(fmt::format("{}: {}", describe(thing.subject), thing.rule.because));
}

// A bulk change wants to be confirmed by its count, even when it turns out to be of one.
void set_count(Plan& plan, const Target& target) {
    plan.is_bulk = std::holds_alternative<Filter>(target);
    plan.count = plan.changes.size();
}

}  // namespace

Result<Credential> Authority::find_by_token(const store::Reader& reader, std::string_view token) const {
    const TokenParts parts = TRY(parse_token(token));
    const auto credential = TRY(reader.credential(parts.id));
    if (!credential)
        return Error(Code::NotFound,
                     "the token is well formed, but no credential here has its id, " + parts.id.string(),
                     "it may be of another installation");
    if (!crypto::equal(credential->hash, verify::hash_token(hashing_key(), token)))
        return Error(Code::NotFound,
                     "the token is not that of credential " + parts.id.string() + ", though it bears its id",
                     "to act on that credential all the same, name it");
    return *credential;
}

Result<Done> Authority::pause(const Target& target, const std::optional<Ending>& until, const Order& order) {
    const auto planner = [&](const Context& context, Plan& plan) -> Result<void> {
        plan.request["target"] = target_json(target);
        plan.request["until"] = until ? until->text() : "resumed";
        const auto end = until ? TRY(until->resolve(context.now)) : std::nullopt;
        for (const Affected& thing :
             TRY(find_affected(context.reader, *context.workspace, target,
                               {CredentialAction::Pause, StandingAction::Pause}, context.now, context.credential))) {
            plan.about = thing.subject;
            if (thing.rule.ruling == Ruling::Refused) return refused(thing);
            if (thing.is_paused && !TRY(lengthens_pause(thing.paused_until, end))) {
                plan.notes.push_back(describe(thing.subject) + ": it is paused just so already");
                continue;
            }
            TRY(add_stops(context.reader, *context.workspace, thing.subject, context.now, plan));
            plan.changes.push_back(planned(thing, {{"state", "paused"}, {"until", until ? until->text() : "resumed"}}));
            plan.events.emplace_back(audit::Paused{thing.subject, thing.state, end});
        }
        set_count(plan, target);
        return {};
    };
    return run({"pause", fmt::format("{}.pause", kind_word(target)), false, Permission::Manage, token_of(target)},
               order, planner);
}

Result<Done> Authority::resume(const Target& target, const Order& order) {
    const auto planner = [&](const Context& context, Plan& plan) -> Result<void> {
        plan.request["target"] = target_json(target);
        for (const Affected& thing :
             TRY(find_affected(context.reader, *context.workspace, target,
                               {CredentialAction::Resume, StandingAction::Resume}, context.now, context.credential))) {
            plan.about = thing.subject;
            if (thing.rule.ruling == Ruling::Refused) return refused(thing);
            if (thing.rule.ruling == Ruling::AlreadySo) {
                note_already_so(plan, thing);
                continue;
            }
            const auto places = TRY(protected_places(context.reader, context.workspace->name, thing.subject));
            const auto back = TRY(members(context.reader, context.workspace->name, thing.subject, places));
            gate_resume(plan, thing.subject, places, back);
            TRY(note_what_still_stops(context.reader, *context.workspace, thing.subject, context.now, plan));
            audit::JsonObject after{{"state", "active"}};
            if (!places.empty()) TRY(add_powers(context.reader, thing.subject, back, after));
            plan.changes.push_back(planned(thing, std::move(after)));
            plan.events.emplace_back(audit::Resumed{thing.subject, thing.state});
        }
        set_count(plan, target);
        return {};
    };
    return run({"resume", fmt::format("{}.resume", kind_word(target)), false, Permission::Manage, token_of(target)},
               order, planner);
}

Result<Done> Authority::revoke(const Target& target, const Order& order) {
    const auto planner = [&](const Context& context, Plan& plan) -> Result<void> {
        plan.request["target"] = target_json(target);
        for (const Affected& thing :
             TRY(find_affected(context.reader, *context.workspace, target,
                               {CredentialAction::Revoke, StandingAction::Revoke}, context.now, context.credential))) {
            plan.about = thing.subject;
            if (thing.rule.ruling == Ruling::Refused) return refused(thing);
            if (thing.rule.ruling == Ruling::AlreadySo) {
                note_already_so(plan, thing);
                continue;
            }
            TRY(add_stops(context.reader, *context.workspace, thing.subject, context.now, plan));
            plan.changes.push_back(planned(thing, {{"state", "revoked"}}));
            plan.events.emplace_back(audit::Revoked{thing.subject, thing.state});
        }
        set_count(plan, target);
        return {};
    };
    return run({"revoke", fmt::format("{}.revoke", kind_word(target)), false, Permission::Manage, token_of(target)},
               order, planner);
}

}  // namespace marque::authority
