#include "audit/event.h"

#include "base/check.h"
#include "base/overloaded.h"
#include "domain/span_of_time.h"

namespace marque::audit {
namespace {

using namespace domain;

JsonArray to_json(const ScopeSet& scopes) {
    JsonArray array;
    for (const Scope& scope : scopes.scopes()) array.emplace_back(scope.text());
    return array;
}

JsonObject to_json(const Labels& labels) {
    JsonObject object;
    for (const auto& [key, value] : labels) object[key] = value;
    return object;
}

void add_time(JsonObject& object, const char* key, const std::optional<Instant>& time) {
    if (time) object[key] = to_rfc3339(*time);
}

JsonObject to_json(const Workspace& workspace) {
    return {{"state", name_of(workspace.condition.stored)}};
}

JsonObject to_json(const Environment& environment) {
    JsonObject object{{"state", name_of(environment.condition.stored)},
                      {"protected", environment.protection == Protection::Protected}};
    if (environment.max_lifetime) object["max_lifetime"] = to_text(*environment.max_lifetime);
    return object;
}

JsonObject to_json(const Credential& credential) {
    JsonObject object{{"state", name_of(credential.stored)}, {"scopes", to_json(credential.scopes)}};
    add_time(object, "expires_at", credential.expires_at);
    if (const auto& succession = credential.succession) {
        object["replaces"] = succession->replaces.text();
        object["old_credential"] = name_of(succession->old_credential);
        if (succession->overlap > Duration(0)) object["overlap"] = to_text(succession->overlap);
    }
    return object;
}

JsonObject to_json(const Operator& operator_) {
    JsonArray grants;
    for (const Grant& grant : operator_.grants) grants.emplace_back(audit::to_json(grant));
    return {{"uid", operator_.uid}, {"grants", std::move(grants)}};
}

JsonObject to_json(const Approval& approval) {
    return {{"state", name_of(approval.stored)},
            {"action", approval.action},
            {"about", audit::to_json(approval.about)},
            {"requester", approval.requester.text()},
            {"not_after", to_rfc3339(approval.not_after)},
            {"plan", approval.plan},
            {"request", approval.text}};
}

JsonObject before_after(JsonObject before, JsonObject after) {
    return {{"before", std::move(before)}, {"after", std::move(after)}};
}

JsonObject only_after(JsonObject after) {
    return {{"after", std::move(after)}};
}

JsonObject state(std::string_view name) {
    return {{"state", name}};
}

JsonObject decided(std::string_view name, const std::string& plan) {
    JsonObject after = state(name);
    after["plan"] = plan;
    return before_after(state("open"), std::move(after));
}

CredentialRef ref(const Credential& c) {
    return {c.workspace, c.identity, c.id};
}

}  // namespace

JsonObject to_json(const Identity& identity) {
    JsonObject object{{"state", name_of(identity.condition.stored)},
                      {"environment", identity.environment.text()},
                      {"kind", name_of(identity.kind)},
                      {"scopes", to_json(identity.scopes)}};
    if (!identity.contact.empty()) object["contact"] = identity.contact;
    if (!identity.description.empty()) object["description"] = identity.description;
    if (!identity.labels.empty()) object["labels"] = to_json(identity.labels);
    return object;
}

bool is_free_text(std::string_view key) {
    return key == "contact" || key == "description" || key == "comment" || key.starts_with("label.");
}

JsonObject to_json(const Grant& grant) {
    return {{"workspace", grant.workspace ? grant.workspace->text() : "*"}, {"permission", name_of(grant.permission)}};
}

JsonObject to_json(const Owner& owner) {
    JsonObject object{{"public_key", owner.public_key}};
    if (!owner.comment.empty()) object["comment"] = owner.comment;
    if (owner.operator_name) object["operator"] = owner.operator_name->text();
    return object;
}

JsonObject to_json(const StorePlace& place) {
    return {{"backend", place.backend}, {"location", place.location}};
}

JsonObject to_json(const ApprovalPolicy& policy) {
    return {{"quorum", policy.quorum}, {"sole_owner", policy.has_sole_owner}};
}

std::string action_of(const Event& event) {
    const auto of = [](const Subject& subject, const char* verb) { return std::string(kind_of(subject)) + "." + verb; };
    return std::visit(
        Overloaded{
            [](const InstallationCreated&) -> std::string { return "installation.create"; },
            [](const WorkspaceAdded&) -> std::string { return "workspace.add"; },
            [](const EnvironmentAdded&) -> std::string { return "environment.add"; },
            [](const IdentityCreated&) -> std::string { return "identity.create"; },
            [](const CredentialIssued&) -> std::string { return "credential.issue"; },
            [](const CredentialActivated&) -> std::string { return "credential.activate"; },
            [](const CredentialRetiring&) -> std::string { return "credential.retire"; },
            [](const CredentialUndelivered&) -> std::string { return "credential.deliver"; },
            [&](const Paused& e) { return of(e.subject, "pause"); },
            [&](const Resumed& e) { return of(e.subject, "resume"); },
            [&](const Revoked& e) { return of(e.subject, "revoke"); },
            [](const OperatorAdded&) -> std::string { return "operator.add"; },
            [](const OperatorRemoved&) -> std::string { return "operator.remove"; },
            [](const OperatorReassigned&) -> std::string { return operator_reassignment; },
            [](const PermissionGranted&) -> std::string { return "operator.grant"; },
            [](const PermissionWithdrawn&) -> std::string { return "operator.withdraw"; },
            [](const OwnerAdded&) -> std::string { return "owner.add"; },
            [](const OwnerRemoved&) -> std::string { return "owner.remove"; },
            [](const ApprovalPolicyChanged&) -> std::string { return "owner.policy"; },
            [](const ProtectionChanged& e) -> std::string {
                return e.after == Protection::Protected ? "environment.protect" : "environment.unprotect";
            },
            [](const ApprovalRequested&) -> std::string { return "approval.request"; },
            [](const ApprovalSigned&) -> std::string { return "approval.sign"; },
            [](const ApprovalDenied&) -> std::string { return "approval.deny"; },
            [](const ApprovalWithdrawn&) -> std::string { return "approval.withdraw"; },
            [](const ApprovalRedeemed&) -> std::string { return "approval.redeem"; },
            [](const CredentialRefused&) -> std::string { return "credential.refuse"; },
            [](const StoreMigrated& e) -> std::string { return e.to > e.from ? "store.migrate" : "store.rollback"; },
            [](const StoreBackedUp&) -> std::string { return "store.backup"; },
            [](const KeyRotated&) -> std::string { return "store.rotate_key"; },
            [](const StoreCopied&) -> std::string { return "store.copy"; },
            [](const LogAccepted&) -> std::string { return log_acceptance; },
            [](const VerifierRemoved&) -> std::string { return verifier_removal; },
            [](const Refused& e) { return e.action; },
        },
        event);
}

Subject subject_of(const Event& event) {
    return std::visit(
        Overloaded{
            [](const InstallationCreated&) -> Subject { return InstallationRef{}; },
            [](const WorkspaceAdded& e) -> Subject { return WorkspaceRef{e.workspace.name}; },
            [](const EnvironmentAdded& e) -> Subject {
                return EnvironmentRef{e.environment.workspace, e.environment.name};
            },
            [](const IdentityCreated& e) -> Subject { return IdentityRef{e.identity.workspace, e.identity.name}; },
            [](const CredentialIssued& e) -> Subject { return ref(e.credential); },
            [](const CredentialActivated& e) -> Subject { return e.credential; },
            [](const CredentialRetiring& e) -> Subject { return e.credential; },
            [](const CredentialUndelivered& e) -> Subject { return e.credential; },
            [](const Paused& e) { return e.subject; },
            [](const Resumed& e) { return e.subject; },
            [](const Revoked& e) { return e.subject; },
            [](const OperatorAdded& e) -> Subject { return OperatorRef{e.operator_.name}; },
            [](const OperatorRemoved& e) -> Subject { return OperatorRef{e.name}; },
            [](const OperatorReassigned& e) -> Subject { return OperatorRef{e.name}; },
            [](const PermissionGranted& e) -> Subject { return OperatorRef{e.name}; },
            [](const PermissionWithdrawn& e) -> Subject { return OperatorRef{e.name}; },
            [](const OwnerAdded& e) -> Subject { return OwnerRef{e.owner.fingerprint}; },
            [](const OwnerRemoved& e) -> Subject { return OwnerRef{e.owner.fingerprint}; },
            [](const ApprovalPolicyChanged&) -> Subject { return InstallationRef{}; },
            [](const ProtectionChanged& e) -> Subject { return e.environment; },
            [](const ApprovalRequested& e) -> Subject { return ApprovalRef{e.approval.id}; },
            [](const ApprovalSigned& e) -> Subject { return ApprovalRef{e.id}; },
            [](const ApprovalDenied& e) -> Subject { return ApprovalRef{e.id}; },
            [](const ApprovalWithdrawn& e) -> Subject { return ApprovalRef{e.id}; },
            [](const ApprovalRedeemed& e) -> Subject { return ApprovalRef{e.id}; },
            [](const CredentialRefused& e) -> Subject { return e.credential; },
            [](const StoreMigrated&) -> Subject { return StoreRef{}; },
            [](const StoreBackedUp&) -> Subject { return StoreRef{}; },
            [](const KeyRotated&) -> Subject { return StoreRef{}; },
            [](const StoreCopied&) -> Subject { return StoreRef{}; },
            [](const LogAccepted&) -> Subject { return StoreRef{}; },
            [](const VerifierRemoved&) -> Subject { return StoreRef{}; },
            [](const Refused& e) { return e.subject; },
        },
        event);
}

Outcome outcome_of(const Event& event) {
    if (std::holds_alternative<Refused>(event) || std::holds_alternative<CredentialRefused>(event))
        return Outcome::Refused;
    if (std::holds_alternative<CredentialUndelivered>(event)) return Outcome::Failed;
    return Outcome::Done;
}

JsonObject change_of(const Event& event) {
    return std::visit(
        Overloaded{
            [](const InstallationCreated& e) {
                JsonObject after = to_json(e.installation.policy);
                after["id"] = e.installation.id;
                return only_after(std::move(after));
            },
            [](const WorkspaceAdded& e) { return only_after(to_json(e.workspace)); },
            [](const EnvironmentAdded& e) { return only_after(to_json(e.environment)); },
            [](const IdentityCreated& e) { return only_after(to_json(e.identity)); },
            [](const CredentialIssued& e) { return only_after(to_json(e.credential)); },
            [](const CredentialActivated&) { return before_after(state("pending"), state("active")); },
            [](const CredentialRetiring& e) {
                JsonObject after = state("retiring");
                after["retire_at"] = to_rfc3339(e.at);
                after["successor"] = e.successor.text();
                return only_after(std::move(after));
            },
            [](const CredentialUndelivered& e) {
                JsonObject change = before_after(state("pending"), state("revoked"));
                change["why"] = e.why;
                return change;
            },
            [](const Paused& e) {
                JsonObject after = state("paused");
                add_time(after, "paused_until", e.until);
                return before_after(state(e.before), std::move(after));
            },
            [](const Resumed& e) { return before_after(state(e.before), state("active")); },
            [](const Revoked& e) { return before_after(state(e.before), state("revoked")); },
            [](const OperatorAdded& e) { return only_after(to_json(e.operator_)); },
            [](const OperatorRemoved&) { return only_after(state("removed")); },
            [](const OperatorReassigned& e) { return before_after({{"uid", e.before}}, {{"uid", e.after}}); },
            [](const PermissionGranted& e) { return only_after(to_json(e.grant)); },
            [](const PermissionWithdrawn& e) { return JsonObject{{"before", to_json(e.grant)}}; },
            [](const OwnerAdded& e) { return only_after(to_json(e.owner)); },
            [](const OwnerRemoved& e) { return before_after(to_json(e.owner), state("removed")); },
            [](const ApprovalPolicyChanged& e) { return before_after(to_json(e.before), to_json(e.after)); },
            [](const ProtectionChanged& e) {
                const bool is_protected = e.after == Protection::Protected;
                return before_after({{"protected", !is_protected}}, {{"protected", is_protected}});
            },
            [](const ApprovalRequested& e) { return only_after(to_json(e.approval)); },
            [](const ApprovalSigned& e) {
                JsonObject after = to_json(e.owner);
                after["fingerprint"] = e.owner.fingerprint;
                after["signature"] = e.signature.text;
                after["plan"] = e.plan;
                return only_after(std::move(after));
            },
            [](const ApprovalDenied& e) { return decided("denied", e.plan); },
            [](const ApprovalWithdrawn& e) { return decided("withdrawn", e.plan); },
            [](const ApprovalRedeemed& e) { return decided("redeemed", e.plan); },
            [](const CredentialRefused& e) {
                return JsonObject{{"error", e.reason},
                                  {"count", e.count},
                                  {"last_at", to_rfc3339(e.last_at)},
                                  {"last_from", e.last_from}};
            },
            [](const StoreMigrated& e) { return before_after({{"schema", e.from}}, {{"schema", e.to}}); },
            [](const StoreBackedUp& e) { return only_after({{"path", e.path}}); },
            [](const KeyRotated& e) {
                return before_after({{"checkpoint_key", e.before}}, {{"checkpoint_key", e.after}});
            },
            [](const StoreCopied& e) { return before_after(to_json(e.from), to_json(e.to)); },
            [](const VerifierRemoved& e) {
                return JsonObject{{"before", JsonObject{{"id", e.id}, {"verifier", e.name}, {"mode", e.mode}}}};
            },
            [](const LogAccepted& e) {
                return JsonObject{{"before", JsonObject{{"known_size", e.known_size}, {"known_entry", e.known_entry}}}};
            },
            [](const Refused& e) { return JsonObject{{"error", name_of(e.error.code)}, {"message", e.error.message}}; },
        },
        event);
}

JsonObject to_json(const Subject& subject) {
    JsonObject object = std::visit(
        Overloaded{
            [](const InstallationRef&) -> JsonObject { return {}; },
            [](const StoreRef&) -> JsonObject { return {}; },
            [](const WorkspaceRef& r) -> JsonObject { return {{"name", r.name.text()}}; },
            [](const EnvironmentRef& r) -> JsonObject {
                return {{"workspace", r.workspace.text()}, {"name", r.name.text()}};
            },
            [](const IdentityRef& r) -> JsonObject {
                return {{"workspace", r.workspace.text()}, {"name", r.name.text()}};
            },
            [](const CredentialRef& r) -> JsonObject {
                return {{"workspace", r.workspace.text()}, {"identity", r.identity.text()}, {"id", r.id.text()}};
            },
            [](const OperatorRef& r) -> JsonObject { return {{"name", r.name.text()}}; },
            [](const OwnerRef& r) -> JsonObject { return {{"fingerprint", r.fingerprint}}; },
            [](const ApprovalRef& r) -> JsonObject { return {{"id", r.id.text()}}; },
        },
        subject);
    object["kind"] = kind_of(subject);
    return object;
}

Result<Subject> subject_from(const JsonObject& object) {
    const auto text = [&](const char* key) -> std::string_view {
        const auto* value = object.if_contains(key);
        const auto* string = value == nullptr ? nullptr : value->if_string();
        return string == nullptr ? std::string_view() : std::string_view(*string);
    };
    const auto parse = [&]() -> Result<Subject> {
        const std::string_view kind = text("kind");
        if (kind == "installation") return InstallationRef{};
        if (kind == "store") return StoreRef{};
        if (kind == "owner") return OwnerRef{std::string(text("fingerprint"))};
        if (kind == "approval") {
            const auto id = TRY(ApprovalId::parse(text("id")));
            return ApprovalRef{id};
        }
        if (kind == "operator") {
            auto name = TRY(OperatorName::parse(text("name")));
            return OperatorRef{std::move(name)};
        }
        auto workspace = TRY(WorkspaceName::parse(text(kind == "workspace" ? "name" : "workspace")));
        if (kind == "workspace") return WorkspaceRef{std::move(workspace)};
        if (kind == "environment") {
            auto name = TRY(EnvironmentName::parse(text("name")));
            return EnvironmentRef{std::move(workspace), std::move(name)};
        }
        if (kind == "identity") {
            auto name = TRY(IdentityName::parse(text("name")));
            return IdentityRef{std::move(workspace), std::move(name)};
        }
        auto identity = TRY(IdentityName::parse(text("identity")));
        const auto id = TRY(CredentialId::parse(text("id")));
        if (kind == "credential") return CredentialRef{std::move(workspace), std::move(identity), id};
        return Error(Code::Corrupt, "an audit entry is about a thing of an unknown kind");
    };
    auto subject = parse();
    if (!subject) return Error(Code::Corrupt, "an audit entry's target makes no sense: " + subject.error().message);
    return subject;
}

const char* name_of(Outcome outcome) {
    switch (outcome) {
        case Outcome::Done:
            return "done";
        case Outcome::Refused:
            return "refused";
        case Outcome::Failed:
            return "failed";
    }
    CHECK_UNREACHABLE();
}

}  // namespace marque::audit
