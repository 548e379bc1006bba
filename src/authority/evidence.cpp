#include "authority/evidence.h"

#include <fmt/format.h>

#include <algorithm>

#include "authority/approval_text.h"

namespace marque::authority {

using namespace domain;

namespace {

// `a.b.c` of an entry; null when it isn't there.
const audit::Json* at(const audit::JsonObject& object, std::initializer_list<const char*> path) {
    const audit::JsonObject* inside = &object;
    const audit::Json* value = nullptr;
    for (const char* key : path) {
        if (inside == nullptr) return nullptr;
        value = inside->if_contains(key);
        if (value == nullptr) return nullptr;
        inside = value->if_object();
    }
    return value;
}

std::string text_at(const audit::Entry& entry, std::initializer_list<const char*> path) {
    const auto* value = at(entry.body, path);
    const auto* text = value == nullptr ? nullptr : value->if_string();
    return text == nullptr ? std::string() : std::string(*text);
}

std::string scopes_at(const audit::Entry& entry) {
    const auto* value = at(entry.body, {"change", "after", "scopes"});
    const auto* list = value == nullptr ? nullptr : value->if_array();
    std::string text;
    if (list == nullptr) return text;
    for (const audit::Json& scope : *list)
        if (const auto* one = scope.if_string()) text += (text.empty() ? "" : ",") + std::string(*one);
    return text;
}

bool is_true_at(const audit::Entry& entry, std::initializer_list<const char*> path) {
    const auto* value = at(entry.body, path);
    return value != nullptr && value->is_bool() && value->get_bool();
}

}  // namespace

Result<std::optional<std::string>> Evidence::add(const audit::Entry& entry) {
    if (entry.outcome != name_of(audit::Outcome::Done)) return Finding();
    const auto* ref = std::get_if<ApprovalRef>(&entry.subject);
    if (ref == nullptr) {
        Finding finding;
        if (needs_owners(entry)) {
            if (!has_passed(entry))
                finding = fmt::format("{} of {} is for the owners to allow, and no approval was used for it",
                                      entry.action, entry.target);
            else if (!is_what_was_signed(entry))
                finding = fmt::format("{} of {} brought back something else than the owners had signed", entry.action,
                                      entry.target);
        }
        add_owners(entry);
        add_places(entry);
        return finding;
    }
    if (entry.action == "approval.request") return add_request(entry, ref->id);
    const auto found = open_.find(ref->id);
    if (found == open_.end()) return Finding(entry.target + " was not open then");
    if (entry.action == "approval.sign") return add_signature(entry, found->second);
    Finding finding;
    if (entry.action == "approval.redeem") finding = add_use(entry, found->second);
    open_.erase(found);
    return finding;
}

Evidence::Finding Evidence::add_request(const audit::Entry& entry, const ApprovalId& id) {
    const auto requester = OperatorName::parse(text_at(entry, {"change", "after", "requester"}));
    const auto not_after = parse_rfc3339(text_at(entry, {"change", "after", "not_after"}));
    if (!requester || !not_after) return "the request of " + entry.target + " makes no sense";
    const std::string text = text_at(entry, {"change", "after", "request"});
    if (is_of_this_form(text) && digest_in(text) != text_at(entry, {"change", "after", "plan"}))
        return "the request of " + entry.target + " is for another plan than its text says";
    open_.erase(id);
    open_.emplace(id, Approval{id, "", text, text_at(entry, {"change", "after", "plan"}), "", entry.subject,
                               std::nullopt, *requester, entry.at, *not_after});
    return std::nullopt;
}

Result<Evidence::Finding> Evidence::add_signature(const audit::Entry& entry, Approval& approval) {
    const OwnerSignature signature{text_at(entry, {"change", "after", "fingerprint"}),
                                   text_at(entry, {"change", "after", "signature"}), entry.at, entry.seq};
    const auto signer = signatures_.signer(approval.text, signature.text, approvers_.owners);
    if (!signer && signer.error().code != Code::PermissionDenied) return signer.error();
    if (!signer) return Finding(fmt::format("a signature for {} is none: {}", entry.target, signer.error().message));
    if (*signer != signature.fingerprint)
        return Finding(
            fmt::format("the signature for {} is by {}, not by {}", entry.target, *signer, signature.fingerprint));
    ++checked_;
    approval.signatures.push_back(signature);
    return Finding();
}

Evidence::Finding Evidence::add_use(const audit::Entry& entry, const Approval& approval) {
    const ApprovalState state = state_at(approval, approvers_, entry.at);
    used_[approval.id.string()] = {text_at(entry, {"request"}), approval.plan};
    last_used_ = approval.id.string();
    last_text_ = approval.text;
    if (state != ApprovalState::Approved)
        return fmt::format("{} was used while it was {}", entry.target, name_of(state));
    if (entry.actor != approval.requester.text())
        return fmt::format("{} was used by {}, and {} had asked for it", entry.target, entry.actor,
                           approval.requester.text());
    if (text_at(entry, {"plan"}) != approval.plan) return entry.target + " was used for another plan";
    return std::nullopt;
}

void Evidence::add_owners(const audit::Entry& entry) {
    const auto* owner = std::get_if<OwnerRef>(&entry.subject);
    if (owner != nullptr)
        std::erase_if(approvers_.owners, [&](const Owner& other) { return other.fingerprint == owner->fingerprint; });
    if (entry.action == "owner.add" && owner != nullptr) {
        Owner added{owner->fingerprint, text_at(entry, {"change", "after", "public_key"}), "", std::nullopt, entry.seq};
        if (auto name = OperatorName::parse(text_at(entry, {"change", "after", "operator"})))
            added.operator_name = *name;
        approvers_.owners.push_back(std::move(added));
    }
    if (entry.action == "installation.create") init_request_ = text_at(entry, {"request"});
    if (entry.action == "installation.create" || entry.action == "owner.policy") {
        const auto* quorum = at(entry.body, {"change", "after", "quorum"});
        if (quorum != nullptr && quorum->is_int64())
            approvers_.policy.quorum = static_cast<std::uint32_t>(quorum->get_int64());
        approvers_.policy.has_sole_owner = is_true_at(entry, {"change", "after", "sole_owner"});
    }
    const auto* uid = at(entry.body, {"change", "after", "uid"});
    if (const auto* ref = std::get_if<OperatorRef>(&entry.subject); ref != nullptr && uid != nullptr && uid->is_int64())
        approvers_.uids.insert_or_assign(ref->name, static_cast<std::uint32_t>(uid->get_int64()));
}

void Evidence::add_places(const audit::Entry& entry) {
    const auto* environment = std::get_if<EnvironmentRef>(&entry.subject);
    if (environment != nullptr && at(entry.body, {"change", "after", "protected"}) != nullptr) {
        if (is_true_at(entry, {"change", "after", "protected"}))
            protected_.insert(*environment);
        else
            protected_.erase(*environment);
    }
    if (const auto* identity = std::get_if<IdentityRef>(&entry.subject)) add_identity(entry, *identity);
    const auto* credential = std::get_if<CredentialRef>(&entry.subject);
    if (entry.action == "credential.issue" && credential != nullptr) {
        const auto workspace = homes_.find(credential->workspace);
        if (workspace == homes_.end()) return;
        const auto home = workspace->second.find(credential->identity);
        if (home == workspace->second.end()) return;
        const std::string scopes = scopes_at(entry);
        if (scopes != texts_[home->second.scopes]) scopes_.insert_or_assign(credential->id, texts_.number_of(scopes));
    }
    add_pause(entry);
}

void Evidence::add_identity(const audit::Entry& entry, const IdentityRef& identity) {
    if (entry.action == "identity.create")
        homes_[identity.workspace].insert_or_assign(
            identity.name, Home{texts_.number_of(text_at(entry, {"change", "after", "environment"})),
                                texts_.number_of(scopes_at(entry))});
    if (entry.action != "identity.revoke") return;
    const auto workspace = homes_.find(identity.workspace);
    if (workspace == homes_.end()) return;
    if (const auto home = workspace->second.find(identity.name); home != workspace->second.end())
        home->second.is_revoked = true;
}

void Evidence::add_pause(const audit::Entry& entry) {
    if (entry.action.ends_with(".pause")) {
        const auto until = parse_rfc3339(text_at(entry, {"change", "after", "paused_until"}));
        paused_.insert_or_assign(entry.subject, until ? std::optional(*until) : std::nullopt);
    } else if (entry.action.ends_with(".resume") || entry.action.ends_with(".revoke")) {
        paused_.erase(entry.subject);
    }
}

std::uint32_t Evidence::Texts::number_of(const std::string& text) {
    const auto [found, is_new] = numbers_.emplace(text, static_cast<std::uint32_t>(texts_.size()));
    if (is_new) texts_.push_back(&found->first);
    return found->second;
}

bool Evidence::lives_protected(const IdentityRef& identity) const {
    return !back_with(identity).empty();
}

// Returns the identities in protected environments that come back when `subject` is resumed.
std::vector<Power> Evidence::back_with(const Subject& subject) const {
    std::vector<Power> back;
    const auto add = [&](const WorkspaceName& workspace, const IdentityName& name, const Home& home,
                         std::optional<ScopeSet> within) {
        const auto environment = EnvironmentName::parse(texts_[home.environment]);
        if (!environment || !protected_.contains({workspace, *environment})) return;
        ScopeSet scopes;
        if (auto parsed = ScopeSet::parse(texts_[home.scopes])) scopes = std::move(*parsed);
        if (within) scopes = within->intersection(scopes);
        back.push_back({name, *environment, std::move(scopes)});
    };
    const auto in = [&](const WorkspaceName& workspace, const EnvironmentName* environment) {
        const auto found = homes_.find(workspace);
        if (found == homes_.end()) return;
        for (const auto& [name, home] : found->second)
            if (!home.is_revoked && (environment == nullptr || texts_[home.environment] == environment->text()))
                add(workspace, name, home, std::nullopt);
    };
    if (const auto* workspace = std::get_if<WorkspaceRef>(&subject)) in(workspace->name, nullptr);
    if (const auto* environment = std::get_if<EnvironmentRef>(&subject)) in(environment->workspace, &environment->name);
    const auto identity = audit::identity_of(subject);
    const auto workspace = identity ? homes_.find(identity->workspace) : homes_.end();
    if (workspace == homes_.end()) return back;
    const auto home = workspace->second.find(identity->name);
    if (home == workspace->second.end()) return back;
    std::optional<ScopeSet> within;
    if (const auto* credential = std::get_if<CredentialRef>(&subject))
        if (const auto own = scopes_.find(credential->id); own != scopes_.end())
            if (auto parsed = ScopeSet::parse(texts_[own->second])) within = std::move(*parsed);
    add(identity->workspace, identity->name, home->second, std::move(within));
    return back;
}

bool Evidence::is_behind_the_gate(const Subject& subject) const {
    if (const auto* environment = std::get_if<EnvironmentRef>(&subject)) return protected_.contains(*environment);
    return !back_with(subject).empty();
}

// Returns true if the entry makes a pause end before the time that it had. That is a resume at another time, and it
// needs the owners as a resume does.
bool Evidence::shortens_a_pause(const audit::Entry& entry) const {
    const auto before = paused_.find(entry.subject);
    if (before == paused_.end() || (before->second && *before->second <= entry.at)) return false;
    const auto until = parse_rfc3339(text_at(entry, {"change", "after", "paused_until"}));
    return until && (!before->second || *until < *before->second);
}

bool Evidence::needs_owners(const audit::Entry& entry) const {
    if (entry.action == "owner.add") return !approvers_.owners.empty() && text_at(entry, {"request"}) != init_request_;
    if (entry.action == audit::log_acceptance) return !approvers_.owners.empty();
    if (entry.action == audit::verifier_removal)
        return !approvers_.owners.empty() && text_at(entry, {"change", "before", "mode"}) != "lease";
    if (entry.action == "owner.remove" || entry.action == "owner.policy" || entry.action == "environment.protect" ||
        entry.action == "environment.unprotect")
        return true;
    if (entry.action == "identity.create") {
        const auto environment = EnvironmentName::parse(text_at(entry, {"change", "after", "environment"}));
        const auto* identity = std::get_if<IdentityRef>(&entry.subject);
        return environment && identity != nullptr && protected_.contains({identity->workspace, *environment});
    }
    if (entry.action == audit::operator_reassignment) return !approvers_.owners.empty();
    if (entry.action == "credential.issue" || entry.action == "credential.resume" ||
        entry.action == "identity.resume") {
        const auto whose = audit::identity_of(entry.subject);
        return !whose || lives_protected(*whose);  // nobody's, which no command writes, is found
    }
    if (entry.action.ends_with(".resume")) return is_behind_the_gate(entry.subject);
    return entry.action.ends_with(".pause") && shortens_a_pause(entry) && is_behind_the_gate(entry.subject);
}

bool Evidence::has_passed(const audit::Entry& entry) const {
    const auto used = used_.find(text_at(entry, {"approval"}));
    return used != used_.end() && used->second.request == text_at(entry, {"request"}) &&
           used->second.plan == text_at(entry, {"plan"});
}

// Returns true unless the entry is a resume that brings back something else than the text that the owners signed.
bool Evidence::is_what_was_signed(const audit::Entry& entry) const {
    if (!entry.action.ends_with(".resume") || !is_of_this_form(last_text_)) return true;
    audit::JsonObject after = powers_json(entry.subject, back_with(entry.subject));
    after["state"] = "active";
    return last_used_ == text_at(entry, {"approval"}) && is_in_the_plan(last_text_, entry.subject, after);
}

}  // namespace marque::authority
