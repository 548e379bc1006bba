#include "test/reference/model.h"

#include <algorithm>

namespace marque::reference {

namespace {

constexpr Time delivery_window = 10 * minute, approval_lifetime = day, default_lifetime = 90 * day;
constexpr std::size_t most_open_requests = 100, most_requests_a_day = 300;

bool has_come(const std::optional<Time>& moment, Time now) {
    return moment && *moment <= now;
}

std::string text_of(const Names& names) {
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : ",") + name;
    return text;
}

std::string text_of(const End& end) {
    if (end.kind == End::Kind::After) return "after " + std::to_string(end.value / second);
    return end.kind == End::Kind::At ? "at " + std::to_string(end.value) : "never";
}

Names both(const Names& a, const Names& b) {
    Names names;
    std::ranges::set_intersection(a, b, std::inserter(names, names.end()));
    return names;
}

// Twelve characters of base 32, as credentials' ids are.
bool is_id(const std::string& text) {
    return text.size() == 12 && text.find_first_not_of("0123456789abcdefghjkmnpqrstvwxyz") == std::string::npos;
}

bool holds(const Model::Operator& who, const std::string& workspace, const std::string& permission) {
    return std::ranges::any_of(who.grants, [&](const auto& grant) {
        return (grant.first.empty() || grant.first == workspace) &&
               (grant.second == permission || grant.second == "manage");
    });
}

// Nothing for never. False: it is not in the future.
bool resolve(const End& end, Time now, std::optional<Time>& at) {
    at.reset();
    if (end.kind == End::Kind::After) at = now + end.value;
    if (end.kind == End::Kind::At) at = end.value;
    return !at || *at > now;
}

}  // namespace

std::string state_of(const Model::Condition& condition, Time now) {
    return condition.stored == "paused" && has_come(condition.until, now) ? "active" : condition.stored;
}

std::string state_of(const Model::Credential& credential, Time now) {
    if (credential.stored == "revoked") return "revoked";
    if (credential.stored == "pending") return now >= credential.created + delivery_window ? "lapsed" : "pending";
    if (has_come(credential.expires, now)) return "expired";
    if (credential.stored == "retiring" && has_come(credential.retires, now)) return "retired";
    return credential.stored == "paused" && has_come(credential.until, now) ? "active" : credential.stored;
}

// What a command is about to do.
struct Model::Draft {
    std::string who, workspace;
    std::string plan;  // grows with each row and option
    bool is_gated = false, is_bulk = false;
    std::vector<std::string> gates;  // protected environments in which something comes into being
    std::size_t count = 1;
    std::vector<std::function<void(const std::vector<std::string>& made)>> effects;

    void stop_at(const std::string& environment) {
        is_gated = true;
        if (std::ranges::find(gates, environment) == gates.end()) gates.push_back(environment);
    }
    void change(const std::string& subject, const std::string& before, const std::string& after) {
        plan += subject + ": " + before + " -> " + after + "\n";
    }
    template <class Effect>
    void then(Effect effect) {
        effects.emplace_back(std::move(effect));
    }
};

Model::Model(const std::string& operator_name, std::uint32_t uid, const std::map<std::string, std::string>& keys,
             bool is_sole)
    : has_sole_owner(is_sole) {
    operators[operator_name] = {uid, false, {{"", "manage"}}};
    for (const auto& [key, holder] : keys) owners[key] = {holder, 0};
    add_workspace("default");
}

void Model::add_workspace(const std::string& name) {
    workspaces[name].version = now_version_;
    environments[{name, "dev"}] = environments[{name, "staging"}] = {false, {}, {"active", {}, now_version_}};
    environments[{name, "production"}] = {true, 90 * day, {"active", {}, now_version_}};
}

const std::pair<const std::string, Model::Operator>* Model::operator_of(std::uint32_t uid) const {
    for (const auto& one : operators)
        if (one.second.uid == uid && !one.second.is_removed) return &one;
    return nullptr;
}

// Finds the operator who asks, and the workspace: that of the token, the given one, or the only one that they see.
Model::Refusal Model::authorise(const Command& command, bool is_wide, const std::string& permission,
                                Draft& draft) const {
    const auto* who = operator_of(command.uid);
    if (who == nullptr || who->second.grants.empty()) return Exit::PermissionDenied;
    draft.who = who->first;
    if (is_wide) return holds(who->second, "", permission) ? Refusal() : Exit::PermissionDenied;
    draft.workspace = command.workspace;
    if (command.kind == Command::Kind::Activate || command.target == Command::Target::Token) {
        if (!command.workspace.empty() && !holds(who->second, command.workspace, permission))
            return Exit::PermissionDenied;
        const auto found = credentials.find(command.name);
        if (found == credentials.end()) return Exit::NotFound;
        draft.workspace = found->second.workspace;
        if (!command.workspace.empty() && command.workspace != draft.workspace) return Exit::NotFound;
        return holds(who->second, draft.workspace, permission) ? Refusal() : Exit::PermissionDenied;
    }
    if (!command.workspace.empty()) {
        if (!holds(who->second, command.workspace, permission)) return Exit::PermissionDenied;
        return workspaces.contains(command.workspace) ? Refusal() : Exit::NotFound;
    }
    for (const auto& [name, condition] : workspaces) {
        if (condition.stored == "revoked" || !holds(who->second, name, "view")) continue;
        if (!draft.workspace.empty()) return Exit::Invalid;
        draft.workspace = name;
    }
    if (draft.workspace.empty()) return Exit::NotFound;
    return holds(who->second, draft.workspace, permission) ? Refusal() : Exit::PermissionDenied;
}

Answer Model::run(const Command& command, Time now, const std::vector<std::string>& made) {
    Draft draft;
    Refusal refusal = plan(command, now, draft);
    for (const std::string& gate : draft.gates) draft.plan += "gate " + gate + "\n";
    if (!refusal && draft.is_gated) refusal = pass_gate(command, now, draft);
    if (refusal && *refusal != Exit::Asked) return {*refusal, ""};
    if (!refusal && !command.approval.empty() && !draft.is_gated && !draft.effects.empty()) return {Exit::Invalid, ""};
    if (draft.effects.empty()) return {Exit::AlreadySo, ""};
    using Confirm = Command::Confirm;
    const bool is_only_a_look = command.confirm == Confirm::None || command.confirm == Confirm::DryRun;
    if (is_only_a_look) return {refusal ? Exit::Asked : Exit::Shown, draft.plan};
    if ((command.confirm == Confirm::Yes && draft.is_bulk) ||
        (command.confirm == Confirm::Count && command.count != draft.count) ||
        (command.confirm == Confirm::Digest && command.plan != draft.plan))
        return {Exit::Shown, draft.plan};
    ++now_version_;
    if (refusal) {
        Answer answer{Exit::Asked, draft.plan};
        if (const auto refused = ask(made.empty() ? "" : made.front(), now, draft, answer.is_request_new))
            return {*refused, ""};
        return answer;
    }
    if (draft.is_gated) requests.at(command.approval).stored = "redeemed";
    for (const auto& effect : draft.effects) effect(made);
    return {Exit::Done, draft.plan};
}

Model::Refusal Model::plan(const Command& command, Time now, Draft& draft) {
    using enum Command::Kind;
    const auto has_row = [](std::initializer_list<Command::Kind> kinds, Command::Kind kind) {
        return std::ranges::find(kinds, kind) != kinds.end();
    };
    const Command::Kind kind = command.kind;
    if (has_row({Sign, Deny, WithdrawRequest}, kind)) return plan_request(command, now, draft);
    if (kind == Create) {
        Names names;
        for (const NewIdentity& one : command.identities)
            if (is_id(one.name) || !names.insert(one.name).second) return Exit::Invalid;
    }
    if (kind == Activate && command.name.empty()) return Exit::Invalid;  // no token
    Command placed = command;
    bool is_wide = has_row({WorkspaceAdd, WorkspaceRemove, OperatorRemove, OwnerAdd, OwnerRemove, Policy}, kind);
    if (has_row({OperatorAdd, Grant, Withdraw}, kind)) {
        // An operator is made where the grants reach.
        is_wide = command.grants.empty() || command.grants.begin()->first.empty();
        placed.workspace = is_wide ? "" : command.grants.begin()->first;
    }
    if (const auto refused = authorise(placed, is_wide, "manage", draft)) return refused;
    draft.plan = draft.who + " in " + draft.workspace + " because " + command.reason + " does " +
                 std::to_string(static_cast<int>(kind)) + "\n";
    if (has_row({Create, Issue, Rotate}, kind)) return plan_new_credential(command, now, draft);
    if (has_row({Pause, Resume, Revoke}, kind)) return plan_state(command, now, draft);
    if (has_row({OperatorAdd, OperatorRemove, Grant, Withdraw}, kind)) return plan_operator(command, draft);
    if (has_row({OwnerAdd, OwnerRemove, Policy}, kind)) return plan_owner(command, draft);
    if (kind != Activate) return plan_place(command, now, draft);

    const auto found = credentials.find(command.name);
    if (found == credentials.end() || found->second.workspace != draft.workspace) return Exit::NotFound;
    const auto refused = plan_activation(command.name, now, draft);
    const Identity& identity = identities.at({draft.workspace, found->second.identity});
    if (!refused && !draft.effects.empty() && !found->second.was_made_protected)
        if (environments.at({draft.workspace, identity.environment}).is_protected) draft.stop_at(identity.environment);
    return refused;
}

// --- credentials

bool Model::may_issue_under(const std::string& workspace, const std::string& environment, const Identity* identity,
                            Time now) const {
    return reference::state_of(workspaces.at(workspace), now) == "active" &&
           reference::state_of(environments.at({workspace, environment}).condition, now) == "active" &&
           (identity == nullptr || reference::state_of(identity->condition, now) == "active");
}

Model::Refusal Model::lifetime(const End& asked, const End& otherwise, const Environment& environment, Time now,
                               End& result) const {
    const bool is_asked = asked.kind != End::Kind::Unsaid;
    result = is_asked ? asked : otherwise;
    std::optional<Time> at;
    if (!resolve(result, now, at)) return Exit::Invalid;
    if (!environment.max_lifetime || (at && *at <= now + *environment.max_lifetime)) return {};
    if (is_asked) return Exit::RefusedByState;
    result = {End::Kind::After, *environment.max_lifetime};
    return {};
}

Model::Refusal Model::plan_new_credential(const Command& command, Time now, Draft& draft) {
    const std::string workspace = draft.workspace;
    const End ninety{End::Kind::After, default_lifetime};
    const auto add = [&](const std::string& identity, const std::string& environment, const Names& scopes,
                         const End& end, const std::string& replaces, const std::string& mode, Time overlap) {
        Credential made{workspace, identity, scopes, "pending", now, {}, {}, {}, replaces, mode, overlap};
        (void)resolve(end, now, made.expires);
        made.was_made_protected = environments.at({workspace, environment}).is_protected;
        if (made.was_made_protected) draft.stop_at(environment);
        const std::size_t place = draft.effects.size();
        draft.then([this, made, place](const std::vector<std::string>& ids) {
            Credential& credential = credentials[ids.at(place)] = made;
            credential.version = now_version_;
        });
    };
    if (command.kind == Command::Kind::Create) {
        draft.is_bulk = command.identities.size() > 1;
        draft.count = command.identities.size();
        for (const NewIdentity& one : command.identities) {
            const auto environment = environments.find({workspace, one.environment});
            if (environment == environments.end()) return Exit::NotFound;
            if (identities.contains({workspace, one.name})) return Exit::RefusedByState;
            if (!may_issue_under(workspace, one.environment, nullptr, now)) return Exit::RefusedByState;
            End end;
            if (const auto refused = lifetime(one.expires, ninety, environment->second, now, end)) return refused;
            std::string labels;
            for (const auto& [key, value] : one.labels) labels += key + "=" + value + " ";
            draft.change(
                "identity " + one.name, "",
                text_of(one.scopes) + " " + text_of(end) + " " + one.environment + " " + one.kind + " " + labels);
            add(one.name, one.environment, one.scopes, end, "", "", 0);
            // With its credential, so that the effects are as many as the ids.
            draft.effects.back() = [this, one, workspace, both_made = draft.effects.back()](const auto& ids) {
                identities[{workspace, one.name}] = {
                    one.environment, one.kind, one.scopes, one.labels, {"active", {}, now_version_}};
                both_made(ids);
            };
        }
        return {};
    }
    const bool is_by_id = command.kind == Command::Kind::Rotate && is_id(command.name);
    const auto by_id = credentials.find(is_by_id ? command.name : "");
    if (is_by_id && (by_id == credentials.end() || by_id->second.workspace != workspace)) return Exit::NotFound;
    const std::string name = is_by_id ? by_id->second.identity : command.name;
    const auto found = identities.find({workspace, name});
    if (found == identities.end()) return Exit::NotFound;
    const Identity& identity = found->second;
    const Environment& environment = environments.at({workspace, identity.environment});
    if (!may_issue_under(workspace, identity.environment, &identity, now)) return Exit::RefusedByState;
    const std::string before = identity.condition.stored + " " + std::to_string(identity.condition.version);
    End end;
    if (command.kind == Command::Kind::Issue) {
        const Names scopes = command.scopes.value_or(identity.scopes);
        if (both(scopes, identity.scopes) != scopes) return Exit::RefusedByState;
        if (const auto refused = lifetime(command.expires, ninety, environment, now, end)) return refused;
        draft.change("identity " + name, before, text_of(scopes) + " " + text_of(end));
        add(name, identity.environment, scopes, end, "", "", 0);
        return {};
    }
    std::vector<std::string> in_force;
    if (is_by_id) in_force = {command.name};
    for (const auto& [id, credential] : credentials)
        if (!is_by_id && credential.workspace == workspace && credential.identity == name &&
            reference::state_of(credential, now) == "active")
            in_force.push_back(id);
    if (in_force.size() != 1) return Exit::RefusedByState;
    const std::string old_id = in_force.front();
    const Credential& old = credentials.at(old_id);
    if (reference::state_of(old, now) != "active") return Exit::RefusedByState;
    const End as_before = old.expires ? End{End::Kind::After, *old.expires - old.created} : End{End::Kind::Never};
    if (const auto refused = lifetime(command.expires, as_before, environment, now, end)) return refused;
    const Time overlap =
        command.mode == "compromised" ? 0 : command.overlap.value_or(command.mode == "until-used" ? 7 * day : hour);
    const Names scopes = both(old.scopes, identity.scopes);
    draft.change("identity " + name, before, text_of(scopes) + " " + text_of(end));
    draft.change("credential " + old_id, "active " + std::to_string(old.version),
                 command.mode + " " + std::to_string(overlap / second));
    add(name, identity.environment, scopes, end, old_id, command.mode, overlap);
    return {};
}

// What was delivered comes into force, and then what it replaces ends.
Model::Refusal Model::plan_activation(const std::string& id, Time now, Draft& draft) {
    const auto found = credentials.find(id);
    if (found == credentials.end()) return Exit::NotFound;
    const Credential& credential = found->second;
    const std::string state = reference::state_of(credential, now);
    if (state == "active") return {};
    if (state != "pending") return Exit::RefusedByState;
    const Identity& identity = identities.at({credential.workspace, credential.identity});
    if (workspaces.at(credential.workspace).stored == "revoked" || identity.condition.stored == "revoked" ||
        environments.at({credential.workspace, identity.environment}).condition.stored == "revoked")
        return Exit::RefusedByState;
    draft.change("credential " + id, "pending " + std::to_string(credential.version), "active");
    const auto set = [this](const std::string& which, const std::string& stored) {
        return [this, which, stored](const auto&) {
            Credential& one = credentials.at(which);
            one.stored = stored;
            one.version = now_version_;
        };
    };
    draft.then(set(id, "active"));
    if (credential.replaces.empty()) return {};
    const std::string old_state = reference::state_of(credentials.at(credential.replaces), now);
    if (old_state == "expired") return {};
    if (credential.mode == "compromised") {
        if (old_state != "revoked") draft.then(set(credential.replaces, "revoked"));
    } else {
        if (old_state != "active") return Exit::RefusedByState;
        draft.then(set(credential.replaces, "retiring"));
        const Time end = now + credential.overlap;
        draft.then([this, old = credential.replaces, end](const auto&) { credentials.at(old).retires = end; });
    }
    draft.change("credential " + credential.replaces, old_state, credential.mode);
    return {};
}

Exit Model::finish(std::uint32_t uid, const std::vector<std::string>& made, bool is_delivered, Time now) {
    const Credential& first = credentials.at(made.front());
    const auto* who = operator_of(uid);
    const bool may = who != nullptr && holds(who->second, first.workspace, "manage");
    ++now_version_;
    Refusal refused = is_delivered ? may ? Refusal() : Exit::PermissionDenied : Exit::Undelivered;
    Draft draft;
    for (const std::string& id : made) {
        if (refused) break;
        const Credential& one = credentials.at(id);
        const Identity& identity = identities.at({one.workspace, one.identity});
        if (!one.was_made_protected && environments.at({one.workspace, identity.environment}).is_protected)
            refused = Exit::ApprovalNeeded;
        else
            refused = plan_activation(id, now, draft);
    }
    if (!refused) {
        for (const auto& effect : draft.effects) effect({});
        return Exit::Done;
    }
    // They are revoked, all or none.
    const bool can_be =
        may && std::ranges::all_of(made, [&](const std::string& id) { return credentials.at(id).stored == "pending"; });
    if (can_be)
        for (const std::string& id : made) {
            credentials.at(id).stored = "revoked";
            credentials.at(id).version = now_version_;
        }
    return *refused;
}

// --- pause, resume, revoke

bool Model::matches(const Command& command, const Place& place, const Identity& identity, Time now) const {
    return std::ranges::all_of(command.filter, [&](const auto& condition) {
        const auto& [key, value] = condition;
        if (key == "env") return identity.environment == value;
        if (key == "kind") return identity.kind == value;
        if (key.starts_with("label.")) {
            const auto label = identity.labels.find(key.substr(6));
            return label != identity.labels.end() && label->second == value;
        }
        const std::set<std::string> all{
            reference::state_of(identity.condition, now),
            reference::state_of(environments.at({place.first, identity.environment}).condition, now),
            reference::state_of(workspaces.at(place.first), now)};
        if (value == "active") return all == Names{"active"};
        if (value == "revoked") return all.contains("revoked");
        if (value == "paused") return all.contains("paused") && !all.contains("revoked");
        return std::ranges::any_of(credentials, [&](const auto& one) {
            return one.second.workspace == place.first && one.second.identity == place.second &&
                   reference::state_of(one.second, now) == value;
        });
    });
}

Model::Refusal Model::plan_state(const Command& command, Time now, Draft& draft) {
    using enum Command::Kind;
    const std::string workspace = draft.workspace;
    std::optional<Time> end;
    if (command.kind == Pause) {
        if (!resolve(command.until, now, end)) return Exit::Invalid;
        draft.plan += "until " + text_of(command.until) + "\n";
    }
    draft.plan += "target " + std::to_string(static_cast<int>(command.target)) + " " +
                  (command.target == Command::Target::Token ? "" : command.name) + "\n";
    for (const auto& [key, value] : command.filter) draft.plan += key + "=" + value + "\n";

    struct Thing {
        std::string subject, state;
        std::string* stored;
        std::optional<Time>* until;
        int* version;
        std::set<Place> homes;  // environments in which it is, or that are under it
        std::string powers;     // what comes back when it is resumed
    };
    const auto thing_of = [&](const std::string& subject, Condition& condition) {
        return Thing{
            subject, reference::state_of(condition, now), &condition.stored, &condition.until, &condition.version, {},
            ""};
    };
    std::vector<Thing> things;
    const auto add_identity = [&](const Place& place, Identity& identity) {
        things.push_back(thing_of("identity " + place.second, identity.condition));
        things.back().homes = {{place.first, identity.environment}};
        things.back().powers = text_of(identity.scopes);
    };
    const auto add_credential = [&](const std::string& id) -> Refusal {
        const auto found = credentials.find(id);
        if (found == credentials.end() || found->second.workspace != workspace) return Exit::NotFound;
        Credential& one = found->second;
        const Identity& identity = identities.at({workspace, one.identity});
        things.push_back({"credential " + id,
                          reference::state_of(one, now),
                          &one.stored,
                          &one.until,
                          &one.version,
                          {{workspace, identity.environment}},
                          text_of(both(one.scopes, identity.scopes))});
        return {};
    };
    // Of a place it is everybody who lives in what is protected of it, unless they are revoked.
    const auto add_powers = [&](Thing& thing, const std::string& only) {
        for (const auto& [place, identity] : identities)
            if (place.first == workspace && identity.condition.stored != "revoked" &&
                (only.empty() || identity.environment == only) &&
                environments.at({workspace, identity.environment}).is_protected) {
                thing.homes.insert({workspace, identity.environment});
                thing.powers += place.second + " " + identity.environment + " " + text_of(identity.scopes) + "\n";
            }
    };
    switch (command.target) {
        case Command::Target::NameOrId:
            if (is_id(command.name)) {
                if (const auto refused = add_credential(command.name)) return refused;
            } else {
                const auto found = identities.find({workspace, command.name});
                if (found == identities.end()) return Exit::NotFound;
                add_identity(found->first, found->second);
            }
            break;
        case Command::Target::Token:
            if (const auto refused = add_credential(command.name)) return refused;
            break;
        case Command::Target::Environment: {
            const auto found = environments.find({workspace, command.name});
            if (found == environments.end()) return Exit::NotFound;
            things.push_back(thing_of("environment " + command.name, found->second.condition));
            add_powers(things.back(), command.name);
            things.back().homes = {found->first};
            break;
        }
        case Command::Target::Workspace:
            things.push_back(thing_of("workspace " + workspace, workspaces.at(workspace)));
            add_powers(things.back(), "");
            break;
        case Command::Target::Filter:
            for (auto& [place, identity] : identities)
                if (place.first == workspace && identity.condition.stored != "revoked" &&
                    matches(command, place, identity, now))
                    add_identity(place, identity);
            if (things.empty()) return Exit::NotFound;
            draft.is_bulk = true;
            draft.count = things.size();
            break;
    }
    for (const Thing& thing : things) {
        const std::string before = thing.state + " " + std::to_string(*thing.version);
        std::string after;
        if (command.kind == Pause) {
            if (thing.state != "active" && thing.state != "paused") return Exit::RefusedByState;
            if (thing.state == "paused") {
                if (*thing.until == end) continue;
                if (!*thing.until || (end && *end < **thing.until)) return Exit::RefusedByState;
            }
            after = "paused";
        } else if (command.kind == Resume) {
            if (thing.state == "active") continue;
            if (thing.state != "paused") return Exit::RefusedByState;
            after = "active";
            for (const Place& home : thing.homes)
                if (environments.at(home).is_protected) draft.stop_at(home.second);
            if (draft.is_gated) draft.plan += "brings back " + thing.powers + "\n";
        } else {
            if (thing.state == "revoked") continue;
            after = "revoked";
        }
        draft.change(thing.subject, before, after);
        draft.then([this, thing, after, end](const auto&) {
            *thing.stored = after;
            *thing.until = end;
            *thing.version = now_version_;
        });
    }
    return {};
}

// --- workspaces and environments

Model::Refusal Model::plan_place(const Command& command, Time now, Draft& draft) {
    using enum Command::Kind;
    const bool is_workspace = command.kind == WorkspaceAdd || command.kind == WorkspaceRemove;
    const std::string name = command.name;
    const Place place{is_workspace ? name : draft.workspace, name};
    const auto environment = environments.find(place);
    const bool is_there = is_workspace ? workspaces.contains(name) : environment != environments.end();
    if (command.kind == WorkspaceAdd || command.kind == EnvironmentAdd) {
        if (is_there || (!is_workspace && workspaces.at(draft.workspace).stored == "revoked"))
            return Exit::RefusedByState;
        draft.change("place " + name, "",
                     std::string(command.is_protected ? "protected" : "open") +
                         std::to_string(command.max_lifetime.value_or(0)));
        draft.then([this, is_workspace, place, command](const auto&) {
            if (is_workspace)
                add_workspace(command.name);
            else
                environments[place] = {command.is_protected, command.max_lifetime, {"active", {}, now_version_}};
        });
        return {};
    }
    if (!is_there) return Exit::NotFound;
    if (command.kind == Protect || command.kind == Unprotect) {
        const bool is_to_be = command.kind == Protect;
        if (environment->second.is_protected == is_to_be) return {};
        draft.is_gated = true;
        draft.change("environment " + name, std::to_string(environment->second.condition.version), "");
        draft.then([this, place, is_to_be](const auto&) {
            environments.at(place).is_protected = is_to_be;
            environments.at(place).condition.version = now_version_;
        });
        return {};
    }
    Condition& condition = is_workspace ? workspaces.at(name) : environment->second.condition;
    if (condition.stored == "revoked") return {};
    for (const auto& [where, identity] : identities)
        if (where.first == place.first && (is_workspace || identity.environment == name) &&
            identity.condition.stored != "revoked")
            return Exit::RefusedByState;
    draft.change("place " + name, reference::state_of(condition, now) + " " + std::to_string(condition.version),
                 "revoked");
    draft.then([this, &condition](const auto&) { condition = {"revoked", {}, now_version_}; });
    return {};
}

// --- operators

Model::Refusal Model::plan_operator(const Command& command, Draft& draft) {
    using enum Command::Kind;
    const auto found = operators.find(command.name);
    const auto is_manager = [](const Operator& one) { return !one.is_removed && holds(one, "", "manage"); };
    const auto is_last_manager = [&] {
        return std::ranges::none_of(operators,
                                    [&](const auto& o) { return o.first != command.name && is_manager(o.second); });
    };
    std::string grants;
    for (const auto& [workspace, permission] : command.grants) grants += workspace + ":" + permission + " ";
    if (command.kind == OperatorAdd) {
        for (const auto& [workspace, permission] : command.grants) {
            if (!holds(operators.at(draft.who), workspace, "manage")) return Exit::PermissionDenied;
            if (!workspace.empty() && !workspaces.contains(workspace)) return Exit::NotFound;
        }
        if (found != operators.end() || operator_of(command.new_uid) != nullptr) return Exit::RefusedByState;
        draft.change("operator " + command.name, "", std::to_string(command.new_uid) + " " + grants);
        draft.then([this, command](const auto&) {
            operators[command.name] = {command.new_uid, false, command.grants, now_version_};
        });
        return {};
    }
    if (found == operators.end()) return Exit::NotFound;
    Operator& one = found->second;
    if (command.kind == OperatorRemove) {
        if (one.is_removed) return {};
        if (is_last_manager()) return Exit::RefusedByState;
        draft.change("operator " + command.name, std::to_string(one.version), "removed");
        draft.then([this, &one](const auto&) {
            one.is_removed = true;
            one.version = now_version_;
        });
        return {};
    }
    if (one.is_removed) return Exit::RefusedByState;
    const auto grant = *command.grants.begin();
    const bool is_to_have = command.kind == Grant;
    if (one.grants.contains(grant) == is_to_have) return {};
    if (!is_to_have && grant == std::pair<std::string, std::string>("", "manage") && is_last_manager())
        return Exit::RefusedByState;
    draft.change("operator " + command.name, std::to_string(one.version),
                 (is_to_have ? "grant " : "withdraw ") + grants);
    draft.then([this, &one, grant, is_to_have](const auto&) {
        one.version = now_version_;
        if (is_to_have)
            one.grants.insert(grant);
        else
            one.grants.erase(grant);
    });
    return {};
}

// --- owners, and what they are asked

// A person is an operator, whatever they were called while they had the same uid.
std::string Model::person(const std::string& holder) const {
    const auto found = operators.find(holder);
    return found == operators.end() ? holder : "uid " + std::to_string(found->second.uid);
}

bool Model::has_quorum(const std::map<std::string, Owner>& keys, std::uint32_t wanted) const {
    Names persons;
    for (const auto& [key, owner] : keys) persons.insert(owner.holder.empty() ? "key " + key : person(owner.holder));
    return persons.size() >= wanted;
}

Model::Refusal Model::plan_owner(const Command& command, Draft& draft) {
    using enum Command::Kind;
    const std::string before = std::to_string(owners_version_);
    const auto changed = [this] { owners_version_ = now_version_; };
    if (command.kind == OwnerAdd) {
        if (owners.contains(command.name)) return {};
        draft.is_gated = !owners.empty();
        draft.change("owner " + command.name, before, "of " + command.holder);
        draft.then([this, command, changed](const auto&) {
            owners[command.name] = {command.holder, now_version_};
            changed();
        });
        return {};
    }
    draft.is_gated = true;
    if (command.kind == OwnerRemove) {
        auto left = owners;
        if (left.erase(command.name) == 0) return Exit::NotFound;
        if (!has_quorum(left, quorum)) return Exit::RefusedByState;
        draft.change("owner " + command.name, before, "removed");
        draft.then([this, left, changed](const auto&) {
            owners = left;
            changed();
        });
        return {};
    }
    const std::uint32_t wanted = command.quorum.value_or(quorum);
    const bool is_sole = command.sole_owner.value_or(has_sole_owner);
    draft.is_gated = wanted != quorum || is_sole != has_sole_owner;
    if (!draft.is_gated) return {};
    if (!has_quorum(owners, wanted)) return Exit::RefusedByState;
    draft.change("policy", before, std::to_string(wanted) + (is_sole ? " sole" : ""));
    draft.then([this, wanted, is_sole, changed](const auto&) {
        quorum = wanted;
        has_sole_owner = is_sole;
        changed();
    });
    return {};
}

Model::Counts Model::counts(const Request& request, const std::string& key, int when, Names& seen) const {
    const auto owner = owners.find(key);
    if (owner == owners.end() || when < owner->second.since) return Counts::NoKey;
    if (owner->second.holder.empty()) return Counts::Yes;
    const std::string who = person(owner->second.holder);
    if (!has_sole_owner && who == person(request.requester)) return Counts::Requesters;
    return seen.insert(who).second ? Counts::Yes : Counts::Twice;
}

std::size_t Model::signers(const Request& request) const {
    Names seen;
    std::size_t count = 0;
    for (const auto& [key, when] : request.signatures) count += counts(request, key, when, seen) == Counts::Yes ? 1 : 0;
    return count;
}

std::string Model::state_of(const Request& request, Time now) const {
    if (request.stored != "open") return request.stored;
    if (request.not_after <= now) return "expired";
    return signers(request) >= quorum ? "approved" : "waiting";
}

Model::Refusal Model::pass_gate(const Command& command, Time now, Draft& draft) {
    if (draft.effects.empty()) return {};
    if (owners.empty()) return Exit::ApprovalNeeded;
    if (command.approval.empty()) return Exit::Asked;
    const auto found = requests.find(command.approval);
    if (found == requests.end() || !holds(operators.at(draft.who), found->second.workspace, "view"))
        return Exit::NotFound;
    if (found->second.requester != draft.who) return Exit::PermissionDenied;
    if (state_of(found->second, now) != "approved" || found->second.plan != draft.plan) return Exit::ApprovalNeeded;
    return {};
}

// The open request for the same plan, or a new one.
Model::Refusal Model::ask(const std::string& id, Time now, const Draft& draft, bool& is_new) {
    std::size_t open = 0, today = 0;
    for (const auto& [other_id, other] : requests) {
        if (other.requester != draft.who || other.asked <= now - day) continue;
        ++today;
        if (other.stored != "open" || other.not_after <= now) continue;
        if (other.plan == draft.plan) return {};
        ++open;
    }
    if (open >= most_open_requests || today >= most_requests_a_day) return Exit::RefusedByState;
    is_new = true;
    requests[id] = {draft.plan, draft.who, draft.workspace, now, now + approval_lifetime};
    return {};
}

Model::Refusal Model::plan_request(const Command& command, Time now, Draft& draft) {
    using enum Command::Kind;
    const auto* who = operator_of(command.uid);
    if (who == nullptr || who->second.grants.empty()) return Exit::PermissionDenied;
    const auto found = requests.find(command.name);
    if (found == requests.end() || !holds(who->second, found->second.workspace, "view")) return Exit::NotFound;
    Request& request = found->second;
    Command placed = command;
    placed.workspace = request.workspace;
    if (const auto refused =
            authorise(placed, request.workspace.empty(), command.kind == Deny ? "manage" : "view", draft))
        return refused;
    draft.plan = draft.who + " because " + command.reason + " request " + command.name + "\n";
    const std::string state = state_of(request, now);
    const bool is_open = state == "waiting" || state == "approved";
    if (command.kind == Sign) {
        if (!is_open) return Exit::RefusedByState;
        if (!owners.contains(command.signer) || command.signed_request != command.name) return Exit::PermissionDenied;
        Names seen;
        for (const auto& [key, when] : request.signatures) {
            if (key == command.signer && when >= owners.at(key).since) return {};
            (void)counts(request, key, when, seen);
        }
        if (counts(request, command.signer, now_version_, seen) != Counts::Yes) return Exit::PermissionDenied;
        draft.change("request", state + " " + std::to_string(signers(request)) + " of " + std::to_string(quorum),
                     "signed by " + command.signer + " " + owners.at(command.signer).holder);
        draft.then([this, &request, command](const auto&) {
            request.signatures.emplace_back(command.signer, now_version_);
            request.version = now_version_;
        });
        return {};
    }
    const std::string after = command.kind == Deny ? "denied" : "withdrawn";
    if (command.kind == WithdrawRequest && request.requester != draft.who) return Exit::PermissionDenied;
    if (state == after) return {};
    if (!is_open) return Exit::RefusedByState;
    draft.change("request", state + " " + std::to_string(request.version), after);
    draft.then([&request, after](const auto&) { request.stored = after; });
    return {};
}

// --- verifying, and what is listed

Verdict Model::verify(const std::string& id, bool is_right, const std::string& demand, Time now) const {
    const auto found = credentials.find(id);
    if (found == credentials.end()) return {"unknown", "", "", "", {}};
    const Credential& credential = found->second;
    const Identity& identity = identities.at({credential.workspace, credential.identity});
    Verdict verdict{"accepted", credential.workspace, identity.environment, credential.identity,
                    both(credential.scopes, identity.scopes)};
    const std::string own = reference::state_of(credential, now);
    const std::pair<const char*, std::string> levels[] = {
        {"credential", own},
        {"identity", reference::state_of(identity.condition, now)},
        {"environment",
         reference::state_of(environments.at({credential.workspace, identity.environment}).condition, now)},
        {"workspace", reference::state_of(workspaces.at(credential.workspace), now)}};
    const auto strictest = [&]() -> std::string {
        if (!is_right) return "wrong_secret";
        for (const auto& [level, is] : levels)
            if (is == "revoked") return std::string(level) + "_revoked";
        if (own == "pending" || own == "lapsed") return "not_in_force";
        if (own == "expired" || own == "retired") return own;
        for (const auto& [level, is] : levels)
            if (is == "paused") return std::string(level) + "_paused";
        return demand.empty() || verdict.scopes.contains(demand) ? "accepted" : "scope_missing";
    };
    verdict.reason = strictest();
    return verdict;
}

bool Model::tells_why(std::uint32_t uid, const std::string& id) const {
    const auto* who = operator_of(uid);
    if (who == nullptr) return false;
    const auto found = credentials.find(id);
    return found == credentials.end() ? !who->second.grants.empty()
                                      : holds(who->second, found->second.workspace, "view");
}

void Model::note_use(const std::string& id, std::uint64_t count, Time at, Time now) {
    Credential& credential = credentials.at(id);
    credential.uses += count;
    credential.last_use = std::max(credential.last_use, at);
    if (credential.mode != "until-used") return;
    Credential& old = credentials.at(credential.replaces);
    if (reference::state_of(old, now) != "retiring") return;
    old.retires = now;
    old.version = ++now_version_;
}

std::string Model::listing(Time now) const {
    std::string text;
    const auto say = [&](std::initializer_list<std::string> words) {
        for (const std::string& word : words) text += word + " ";
        text.back() = '\n';
    };
    for (const auto& [name, condition] : workspaces) say({"workspace", name, reference::state_of(condition, now)});
    for (const auto& [place, one] : environments)
        say({"environment", place.first, place.second, reference::state_of(one.condition, now),
             one.is_protected ? "protected" : "open"});
    for (const auto& [place, one] : identities)
        say({"identity", place.first, place.second, reference::state_of(one.condition, now), one.environment});
    for (const auto& [id, one] : credentials)
        say({"credential", id, one.workspace, one.identity, reference::state_of(one, now), text_of(one.scopes),
             one.expires ? std::to_string(*one.expires) : "never", std::to_string(one.uses), "last",
             std::to_string(one.uses > 0 ? one.last_use : 0)});
    for (const auto& [name, one] : operators) {
        std::string grants;
        for (const auto& [workspace, permission] : one.grants) grants += workspace + ":" + permission + ",";
        say({"operator", name, std::to_string(one.uid), one.is_removed ? "removed" : "there", grants});
    }
    for (const auto& [key, owner] : owners) say({"owner", key, owner.holder});
    for (const auto& [id, one] : requests)
        say({"request", id, one.requester, state_of(one, now), std::to_string(signers(one))});
    say({"policy", std::to_string(quorum), has_sole_owner ? "sole" : "several"});
    return text;
}

std::vector<Time> Model::moments() const {
    std::vector<Time> all;
    const auto add = [&](const std::optional<Time>& moment) {
        if (moment) all.push_back(*moment);
    };
    for (const auto& [id, one] : credentials) {
        if (one.stored == "pending") all.push_back(one.created + delivery_window);
        if (one.stored == "revoked") continue;
        add(one.expires);
        add(one.until);
        add(one.retires);
    }
    for (const auto& [place, one] : identities) add(one.condition.until);
    for (const auto& [place, one] : environments) add(one.condition.until);
    for (const auto& [name, one] : workspaces) add(one.until);
    for (const auto& [id, one] : requests)
        if (one.stored == "open") all.push_back(one.not_after);
    return all;
}

}  // namespace marque::reference
