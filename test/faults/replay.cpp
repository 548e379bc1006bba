#include "test/faults/replay.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/text.h"

namespace marque::faults {
namespace {

using namespace domain;

constexpr std::size_t all = 1'000'000;

// What is compared of a row: every column that the log tells of, as text.
using Row = std::map<std::string, std::string>;
using Rows = std::map<Subject, Row>;

std::string text_of(const audit::Json& value) {
    if (const auto* string = value.if_string()) return std::string(*string);
    if (value.is_array()) {
        std::string text;
        for (const auto& one : value.get_array()) text += (text.empty() ? "" : ",") + text_of(one);
        return text;
    }
    return audit::canonical(value);
}

std::string grant_key(std::string_view workspace, std::string_view permission) {
    return fmt::format("grant {} {}", workspace, permission);
}

class Replay {
 public:
    Rows rows;
    std::vector<std::string> found;

    void play(const audit::Entry& entry) {
        if (entry.outcome == "refused") return;
        entry_ = &entry;
        const std::string kind = entry.action.substr(0, entry.action.find('.'));
        const std::string verb = entry.action.substr(kind.size() + 1);
        if (kind == "store" || kind == "verifier") return;
        if (entry.outcome != "done" && entry.action != "credential.deliver")
            return differs("an outcome of " + entry.outcome);
        if (verb == "create" || verb == "add" || verb == "issue" || verb == "request") return add(kind);
        if (verb == "policy") return policy();
        if (verb == "activate") return move({"pending"}, "active");
        if (verb == "deliver") return move({"pending"}, "revoked");
        if (verb == "retire") {
            move({"active", "paused", "retiring"}, "retiring");
            rows[entry.subject]["retire_at"] = after("retire_at");
            return;
        }
        if (verb == "pause") {
            move({"active", "paused"}, "paused");
            rows[entry.subject]["paused_until"] = after("paused_until");
            return;
        }
        if (verb == "resume") return move({"paused"}, "active");
        if (verb == "revoke") return move({"pending", "active", "paused", "retiring"}, "revoked");
        if (verb == "protect" || verb == "unprotect") return column("protected", after("protected"));
        if (kind == "approval") return approval(verb);
        if (verb == "grant") return column(grant_key(after("workspace"), after("permission")), "held");
        if (verb == "withdraw") return withdraw();
        if (verb == "remove") return remove(kind);
        differs("a step that this replay does not know");
    }

 private:
    void differs(const std::string& what) {
        found.push_back(fmt::format("entry {}, {} of {}: {}", entry_->seq, entry_->action, entry_->target, what));
    }
    std::string at(const char* side, const char* key) const {
        const auto* change = entry_->body.if_contains("change");
        const auto* object = change == nullptr ? nullptr : change->get_object().if_contains(side);
        const auto* value = object == nullptr ? nullptr : object->get_object().if_contains(key);
        return value == nullptr ? std::string() : text_of(*value);
    }
    std::string after(const char* key) const { return at("after", key); }

    void add(const std::string& kind) {
        Row row;
        if (kind == "installation") row = {{"quorum", after("quorum")}, {"sole_owner", after("sole_owner")}};
        if (kind == "operator") {
            row = {{"state", "present"}, {"uid", after("uid")}};
            for (const auto& one : entry_->body.at("change").at("after").at("grants").get_array())
                row[grant_key(text_of(one.at("workspace")), text_of(one.at("permission")))] = "held";
        }
        if (kind == "owner") row = {{"public_key", after("public_key")}, {"operator", after("operator")}};
        if (kind == "approval") row = {{"plan", after("plan")}, {"text", after("request")}, {"signatures", ""}};
        if (kind == "environment") row = {{"protected", after("protected")}};
        if (kind == "identity") row = {{"environment", after("environment")}, {"scopes", after("scopes")}};
        if (kind == "credential")
            row = {{"scopes", after("scopes")}, {"expires_at", after("expires_at")}, {"replaces", after("replaces")}};
        const bool can_be_paused =
            kind == "workspace" || kind == "environment" || kind == "identity" || kind == "credential";
        if (can_be_paused || kind == "approval") {
            row["state"] = after("state");
            row["revision"] = std::to_string(entry_->seq);
        }
        if (can_be_paused) row["paused_until"] = "";
        if (kind == "credential") row["retire_at"] = "";
        if (!rows.emplace(entry_->subject, std::move(row)).second) differs("it was there");
    }
    Row* row() {
        const auto it = rows.find(entry_->subject);
        if (it != rows.end()) return &it->second;
        differs("it is not there");
        return nullptr;
    }
    void move(const std::set<std::string>& from, const char* to) {
        Row* const row = this->row();
        if (row == nullptr) return;
        if (!from.contains((*row)["state"])) differs("it was " + (*row)["state"]);
        (*row)["state"] = to;
        (*row)["paused_until"] = "";
        (*row)["revision"] = std::to_string(entry_->seq);
    }
    void column(const std::string& name, const std::string& value) {
        Row* const row = this->row();
        if (row == nullptr) return;
        (*row)[name] = value;
        if (row->contains("revision")) (*row)["revision"] = std::to_string(entry_->seq);
    }
    void policy() { rows[InstallationRef{}] = {{"quorum", after("quorum")}, {"sole_owner", after("sole_owner")}}; }
    void approval(const std::string& verb) {
        Row* const row = this->row();
        if (row == nullptr) return;
        if ((*row)["state"] != "open") differs("it was " + (*row)["state"]);
        if (verb == "sign")
            (*row)["signatures"] += after("fingerprint") + " " + after("signature") + "\n";
        else
            (*row)["state"] = after("state");
        (*row)["revision"] = std::to_string(entry_->seq);
    }
    void withdraw() {
        Row* const row = this->row();
        if (row != nullptr && row->erase(grant_key(at("before", "workspace"), at("before", "permission"))) == 0)
            differs("it was not held");
    }
    void remove(const std::string& kind) {
        Row* const row = this->row();
        if (row == nullptr) return;
        if (kind == "owner")
            rows.erase(entry_->subject);
        else
            (*row)["state"] = "removed";
    }

    const audit::Entry* entry_ = nullptr;
};

std::string time_of(const std::optional<Instant>& time) {
    return time ? to_rfc3339(*time) : "";
}

Row standing_row(const Condition& condition, Revision revision) {
    return {{"state", name_of(condition.stored)},
            {"paused_until", time_of(condition.paused_until)},
            {"revision", std::to_string(revision)}};
}

Row row_of(const Credential& credential) {
    return {{"state", name_of(credential.stored)},
            {"scopes", credential.scopes.text()},
            {"expires_at", time_of(credential.expires_at)},
            {"paused_until", time_of(credential.paused_until)},
            {"retire_at", time_of(credential.retire_at)},
            {"replaces", credential.succession ? credential.succession->replaces.string() : ""},
            {"revision", std::to_string(credential.revision)}};
}

Result<void> add_workspace(const store::Reader& reader, const Workspace& workspace, Rows& rows) {
    rows[WorkspaceRef{workspace.name}] = standing_row(workspace.condition, workspace.revision);
    for (const Environment& environment : TRY(reader.environments(workspace.name, store::Listing::Complete))) {
        Row row = standing_row(environment.condition, environment.revision);
        row["protected"] = environment.protection == Protection::Protected ? "true" : "false";
        rows[EnvironmentRef{environment.workspace, environment.name}] = std::move(row);
    }
    for (const Identity& identity :
         TRY(reader.identities(workspace.name, std::nullopt, all, store::Listing::Complete))) {
        Row row = standing_row(identity.condition, identity.revision);
        row["environment"] = identity.environment.text();
        row["scopes"] = identity.scopes.text();
        rows[IdentityRef{identity.workspace, identity.name}] = std::move(row);
        for (const Credential& credential :
             TRY(reader.credentials(workspace.name, identity.name, store::Listing::Complete)))
            rows[CredentialRef{credential.workspace, credential.identity, credential.id}] = row_of(credential);
    }
    return {};
}

Result<Rows> stored_rows(const store::Reader& reader) {
    Rows rows;
    if (const auto installation = TRY(reader.installation()))
        rows[InstallationRef{}] = {{"quorum", std::to_string(installation->policy.quorum)},
                                   {"sole_owner", installation->policy.has_sole_owner ? "true" : "false"}};
    for (const Workspace& workspace : TRY(reader.workspaces(store::Listing::Complete)))
        TRY(add_workspace(reader, workspace, rows));
    for (const Operator& one : TRY(reader.operators())) {
        Row row{{"state", one.is_removed ? "removed" : "present"}, {"uid", std::to_string(one.uid)}};
        for (const Grant& grant : one.grants)
            row[grant_key(grant.workspace ? grant.workspace->text() : "*", name_of(grant.permission))] = "held";
        rows[OperatorRef{one.name}] = std::move(row);
    }
    for (const Owner& owner : TRY(reader.owners()))
        rows[OwnerRef{owner.fingerprint}] = {{"public_key", owner.public_key},
                                             {"operator", owner.operator_name ? owner.operator_name->text() : ""}};
    for (const Approval& approval : TRY(reader.approvals(std::nullopt, all, store::Listing::Complete))) {
        std::string signatures;
        for (const OwnerSignature& one : approval.signatures) signatures += one.fingerprint + " " + one.text + "\n";
        rows[ApprovalRef{approval.id}] = {{"state", name_of(approval.stored)},
                                          {"plan", approval.plan},
                                          {"text", approval.text},
                                          {"signatures", signatures},
                                          {"revision", std::to_string(approval.revision)}};
    }
    return rows;
}

}  // namespace

Result<std::vector<std::string>> differences(const store::Reader& reader) {
    Replay replay;
    for (const store::StoredEntry& entry : TRY(reader.entries(0, all))) {
        const auto decoded = TRY(audit::decode(entry.bytes));
        replay.play(decoded);
    }
    const Rows stored = TRY(stored_rows(reader));
    std::vector<std::string> found = std::move(replay.found);
    for (const auto& [subject, row] : replay.rows)
        if (!stored.contains(subject)) found.push_back(describe(subject) + " is in the log and not in the rows");
    for (const auto& [subject, row] : stored) {
        const auto told = replay.rows.find(subject);
        if (told == replay.rows.end()) {
            found.push_back(describe(subject) + " is in the rows and not in the log");
            continue;
        }
        for (const auto& [column, value] : told->second)
            if (const auto it = row.find(column); it == row.end() || it->second != value)
                found.push_back(fmt::format("{}: {} is {}, and by the log {}", describe(subject), column,
                                            it == row.end() ? "not there" : quote(it->second, 100), quote(value, 100)));
        for (const auto& [column, value] : row)
            if (!told->second.contains(column))
                found.push_back(fmt::format("{}: {} is there, and not in the log", describe(subject), column));
    }
    return found;
}

}  // namespace marque::faults
