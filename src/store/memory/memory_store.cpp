#include "store/memory/memory_store.h"

#include <algorithm>

#include "audit/effect.h"
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

template <class Map, class Key>
std::optional<audit::Record> record_in(const Map& map, const Key& key) {
    const auto found = map.find(key);
    if (found == map.end()) return std::nullopt;
    return audit::Record(found->second);
}

template <class Map, class Key>
void put_into(Map& map, const Key& key, std::optional<audit::Record> record) {
    if (record)
        map.insert_or_assign(key, std::get<typename Map::mapped_type>(std::move(*record)));
    else
        map.erase(key);
}

// Records in the tables by their names. Permissions and signatures lie within the records that they belong to.
class Records {
 public:
    explicit Records(Tables& tables) : tables_(tables) {}

    std::optional<audit::Record> find(const audit::RecordName& name) const {
        using Found = std::optional<audit::Record>;
        return std::visit(
            Overloaded{
                [&](const InstallationRef&) -> Found {
                    return tables_.installation ? Found(*tables_.installation) : Found();
                },
                [&](const WorkspaceRef& r) { return record_in(tables_.workspaces, r.name); },
                [&](const EnvironmentRef& r) {
                    return record_in(tables_.environments, std::pair(r.workspace, r.name));
                },
                [&](const IdentityRef& r) { return record_in(tables_.identities, std::pair(r.workspace, r.name)); },
                [&](const CredentialId& id) { return record_in(tables_.credentials, id); },
                [&](const OperatorRef& r) { return record_in(tables_.operators, r.name); },
                [&](const audit::PermissionRef& r) -> Found {
                    const auto holder = tables_.operators.find(r.holder);
                    if (holder == tables_.operators.end() || std::ranges::count(holder->second.grants, r.grant) == 0)
                        return std::nullopt;
                    return audit::HeldPermission{r.holder, r.grant};
                },
                [&](const OwnerRef& r) { return record_in(tables_.owners, r.fingerprint); },
                [&](const ApprovalRef& r) { return record_in(tables_.approvals, r.id); },
                // A revision is of one signature alone, and that is new.
                [](const audit::SignatureRef&) -> Found { return std::nullopt; },
            },
            name);
    }

    void put(const audit::RecordName& name, std::optional<audit::Record> record) {
        std::visit(Overloaded{
                       [&](const InstallationRef&) {
                           if (record) tables_.installation = std::get<Installation>(*record);
                       },
                       [&](const WorkspaceRef& r) { put_into(tables_.workspaces, r.name, std::move(record)); },
                       [&](const EnvironmentRef& r) {
                           put_into(tables_.environments, std::pair(r.workspace, r.name), std::move(record));
                       },
                       [&](const IdentityRef& r) {
                           put_into(tables_.identities, std::pair(r.workspace, r.name), std::move(record));
                       },
                       [&](const CredentialId& id) { put_into(tables_.credentials, id, std::move(record)); },
                       [&](const OperatorRef& r) { put_into(tables_.operators, r.name, std::move(record)); },
                       [&](const audit::PermissionRef& r) {
                           auto& grants = tables_.operators.at(r.holder).grants;
                           std::erase(grants, r.grant);
                           if (record) grants.push_back(r.grant);
                           std::ranges::sort(grants);
                       },
                       [&](const OwnerRef& r) { put_into(tables_.owners, r.fingerprint, std::move(record)); },
                       [&](const ApprovalRef& r) { put_into(tables_.approvals, r.id, std::move(record)); },
                       [&](const audit::SignatureRef& r) {
                           auto& given = std::get<audit::GivenSignature>(*record);
                           tables_.approvals.at(r.approval)
                               .signatures.push_back(
                                   {std::move(given.fingerprint), std::move(given.text), given.at, r.revision});
                       },
                   },
                   name);
    }

 private:
    Tables& tables_;
};

// Two operators never have one uid: what a database keeps by an index.
Result<void> require_own_uid(const Tables& tables, const std::optional<audit::Record>& record) {
    const auto* const one = record ? std::get_if<Operator>(&*record) : nullptr;
    if (one == nullptr || one->is_removed) return {};
    for (const auto& [name, other] : tables.operators)
        if (other.uid == one->uid && !other.is_removed && name != one->name)
            return Error(Code::StateRefuses, "another operator has that uid meanwhile", "look at it and try again");
    return {};
}

Result<void> apply(Tables& tables, const audit::Event& event, Revision revision) {
    Records records(tables);
    for (const audit::Effect& effect : audit::effects_of(event, revision)) {
        auto after = TRY(effect.apply(records.find(effect.name)));
        TRY(require_own_uid(tables, after));
        records.put(effect.name, std::move(after));
    }
    if (const auto* const told = std::get_if<audit::CredentialRefused>(&event)) {
        Tables::Refused& refused = tables.refused_uses[told->credential.id];
        refused.untold -= std::min(refused.untold, told->count);
        refused.told_at = told->told_at;
    }
    return {};
}

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
    for (std::size_t i = 0; i < drafts.size(); ++i) TRY(apply(next, drafts[i].event, appended.entries[i].seq));
    std::vector<std::optional<IdentityRef>> subjects;
    for (const audit::Draft& draft : drafts) subjects.push_back(audit::identity_of(audit::subject_of(draft.event)));
    make_room(rows.subjects, subjects.size());
    make_room(rows.entries, subjects.size());
    const audit::Digest seal = audit::seal_of_head(sealing_key_, appended.frontier, {});
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
