#include "store/memory/memory_store.h"

#include <algorithm>

#include "base/check.h"
#include "base/overloaded.h"
#include "store/append.h"

namespace marque::store::memory {
namespace {

using namespace domain;

template <class Map, class Key>
std::optional<typename Map::mapped_type> find(const Map& map, const Key& key) {
    const auto found = map.find(key);
    if (found == map.end()) return std::nullopt;
    return found->second;
}

class MemoryReader final : public Reader {
 public:
    explicit MemoryReader(const Rows& rows) : rows_(rows) {}

    Result<void> require_complete() const override { return {}; }
    Result<std::optional<Installation>> installation() const override { return rows_.installation; }
    Result<std::optional<Workspace>> workspace(const WorkspaceName& name) const override {
        return find(rows_.workspaces, name);
    }
    Result<std::vector<Workspace>> workspaces(Listing) const override {
        std::vector<Workspace> all;
        for (const auto& [name, workspace] : rows_.workspaces) all.push_back(workspace);
        return all;
    }
    Result<std::optional<Environment>> environment(const WorkspaceName& workspace,
                                                   const EnvironmentName& name) const override {
        return find(rows_.environments, std::pair(workspace, name));
    }
    Result<std::vector<Environment>> environments(const WorkspaceName& workspace, Listing) const override {
        std::vector<Environment> all;
        for (const auto& [key, environment] : rows_.environments)
            if (key.first == workspace) all.push_back(environment);
        return all;
    }
    Result<std::optional<Identity>> identity(const WorkspaceName& workspace, const IdentityName& name) const override {
        return find(rows_.identities, std::pair(workspace, name));
    }
    Result<std::vector<Identity>> identities(const WorkspaceName& workspace, const std::optional<IdentityName>& after,
                                             std::size_t limit, Listing) const override {
        std::vector<Identity> page;
        for (const auto& [key, identity] : rows_.identities)
            if (key.first == workspace && (!after || key.second > *after) && page.size() < limit)
                page.push_back(identity);
        return page;
    }
    Result<std::optional<Credential>> credential(const CredentialId& id) const override {
        return find(rows_.credentials, id);
    }
    Result<std::vector<Credential>> credentials(const WorkspaceName& workspace, const IdentityName& identity,
                                                Listing) const override {
        std::vector<Credential> all;
        for (const auto& [id, credential] : rows_.credentials)
            if (credential.workspace == workspace && credential.identity == identity) all.push_back(credential);
        std::ranges::sort(all, {}, [](const Credential& c) { return std::pair(c.created_at, c.id); });
        return all;
    }
    Result<std::optional<LastUse>> last_use(const CredentialId& id) const override { return find(rows_.last_uses, id); }
    Result<std::optional<RefusedUses>> refused_uses(const CredentialId& id) const override {
        const auto found = rows_.refused_uses.find(id);
        if (found == rows_.refused_uses.end()) return std::nullopt;
        return found->second.uses;
    }
    Result<std::vector<RefusedUse>> untold_refused_uses(Instant before, std::size_t limit) const override {
        std::vector<RefusedUse> all;
        for (const auto& [id, refused] : rows_.refused_uses)
            if (refused.untold > 0 && (!refused.told_at || *refused.told_at <= before) && all.size() < limit) {
                all.push_back({id, refused.uses});
                all.back().uses.count = refused.untold;
            }
        return all;
    }
    Result<void> visit_all(const Visitor& visitor) const override {
        for (const auto& [name, workspace] : rows_.workspaces) TRY(visitor.workspace(workspace));
        for (const auto& [key, environment] : rows_.environments) TRY(visitor.environment(environment));
        for (const auto& [key, i] : rows_.identities)
            TRY(visitor.identity(
                {i.workspace.text(), i.name.text(), i.environment.text(), i.scopes.text(), i.condition}));
        for (const auto& [id, c] : rows_.credentials) {
            const bool ends = c.succession && c.succession->old_credential == OldCredential::RetiresWhenNewIsUsed;
            TRY(visitor.credential(
                {id, c.workspace.text(), c.identity.text(), c.scopes.text(), c.hash, term_of(c), ends}));
        }
        return {};
    }
    Result<std::vector<std::string>> examine_rows() const override { return std::vector<std::string>(); }
    Result<std::optional<Operator>> operator_with_uid(std::uint32_t uid) const override {
        for (const auto& [name, operator_] : rows_.operators)
            if (operator_.uid == uid && !operator_.is_removed) return operator_;
        return std::nullopt;
    }
    Result<std::optional<Operator>> operator_named(const OperatorName& name) const override {
        return find(rows_.operators, name);
    }
    Result<std::vector<Operator>> operators() const override {
        std::vector<Operator> all;
        for (const auto& [name, operator_] : rows_.operators) all.push_back(operator_);
        return all;
    }
    Result<std::vector<Owner>> owners() const override {
        std::vector<Owner> all;
        for (const auto& [fingerprint, owner] : rows_.owners) all.push_back(owner);
        std::ranges::sort(all, {}, &Owner::revision);
        return all;
    }
    Result<std::optional<Approval>> approval(const ApprovalId& id) const override { return find(rows_.approvals, id); }
    Result<std::vector<Approval>> approvals(const std::optional<Instant>& open_at, std::size_t limit,
                                            Listing) const override {
        std::vector<Approval> all;
        for (const auto& [id, approval] : rows_.approvals)
            if (!open_at || (approval.stored == ApprovalStanding::Open && approval.not_after > *open_at))
                all.push_back(approval);
        std::ranges::stable_sort(all, std::greater(), &Approval::requested_at);
        if (all.size() > limit) all.erase(all.begin() + static_cast<std::ptrdiff_t>(limit), all.end());
        return all;
    }
    Result<std::vector<Approval>> approvals_of(const OperatorName& requester, Instant after) const override {
        auto all = TRY(approvals(std::nullopt, rows_.approvals.size(), Listing::Complete));
        std::erase_if(all, [&](const Approval& a) { return a.requester != requester || a.requested_at <= after; });
        return all;
    }
    Result<StoredHead> head() const override { return rows_.head; }
    Result<std::vector<StoredEntry>> entries(std::uint64_t after, std::size_t limit) const override {
        const std::size_t first = std::min<std::size_t>(after, rows_.entries.size());
        const std::size_t count = std::min(limit, rows_.entries.size() - first);
        const auto begin = rows_.entries.begin() + static_cast<std::ptrdiff_t>(first);
        return std::vector<StoredEntry>(begin, begin + static_cast<std::ptrdiff_t>(count));
    }
    Result<std::vector<StoredEntry>> entries_of(const IdentityRef& identity, std::size_t limit) const override {
        std::vector<StoredEntry> newest;
        for (std::size_t i = rows_.entries.size(); i-- > 0 && newest.size() < limit;)
            if (rows_.subjects[i] == identity) newest.push_back(rows_.entries[i]);
        return newest;
    }

 private:
    const Rows& rows_;
};

Error moved(const Subject& subject) {
    return Error(Code::StateRefuses, describe(subject) + " changed meanwhile", "look at it and try again");
}

// The rows' guards, the same as in the SQL of the other backends.
class Apply {
 public:
    Apply(Tables& rows, Revision revision) : rows_(rows), revision_(revision) {}

    Result<void> operator()(const audit::InstallationCreated& e) {
        if (rows_.installation) return moved(InstallationRef{});
        rows_.installation = e.installation;
        return {};
    }
    Result<void> operator()(const audit::WorkspaceAdded& e) {
        return add(rows_.workspaces, e.workspace.name, e.workspace);
    }
    Result<void> operator()(const audit::EnvironmentAdded& e) {
        return add(rows_.environments, std::pair(e.environment.workspace, e.environment.name), e.environment);
    }
    Result<void> operator()(const audit::IdentityCreated& e) {
        return add(rows_.identities, std::pair(e.identity.workspace, e.identity.name), e.identity);
    }
    Result<void> operator()(const audit::CredentialIssued& e) {
        return add(rows_.credentials, e.credential.id, e.credential);
    }
    Result<void> operator()(const audit::CredentialActivated& e) {
        return set(e.credential, {CredentialStanding::Pending}, CredentialStanding::Active);
    }
    Result<void> operator()(const audit::CredentialRetiring& e) {
        using enum CredentialStanding;
        Credential* credential = find_credential(e.credential);
        if (credential == nullptr) return moved(e.credential);
        const bool may_start = credential->stored == Active || credential->stored == Paused;
        const bool may_shorten = credential->stored == Retiring && *credential->retire_at > e.at;
        if (!may_start && !may_shorten) return moved(e.credential);
        credential->stored = Retiring;
        credential->retire_at = e.at;
        credential->paused_until.reset();
        credential->revision = revision_;
        return {};
    }
    Result<void> operator()(const audit::CredentialUndelivered& e) {
        return set(e.credential, {CredentialStanding::Pending}, CredentialStanding::Revoked);
    }
    Result<void> operator()(const audit::Paused& e) {
        using enum CredentialStanding;
        if (const auto* ref = std::get_if<CredentialRef>(&e.subject))
            return set(*ref, {Active, Paused}, Paused, e.until);
        return set(e.subject, {Standing::Active, Standing::Paused}, {Standing::Paused, e.until});
    }
    Result<void> operator()(const audit::Resumed& e) {
        using enum CredentialStanding;
        if (const auto* ref = std::get_if<CredentialRef>(&e.subject)) return set(*ref, {Paused}, Active);
        return set(e.subject, {Standing::Paused}, {Standing::Active, {}});
    }
    Result<void> operator()(const audit::Revoked& e) {
        using enum CredentialStanding;
        if (const auto* ref = std::get_if<CredentialRef>(&e.subject))
            return set(*ref, {Pending, Active, Paused, Retiring}, Revoked);
        return set(e.subject, {Standing::Active, Standing::Paused}, {Standing::Revoked, {}});
    }
    Result<void> operator()(const audit::OperatorAdded& e) {
        for (const auto& [name, other] : rows_.operators)
            if (other.uid == e.operator_.uid && !other.is_removed) return moved(OperatorRef{e.operator_.name});
        return add(rows_.operators, e.operator_.name, e.operator_);
    }
    Result<void> operator()(const audit::OperatorRemoved& e) {
        Operator* operator_ = find_operator(e.name);
        if (operator_ == nullptr) return moved(OperatorRef{e.name});
        operator_->is_removed = true;
        return {};
    }
    Result<void> operator()(const audit::OperatorReassigned& e) {
        Operator* operator_ = find_operator(e.name);
        if (operator_ == nullptr || operator_->uid != e.before) return moved(OperatorRef{e.name});
        for (const auto& [name, other] : rows_.operators)
            if (other.uid == e.after && !other.is_removed) return moved(OperatorRef{e.name});
        operator_->uid = e.after;
        return {};
    }
    Result<void> operator()(const audit::PermissionGranted& e) {
        Operator* operator_ = find_operator(e.name);
        if (operator_ == nullptr || std::ranges::count(operator_->grants, e.grant) != 0)
            return moved(OperatorRef{e.name});
        operator_->grants.push_back(e.grant);
        std::ranges::sort(operator_->grants);
        return {};
    }
    Result<void> operator()(const audit::PermissionWithdrawn& e) {
        Operator* operator_ = find_operator(e.name);
        if (operator_ == nullptr || std::erase(operator_->grants, e.grant) == 0) return moved(OperatorRef{e.name});
        return {};
    }
    Result<void> operator()(const audit::OwnerAdded& e) {
        if (rows_.installation) rows_.installation->owners_revision = revision_;
        return add(rows_.owners, e.owner.fingerprint, e.owner);
    }
    Result<void> operator()(const audit::OwnerRemoved& e) {
        if (rows_.installation) rows_.installation->owners_revision = revision_;
        if (rows_.owners.erase(e.owner.fingerprint) == 0) return moved(OwnerRef{e.owner.fingerprint});
        return {};
    }
    Result<void> operator()(const audit::ApprovalPolicyChanged& e) {
        if (!rows_.installation || rows_.installation->policy != e.before) return moved(InstallationRef{});
        rows_.installation->policy = e.after;
        rows_.installation->owners_revision = revision_;
        return {};
    }
    Result<void> operator()(const audit::ProtectionChanged& e) {
        const auto found = rows_.environments.find(std::pair(e.environment.workspace, e.environment.name));
        if (found == rows_.environments.end() || found->second.protection == e.after) return moved(e.environment);
        found->second.protection = e.after;
        found->second.revision = revision_;
        return {};
    }
    Result<void> operator()(const audit::ApprovalRequested& e) {
        return add(rows_.approvals, e.approval.id, e.approval);
    }
    Result<void> operator()(const audit::ApprovalSigned& e) {
        TRY(decide(e.id, ApprovalStanding::Open));
        auto& signatures = rows_.approvals.find(e.id)->second.signatures;
        signatures.push_back(e.signature);
        signatures.back().revision = revision_;
        return {};
    }
    Result<void> operator()(const audit::ApprovalDenied& e) { return decide(e.id, ApprovalStanding::Denied); }
    Result<void> operator()(const audit::ApprovalWithdrawn& e) { return decide(e.id, ApprovalStanding::Withdrawn); }
    Result<void> operator()(const audit::ApprovalRedeemed& e) { return decide(e.id, ApprovalStanding::Redeemed); }
    Result<void> operator()(const audit::CredentialRefused& e) {
        Rows::Refused& refused = rows_.refused_uses[e.credential.id];
        refused.untold -= std::min(refused.untold, e.count);
        refused.told_at = e.told_at;
        return {};
    }
    Result<void> operator()(const audit::StoreMigrated&) { return {}; }
    Result<void> operator()(const audit::StoreBackedUp&) { return {}; }
    Result<void> operator()(const audit::StoreCopied&) { return {}; }
    Result<void> operator()(const audit::KeyRotated&) { return {}; }
    Result<void> operator()(const audit::LogAccepted&) { return {}; }
    Result<void> operator()(const audit::VerifierRemoved&) { return {}; }
    Result<void> operator()(const audit::Refused&) { return {}; }

 private:
    template <class Map, class Key, class Value>
    Result<void> add(Map& map, const Key& key, Value value) {
        value.revision = revision_;
        if (!map.emplace(key, std::move(value)).second)
            return Error(Code::StateRefuses, "the name is taken meanwhile", "look at it and try again");
        return {};
    }

    Result<void> decide(const ApprovalId& id, ApprovalStanding to) {
        const auto found = rows_.approvals.find(id);
        if (found == rows_.approvals.end() || found->second.stored != ApprovalStanding::Open)
            return moved(ApprovalRef{id});
        found->second.stored = to;
        found->second.revision = revision_;
        return {};
    }

    Credential* find_credential(const CredentialRef& ref) {
        const auto found = rows_.credentials.find(ref.id);
        return found == rows_.credentials.end() ? nullptr : &found->second;
    }

    Operator* find_operator(const OperatorName& name) {
        const auto found = rows_.operators.find(name);
        if (found == rows_.operators.end() || found->second.is_removed) return nullptr;
        found->second.revision = revision_;
        return &found->second;
    }

    Result<void> set(const CredentialRef& ref, std::initializer_list<CredentialStanding> from, CredentialStanding to,
                     std::optional<Instant> until = {}) {
        Credential* credential = find_credential(ref);
        if (credential == nullptr || std::ranges::find(from, credential->stored) == from.end()) return moved(ref);
        credential->stored = to;
        credential->paused_until = until;
        credential->revision = revision_;
        return {};
    }

    Result<void> set(const Subject& subject, std::initializer_list<Standing> from, const Condition& to) {
        const auto in = [&](auto& map, const auto& key) -> Result<void> {
            const auto found = map.find(key);
            if (found == map.end() || std::ranges::find(from, found->second.condition.stored) == from.end())
                return moved(subject);
            found->second.condition = to;
            found->second.revision = revision_;
            return {};
        };
        return std::visit(
            Overloaded{
                [&](const WorkspaceRef& r) { return in(rows_.workspaces, r.name); },
                [&](const EnvironmentRef& r) { return in(rows_.environments, std::pair(r.workspace, r.name)); },
                [&](const IdentityRef& r) { return in(rows_.identities, std::pair(r.workspace, r.name)); },
                [](const auto&) -> Result<void> { CHECK_UNREACHABLE(); },
            },
            subject);
    }

    Tables& rows_;
    Revision revision_;
};

// So that adding `more` does not fail; by doubling, as adding would.
template <class T>
void make_room(std::vector<T>& list, std::size_t more) {
    if (list.capacity() < list.size() + more) list.reserve(std::max(2 * list.capacity(), list.size() + more));
}

}  // namespace

Result<void> MemoryStore::read(const std::function<Result<void>(const Reader&)>& view) {
    return view(MemoryReader(rows));
}

Result<Revision> MemoryStore::change(const Decide& decide) {
    const auto drafts = TRY(decide(MemoryReader(rows)));
    if (drafts.empty()) return rows.head.frontier.size();
    Tables next = rows;  // without the log, which only grows
    Appended appended = TRY(append(rows.head, drafts, sealing_key_));
    for (std::size_t i = 0; i < drafts.size(); ++i)
        TRY(std::visit(Apply(next, appended.entries[i].seq), drafts[i].event));
    std::vector<std::optional<IdentityRef>> subjects;
    for (const audit::Draft& draft : drafts) subjects.push_back(audit::identity_of(audit::subject_of(draft.event)));
    make_room(rows.subjects, subjects.size());
    make_room(rows.entries, subjects.size());
    const audit::Digest seal = audit::seal_of_head(sealing_key_, appended.frontier, std::nullopt);
    // From here on nothing can fail.
    std::ranges::move(subjects, std::back_inserter(rows.subjects));
    std::ranges::move(appended.entries, std::back_inserter(rows.entries));
    rows.head.seal = seal;
    rows.head.frontier = std::move(appended.frontier);
    static_cast<Tables&>(rows) = std::move(next);
    ++commits_;
    return rows.head.frontier.size();
}

Result<void> MemoryStore::record_uses(std::span<const Use> uses, std::span<const RefusedUse> refused) {
    for (const Use& use : uses) {
        LastUse& last = rows.last_uses[use.credential];
        last.count += use.count;
        if (use.at < last.at) continue;
        last.at = use.at;
        last.from = use.from;
    }
    for (const auto& [credential, one] : refused) {
        Rows::Refused& all = rows.refused_uses[credential];
        const bool goes_on = all.uses.reason == one.reason && all.uses.since == one.since;
        const RefusedUses before = all.uses;
        all.uses = one;
        all.uses.count += goes_on ? before.count : 0;
        all.untold = one.count + (goes_on ? all.untold : 0);
        if (before.last_at > one.last_at) {
            all.uses.last_at = before.last_at;
            all.uses.last_from = before.last_from;
        }
    }
    ++commits_;
    return {};
}

Result<void> MemoryStore::mark() {
    marked_ = commits_;
    return {};
}

Result<bool> MemoryStore::is_as_marked() const {
    return marked_ == commits_;
}

}  // namespace marque::store::memory
