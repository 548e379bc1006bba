#include "authority/evidence.h"

#include <fmt/format.h>

#include <algorithm>

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

std::size_t hash_of(const IdentityRef& identity) {
    return std::hash<std::string>()(identity.workspace.text() + "/" + identity.name.text());
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
        const bool is_well = !needs_owners(entry) || has_passed(entry);
        add_owners(entry);
        add_places(entry);
        if (is_well) return Finding();
        return Finding(fmt::format("{} of {} is for the owners to allow, and no approval was used for it", entry.action,
                                   entry.target));
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
    open_.erase(id);
    open_.emplace(id, Approval{id, "", text_at(entry, {"change", "after", "request"}),
                               text_at(entry, {"change", "after", "plan"}), "", entry.subject, std::nullopt, *requester,
                               entry.at, *not_after});
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
        approvers_.uids.emplace(ref->name, static_cast<std::uint32_t>(uid->get_int64()));
}

void Evidence::add_places(const audit::Entry& entry) {
    const auto* environment = std::get_if<EnvironmentRef>(&entry.subject);
    if (environment != nullptr && at(entry.body, {"change", "after", "protected"}) != nullptr) {
        if (is_true_at(entry, {"change", "after", "protected"}))
            protected_.insert(*environment);
        else
            protected_.erase(*environment);
    }
    const auto* identity = std::get_if<IdentityRef>(&entry.subject);
    if (entry.action != "identity.create" || identity == nullptr) return;
    if (auto name = EnvironmentName::parse(text_at(entry, {"change", "after", "environment"})))
        homes_.insert_or_assign(hash_of(*identity), EnvironmentRef{identity->workspace, *name});
}

bool Evidence::lives_protected(const IdentityRef& identity) const {
    const auto home = homes_.find(hash_of(identity));
    return home != homes_.end() && protected_.contains(home->second);
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
    if (entry.action == "credential.issue" || entry.action == "credential.resume" ||
        entry.action == "identity.resume") {
        const auto whose = audit::identity_of(entry.subject);
        return !whose || lives_protected(*whose);  // nobody's, which no command writes, is found
    }
    if (const auto* environment = std::get_if<EnvironmentRef>(&entry.subject))
        return entry.action == "environment.resume" && protected_.contains(*environment);
    return false;
}

bool Evidence::has_passed(const audit::Entry& entry) const {
    const auto used = used_.find(text_at(entry, {"approval"}));
    return used != used_.end() && used->second.request == text_at(entry, {"request"}) &&
           used->second.plan == text_at(entry, {"plan"});
}

}  // namespace marque::authority
