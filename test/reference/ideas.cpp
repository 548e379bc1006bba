#include "test/reference/ideas.h"

#include <array>

namespace marque::reference {

namespace {

constexpr std::array scopes{"card:view", "card:edit", "card:move", "board:view", "member:remove"};
constexpr std::array keys{"SHA256:a", "SHA256:b", "SHA256:c", "SHA256:d"};
constexpr std::array labels{"red", "blue"};

// Any of a map that is not empty.
template <class Map>
const auto& any_of(simulation::Chance& chance, const Map& map) {
    return *std::next(map.begin(), static_cast<std::ptrdiff_t>(chance.below(map.size())));
}

}  // namespace

std::uint32_t Ideas::a_uid() {
    // Mostly whoever may do everything.
    if (!chance_.one_in(5))
        for (const auto& [name, one] : model_.operators)
            if (!one.is_removed && one.grants.contains({"", "manage"}) && !chance_.one_in(6)) return one.uid;
    if (chance_.one_in(8)) return first_uid + static_cast<std::uint32_t>(chance_.below(12));
    return any_of(chance_, model_.operators).second.uid;
}

std::string Ideas::a_workspace() {
    if (chance_.one_in(40)) return "nowhere";
    if (!chance_.one_in(3)) return "default";
    return any_of(chance_, model_.workspaces).first;
}

std::string Ideas::an_environment(const std::string& workspace) {
    if (chance_.one_in(30)) return "noenv";
    if (!chance_.one_in(3)) return chance_.one_in(3) ? "production" : "dev";
    for (int tries = 0; tries < 5; ++tries)
        if (const auto& one = any_of(chance_, model_.environments); one.first.first == workspace)
            return one.first.second;
    return "staging";
}

std::string Ideas::an_identity(const std::string& workspace) {
    if (chance_.one_in(40) || model_.identities.empty()) return "nobody";
    // A revoked one is worth a try, but not many.
    for (int tries = 0; tries < 6; ++tries)
        if (const auto& one = any_of(chance_, model_.identities);
            one.first.first == workspace && (one.second.condition.stored != "revoked" || chance_.one_in(4)))
            return one.first.second;
    return "n" + std::to_string(identities_made_);
}

std::string Ideas::a_credential(const std::string& workspace) {
    if (chance_.one_in(40) || model_.credentials.empty()) return "0123456789ab";
    for (int tries = 0; tries < 8; ++tries)
        if (const auto& one = any_of(chance_, model_.credentials);
            one.second.stored != "revoked" && one.second.workspace == workspace)
            return one.first;
    return any_of(chance_, model_.credentials).first;
}

std::string Ideas::an_operator() {
    if (chance_.one_in(20)) return "noone";
    return any_of(chance_, model_.operators).first;
}

std::string Ideas::a_key() {
    return chance_.one_of(keys);
}

std::string Ideas::a_scope() {
    return chance_.one_of(scopes);
}

Names Ideas::some_scopes() {
    Names names{a_scope()};
    while (!chance_.one_in(3)) names.insert(a_scope());
    return names;
}

End Ideas::an_end(Time now) {
    switch (chance_.below(10)) {
        case 0:
            return {End::Kind::Never};
        case 1:
            return {End::Kind::At, now + static_cast<Time>(chance_.below(100 * day))};
        case 2:
            return {End::Kind::At, now - static_cast<Time>(chance_.below(2)) * hour};
        case 3:
            return {End::Kind::After, (1 + static_cast<Time>(chance_.below(150))) * day};
        case 4:
            return {End::Kind::After, (1 + static_cast<Time>(chance_.below(7200))) * second};
        default:
            return {};
    }
}

NewIdentity Ideas::a_new_identity(const std::string& workspace, Time now) {
    NewIdentity one;
    one.name = chance_.one_in(12) ? an_identity(workspace) : "n" + std::to_string(++identities_made_);
    if (chance_.one_in(60)) one.name = "0123456789ab";
    one.environment = an_environment(workspace);
    one.kind = chance_.one_in(3) ? "service" : chance_.one_in(4) ? "ci" : "agent";
    one.scopes = some_scopes();
    one.expires = an_end(now);
    if (chance_.one_in(3)) one.labels["team"] = chance_.one_of(labels);
    return one;
}

std::string Ideas::a_request(bool is_to_be_approved) {
    if (asked_.empty() || chance_.one_in(40)) return "00000000";
    for (int tries = 0; tries < 8; ++tries) {
        const std::size_t recent = std::min<std::size_t>(asked_.size(), 12);
        const auto& one = asked_[asked_.size() - 1 - chance_.below(recent)];
        const auto& request = model_.requests.at(one.id);
        if (is_to_be_approved ? !request.signatures.empty() : request.stored == "open") return one.id;
    }
    return chance_.one_of(asked_).id;
}

// Something that is paused, if that is found at once.
std::optional<std::string> Ideas::a_paused_target(Command& command) {
    const auto is_paused = [&](const auto& one) { return one.stored == "paused" && chance_.one_in(2); };
    for (const auto& [name, condition] : model_.workspaces)
        if (is_paused(condition)) {
            command.target = Command::Target::Workspace;
            return command.workspace = name;
        }
    for (const auto& [place, one] : model_.environments)
        if (is_paused(one.condition)) {
            command.target = Command::Target::Environment;
            command.workspace = place.first;
            return place.second;
        }
    for (const auto& [place, one] : model_.identities)
        if (is_paused(one.condition) && chance_.one_in(2)) {
            command.workspace = place.first;
            return place.second;
        }
    for (const auto& [id, one] : model_.credentials)
        if (is_paused(one) && chance_.one_in(2)) {
            command.workspace = one.workspace;
            return id;
        }
    return std::nullopt;
}

std::string Ideas::a_target(Command& command) {
    using Target = Command::Target;
    const std::string where = command.workspace.empty() ? "default" : command.workspace;
    if (command.kind == Command::Kind::Resume && !chance_.one_in(4))
        if (auto found = a_paused_target(command)) return *found;
    switch (chance_.below(command.kind == Command::Kind::Pause ? 40 : 12)) {
        case 0:
            command.target = Target::Environment;
            return an_environment(where);
        case 1:
            command.target = Target::Workspace;
            if (command.workspace.empty()) command.workspace = "default";
            return command.workspace;
        case 2:
            if (held_.empty()) return "nobody";
            command.target = Target::Token;
            return chance_.one_of(held_).credential;
        case 3:
        case 4:
        case 5:
        case 12:
        case 13:
        case 14:
        case 15:
        case 16:
            return a_credential(where);
        default:
            return an_identity(where);
    }
}

void Ideas::fill_state(Command& c, Time now) {
    if (c.kind == Command::Kind::Revoke && chance_.one_in(12)) {
        c.target = Command::Target::Filter;
        constexpr std::array states{"active", "paused",   "revoked", "pending",
                                    "lapsed", "retiring", "retired", "expired"};
        if (chance_.one_in(3)) c.filter["env"] = an_environment(c.workspace);
        if (!chance_.one_in(3)) c.filter["state"] = chance_.one_of(states);
        if (chance_.one_in(3)) c.filter["kind"] = "ci";
        if (c.filter.empty() || chance_.one_in(4)) c.filter["label.team"] = chance_.one_of(labels);
        if (!chance_.one_in(4)) {
            c.confirm = Command::Confirm::Count;
            c.count = chance_.below(4);
        }
        return;
    }
    c.name = a_target(c);
    // What ends all is rare, or nothing would be left to do.
    if (c.kind == Command::Kind::Revoke &&
        (c.target == Command::Target::Environment || c.target == Command::Target::Workspace)) {
        c.target = Command::Target::NameOrId;
        c.name = a_credential(c.workspace);
    }
    if (c.kind == Command::Kind::Pause && !chance_.one_in(3))
        c.until = chance_.one_in(8) ? End{End::Kind::At, now - hour + static_cast<Time>(chance_.below(5)) * hour}
                                    : End{End::Kind::After, (1 + static_cast<Time>(chance_.below(48))) * hour};
    if (c.kind != Command::Kind::Resume && c.reason.empty()) c.reason = "so it is";
}

void Ideas::fill_operators(Command& c) {
    c.name = c.kind == Command::Kind::OperatorAdd && !chance_.one_in(6) ? "o" + std::to_string(++operators_made_)
                                                                        : an_operator();
    c.new_uid = first_uid + static_cast<std::uint32_t>(chance_.below(12));
    const auto a_grant = [&] {
        return std::pair<std::string, std::string>(chance_.one_in(3) ? "" : a_workspace(),
                                                   chance_.one_in(2) ? "view" : "manage");
    };
    c.grants = {a_grant()};
    if (c.kind == Command::Kind::OperatorAdd) {
        if (chance_.one_in(4)) c.grants.insert(a_grant());
        if (chance_.one_in(10)) c.grants.clear();
    } else if (c.kind == Command::Kind::Withdraw && !chance_.one_in(4)) {
        if (const auto found = model_.operators.find(c.name);
            found != model_.operators.end() && !found->second.grants.empty())
            c.grants = {*found->second.grants.begin()};
    }
}

void Ideas::fill_owners(Command& c) {
    c.name = a_key();
    if (chance_.one_in(2)) c.holder = an_operator();
    if (chance_.one_in(2)) c.quorum = 1 + static_cast<std::uint32_t>(chance_.below(3));
    if (!c.quorum || chance_.one_in(4)) c.sole_owner = chance_.one_in(2);
}

void Ideas::fill(Command& c, Time now) {
    using enum Command::Kind;
    const std::string where = c.workspace.empty() ? "default" : c.workspace;
    switch (c.kind) {
        case Create: {
            const std::size_t count = chance_.one_in(8) ? 2 + chance_.below(3) : 1;
            for (std::size_t i = 0; i < count; ++i) c.identities.push_back(a_new_identity(where, now));
            if (count > 1) {
                for (NewIdentity& one : c.identities)
                    if (!chance_.one_in(4)) one.environment = c.identities.front().environment;
                if (!chance_.one_in(6)) c.confirm = Command::Confirm::Count;
                c.count = chance_.one_in(8) ? 7 : count;
            }
            break;
        }
        case Issue:
            c.name = an_identity(where);
            if (chance_.one_in(2)) {
                c.scopes = some_scopes();
                const auto found = model_.identities.find({where, c.name});
                if (found != model_.identities.end() && !chance_.one_in(4)) c.scopes = {*found->second.scopes.begin()};
            }
            c.expires = an_end(now);
            break;
        case Rotate:
            c.name = chance_.one_in(2) ? a_credential(where) : an_identity(where);
            c.mode = chance_.one_in(3) ? "compromised" : chance_.one_in(2) ? "until-used" : "overlap";
            if (chance_.one_in(3)) c.overlap = (1 + static_cast<Time>(chance_.below(7200))) * second;
            if (chance_.one_in(2)) c.expires = an_end(now);
            break;
        case Activate:
            if (held_.empty()) break;
            // What was cut off lately, if anything was.
            c.name = held_[held_.size() - 1 - chance_.below(std::min<std::size_t>(held_.size(), 3))].credential;
            for (const Held& one : held_)
                if (model_.credentials.at(one.credential).stored == "pending" && !chance_.one_in(4))
                    c.name = one.credential;
            if (chance_.one_in(4)) c.name = chance_.one_of(held_).credential;
            break;
        case Pause:
        case Resume:
        case Revoke:
            fill_state(c, now);
            break;
        case WorkspaceAdd:
            c.name = chance_.one_in(4) ? a_workspace() : "w" + std::to_string(++places_made_);
            break;
        case WorkspaceRemove:
            c.name = a_workspace();
            break;
        case EnvironmentAdd:
            c.name = chance_.one_in(4) ? an_environment(where) : "e" + std::to_string(++places_made_);
            c.is_protected = chance_.one_in(3);
            if (chance_.one_in(2)) c.max_lifetime = (1 + static_cast<Time>(chance_.below(60))) * day;
            break;
        case EnvironmentRemove:
        case Protect:
        case Unprotect:
            c.name = an_environment(where);
            break;
        case OperatorAdd:
        case OperatorRemove:
        case Grant:
        case Withdraw:
            fill_operators(c);
            break;
        case OwnerAdd:
        case OwnerRemove:
        case Policy:
            fill_owners(c);
            break;
        case Sign:
            c.name = c.signed_request = a_request(false);
            c.signer = chance_.one_in(12) ? "SHA256:nobody" : a_key();
            if (chance_.one_in(12)) c.signed_request = a_request(false);
            break;
        case Deny:
        case WithdrawRequest:
            c.name = a_request(false);
            if (c.kind == Deny && c.reason.empty()) c.reason = "no";
            if (c.kind == WithdrawRequest && model_.requests.contains(c.name) && !chance_.one_in(4))
                c.uid = model_.operators.at(model_.requests.at(c.name).requester).uid;
            break;
    }
}

Command Ideas::next(Time now) {
    using enum Command::Kind;
    static constexpr std::array kinds = [] {
        struct Often {
            Command::Kind kind;
            int times;
        };
        constexpr std::array often{Often{Create, 16},
                                   Often{Issue, 8},
                                   Often{Rotate, 12},
                                   Often{Activate, 5},
                                   Often{Pause, 9},
                                   Often{Resume, 12},
                                   Often{Revoke, 6},
                                   Often{WorkspaceAdd, 1},
                                   Often{WorkspaceRemove, 1},
                                   Often{EnvironmentAdd, 2},
                                   Often{EnvironmentRemove, 2},
                                   Often{Protect, 2},
                                   Often{Unprotect, 2},
                                   Often{OperatorAdd, 3},
                                   Often{OperatorRemove, 1},
                                   Often{Grant, 3},
                                   Often{Withdraw, 2},
                                   Often{OwnerAdd, 2},
                                   Often{OwnerRemove, 1},
                                   Often{Policy, 2},
                                   Often{Sign, 16},
                                   Often{Deny, 1},
                                   Often{WithdrawRequest, 1}};
        std::array<Command::Kind, 110> all{};
        std::size_t at = 0;
        for (const Often& one : often)
            for (int i = 0; i < one.times; ++i) all[at++] = one.kind;
        return all;
    }();
    // Again what was shown or asked for: with the digest, with the approval; now and then a little otherwise.
    if (!shown_.empty() && chance_.one_in(16)) {
        Command again = chance_.one_of(shown_);
        if (chance_.one_in(8)) again.reason += "!";
        return again;
    }
    if (!asked_.empty() && chance_.one_in(7)) {
        const std::string id = a_request(true);
        for (const Asked& one : asked_)
            if (one.id == id) {
                Command again = one.command;
                again.approval = id;
                again.confirm = again.count > 0 ? Command::Confirm::Count : Command::Confirm::Yes;
                if (chance_.one_in(10)) again.reason += "!";
                if (chance_.one_in(10)) again.uid = a_uid();
                if (chance_.one_in(20)) again.approval = a_request(true);
                if (chance_.one_in(20)) again.approval.clear();
                return again;
            }
    }
    Command command;
    command.kind = chance_.one_of(kinds);
    command.uid = a_uid();
    if (!chance_.one_in(8)) command.workspace = a_workspace();
    if (chance_.one_in(4)) command.reason = "some reason";
    if (chance_.one_in(60) && command.kind != Sign && command.kind != Deny && command.kind != WithdrawRequest)
        command.approval = a_request(true);
    fill(command, now);
    if (chance_.one_in(12)) command.confirm = Command::Confirm::None;
    if (chance_.one_in(20)) command.confirm = Command::Confirm::DryRun;
    return command;
}

Command Ideas::against(const Command& other) {
    Command command;
    command.kind = Command::Kind::Withdraw;
    command.uid = a_uid();
    command.grants = {{"", "manage"}};
    for (const auto& [name, one] : model_.operators)
        if (one.uid == other.uid && !one.is_removed && !one.grants.empty()) {
            command.name = name;
            command.grants = {any_of(chance_, one.grants)};
        }
    if (command.name.empty()) command.name = an_operator();
    return command;
}

void Ideas::remember(const Command& command, const std::string& digest, const std::string& plan) {
    if (shown_.size() >= 4) shown_.erase(shown_.begin());
    shown_.push_back(command);
    shown_.back().confirm = Command::Confirm::Digest;
    shown_.back().digest = digest;
    shown_.back().plan = plan;
}

}  // namespace marque::reference
