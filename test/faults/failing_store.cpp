#include "test/faults/failing_store.h"

#include "base/check.h"

namespace marque::faults {
namespace {

using namespace domain;

// Each call of a reader is a call of the store.
class FailingReader final : public store::Reader {
 public:
    FailingReader(const store::Reader& inner, FaultPlan& plan) : inner_(inner), plan_(plan) {}

    Result<void> require_complete() const override {
        TRY(plan_.at_call());
        return inner_.require_complete();
    }
    Result<std::optional<Installation>> installation() const override {
        TRY(plan_.at_call());
        return inner_.installation();
    }
    Result<std::optional<Workspace>> workspace(const WorkspaceName& name) const override {
        TRY(plan_.at_call());
        return inner_.workspace(name);
    }
    Result<std::vector<Workspace>> workspaces(store::Listing listing) const override {
        TRY(plan_.at_call());
        return inner_.workspaces(listing);
    }
    Result<std::optional<Environment>> environment(const WorkspaceName& workspace,
                                                   const EnvironmentName& name) const override {
        TRY(plan_.at_call());
        return inner_.environment(workspace, name);
    }
    Result<std::vector<Environment>> environments(const WorkspaceName& workspace,
                                                  store::Listing listing) const override {
        TRY(plan_.at_call());
        return inner_.environments(workspace, listing);
    }
    Result<std::optional<Identity>> identity(const WorkspaceName& workspace, const IdentityName& name) const override {
        TRY(plan_.at_call());
        return inner_.identity(workspace, name);
    }
    Result<std::vector<Identity>> identities(const WorkspaceName& workspace, const std::optional<IdentityName>& after,
                                             std::size_t limit, store::Listing listing) const override {
        TRY(plan_.at_call());
        return inner_.identities(workspace, after, limit, listing);
    }
    Result<std::optional<Credential>> credential(const CredentialId& id) const override {
        TRY(plan_.at_call());
        return inner_.credential(id);
    }
    Result<std::vector<Credential>> credentials(const WorkspaceName& workspace, const IdentityName& identity,
                                                store::Listing listing) const override {
        TRY(plan_.at_call());
        return inner_.credentials(workspace, identity, listing);
    }
    Result<std::optional<LastUse>> last_use(const CredentialId& id) const override {
        TRY(plan_.at_call());
        return inner_.last_use(id);
    }
    Result<std::optional<RefusedUses>> refused_uses(const CredentialId& id) const override {
        TRY(plan_.at_call());
        return inner_.refused_uses(id);
    }
    Result<std::vector<store::RefusedUse>> untold_refused_uses(Instant before, std::size_t limit) const override {
        TRY(plan_.at_call());
        return inner_.untold_refused_uses(before, limit);
    }
    Result<void> visit_all(const store::Visitor& visitor) const override {
        TRY(plan_.at_call());
        return inner_.visit_all(visitor);
    }
    Result<std::vector<std::string>> examine_rows() const override {
        TRY(plan_.at_call());
        return inner_.examine_rows();
    }
    Result<std::optional<Operator>> operator_with_uid(std::uint32_t uid) const override {
        TRY(plan_.at_call());
        return inner_.operator_with_uid(uid);
    }
    Result<std::optional<Operator>> operator_named(const OperatorName& name) const override {
        TRY(plan_.at_call());
        return inner_.operator_named(name);
    }
    Result<std::vector<Operator>> operators() const override {
        TRY(plan_.at_call());
        return inner_.operators();
    }
    Result<std::vector<Owner>> owners() const override {
        TRY(plan_.at_call());
        return inner_.owners();
    }
    Result<std::optional<Approval>> approval(const ApprovalId& id) const override {
        TRY(plan_.at_call());
        return inner_.approval(id);
    }
    Result<std::vector<Approval>> approvals_of(const OperatorName& requester, Instant after) const override {
        TRY(plan_.at_call());
        return inner_.approvals_of(requester, after);
    }
    Result<std::vector<Approval>> approvals(const std::optional<Instant>& open_at, std::size_t limit,
                                            store::Listing listing) const override {
        TRY(plan_.at_call());
        return inner_.approvals(open_at, limit, listing);
    }
    Result<store::StoredHead> head() const override {
        TRY(plan_.at_call());
        return inner_.head();
    }
    Result<std::vector<store::StoredEntry>> entries(std::uint64_t after, std::size_t limit) const override {
        TRY(plan_.at_call());
        return inner_.entries(after, limit);
    }
    Result<std::vector<store::StoredEntry>> entries_of(const IdentityRef& identity, std::size_t limit) const override {
        TRY(plan_.at_call());
        return inner_.entries_of(identity, limit);
    }

 private:
    const store::Reader& inner_;
    FaultPlan& plan_;
};

Error away() {
    return Error(Code::Unavailable, "the store is away, by the test's will");
}

}  // namespace

const char* name_of(StoreFault fault) {
    switch (fault) {
        case StoreFault::None:
            return "none";
        case StoreFault::Unavailable:
            return "unavailable once";
        case StoreFault::UnavailableForGood:
            return "unavailable from then on";
        case StoreFault::Corrupt:
            return "corrupt once";
        case StoreFault::Late:
            return "11 minutes late";
        case StoreFault::MuchLater:
            return "25 hours late";
        case StoreFault::CommitRefused:
            return "commit decided and rolled back";
        case StoreFault::CommitRepeated:
            return "commit decided twice";
        case StoreFault::UnknownUndone:
            return "outcome unknown, not committed";
        case StoreFault::UnknownDone:
            return "outcome unknown, committed";
        case StoreFault::GoneUndone:
            return "contact lost, not committed";
        case StoreFault::GoneDone:
            return "contact lost, committed";
    }
    CHECK_UNREACHABLE();
}

Result<void> FaultPlan::at_call() {
    ++calls_;
    if (is_gone_) return away();
    switch (fault_) {
        case StoreFault::Unavailable:
            if (calls_ != n_) return {};
            has_struck_ = true;
            return away();
        case StoreFault::UnavailableForGood:
            if (calls_ < n_) return {};
            has_struck_ = true;
            return away();
        case StoreFault::Corrupt:
            if (calls_ != n_) return {};
            has_struck_ = true;
            return Error(Code::Corrupt, "what is stored makes no sense, by the test's will");
        case StoreFault::Late:
        case StoreFault::MuchLater:
            if (calls_ != n_) return {};
            has_struck_ = true;
            pass_(fault_ == StoreFault::Late ? Duration(std::chrono::minutes(11)) : Duration(std::chrono::hours(25)));
            return {};
        default:
            return {};
    }
}

StoreFault FaultPlan::at_commit() {
    const bool is_of_commits = fault_ >= StoreFault::CommitRefused;
    if (!is_of_commits || ++commits_ != n_) return StoreFault::None;
    has_struck_ = true;
    return fault_;
}

Result<void> FailingStore::read(const std::function<Result<void>(const store::Reader&)>& view) {
    TRY(plan_.at_call());
    return inner_.read([&](const store::Reader& reader) { return view(FailingReader(reader, plan_)); });
}

Result<Revision> FailingStore::change(const store::Decide& decide) {
    TRY(plan_.at_call());
    const StoreFault fault = plan_.at_commit();
    const Error unknown(Code::OutcomeUnknown, "contact was lost during the commit, by the test's will");
    const bool is_decided_in_vain =
        fault == StoreFault::CommitRefused || fault == StoreFault::UnknownUndone || fault == StoreFault::GoneUndone;
    bool is_to_be_committed = false;
    auto changed = inner_.change([&](const store::Reader& reader) -> Result<std::vector<audit::Draft>> {
        auto drafts = TRY(decide(FailingReader(reader, plan_)));
        if (fault == StoreFault::CommitRepeated) drafts = TRY(decide(FailingReader(reader, plan_)));
        is_to_be_committed = !drafts.empty();
        if (is_to_be_committed && is_decided_in_vain) return away();
        return drafts;
    });
    if (!is_to_be_committed || fault == StoreFault::None || fault == StoreFault::CommitRepeated) return changed;
    if (fault == StoreFault::GoneUndone || fault == StoreFault::GoneDone) plan_.lose_contact();
    if (fault == StoreFault::CommitRefused) return away();
    return unknown;
}

Result<void> FailingStore::record_uses(std::span<const store::Use> uses, std::span<const store::RefusedUse> refused) {
    TRY(plan_.at_call());
    return inner_.record_uses(uses, refused);
}

Result<void> FailingStore::mark() {
    TRY(plan_.at_call());
    return inner_.mark();
}

Result<bool> FailingStore::is_as_marked() const {
    TRY(plan_.at_call());
    return inner_.is_as_marked();
}

Result<void> FailingStore::examine() {
    TRY(plan_.at_call());
    return inner_.examine();
}

}  // namespace marque::faults
