// test/reference/faults.h: a store that dies, or fails, at the n-th call of an operation, whichever that is.
#pragma once

#include <algorithm>
#include <memory>

#include "store/forwarding_store.h"

namespace marque::reference {

// The process ends here: what was in its memory is gone.
struct Death {};

struct Faults {
    enum class Kind { None, Dies, Fails };
    Kind kind = Kind::None;
    bool is_at_a_commit = false;  // before one or after: no other call counts
    std::uint64_t calls_left = 0;
    bool has_struck = false;
    int commits = 0;  // of changes, refusals' entries not counted

    Result<void> call() {
        if (is_at_a_commit) return {};
        return strike(Code::Unavailable);
    }
    Result<void> before_commit() { return strike(Code::Unavailable); }
    // It was made: what fails is only its answer.
    Result<void> after_commit() { return strike(Code::OutcomeUnknown); }

 private:
    Result<void> strike(Code code) {
        if (kind == Kind::None || has_struck || calls_left-- > 0) return {};
        has_struck = true;
        if (kind == Kind::Dies) throw Death{};
        return Error(code, "a fault");
    }
};

class FaultyReader final : public store::Reader {
 public:
    FaultyReader(const store::Reader& inner, Faults& faults) : inner_(inner), faults_(faults) {}

    Result<void> require_complete() const override {
        return ask([&] { return inner_.require_complete(); });
    }
    Result<std::optional<domain::Installation>> installation() const override {
        return ask([&] { return inner_.installation(); });
    }
    Result<std::optional<domain::Workspace>> workspace(const domain::WorkspaceName& name) const override {
        return ask([&] { return inner_.workspace(name); });
    }
    Result<std::vector<domain::Workspace>> workspaces(store::Listing listing) const override {
        return ask([&] { return inner_.workspaces(listing); });
    }
    Result<std::optional<domain::Environment>> environment(const domain::WorkspaceName& workspace,
                                                           const domain::EnvironmentName& name) const override {
        return ask([&] { return inner_.environment(workspace, name); });
    }
    Result<std::vector<domain::Environment>> environments(const domain::WorkspaceName& workspace,
                                                          store::Listing listing) const override {
        return ask([&] { return inner_.environments(workspace, listing); });
    }
    Result<std::optional<domain::Identity>> identity(const domain::WorkspaceName& workspace,
                                                     const domain::IdentityName& name) const override {
        return ask([&] { return inner_.identity(workspace, name); });
    }
    Result<std::vector<domain::Identity>> identities(const domain::WorkspaceName& workspace,
                                                     const std::optional<domain::IdentityName>& after,
                                                     std::size_t limit, store::Listing listing) const override {
        return ask([&] { return inner_.identities(workspace, after, limit, listing); });
    }
    Result<std::optional<domain::Credential>> credential(const domain::CredentialId& id) const override {
        return ask([&] { return inner_.credential(id); });
    }
    Result<std::vector<domain::Credential>> credentials(const domain::WorkspaceName& workspace,
                                                        const domain::IdentityName& identity,
                                                        store::Listing listing) const override {
        return ask([&] { return inner_.credentials(workspace, identity, listing); });
    }
    Result<std::optional<domain::LastUse>> last_use(const domain::CredentialId& id) const override {
        return ask([&] { return inner_.last_use(id); });
    }
    Result<std::optional<domain::RefusedUses>> refused_uses(const domain::CredentialId& id) const override {
        return ask([&] { return inner_.refused_uses(id); });
    }
    Result<std::vector<store::RefusedUse>> untold_refused_uses(Instant before, std::size_t limit) const override {
        return ask([&] { return inner_.untold_refused_uses(before, limit); });
    }
    Result<void> visit_all(const store::Visitor& visitor) const override {
        return ask([&] { return inner_.visit_all(visitor); });
    }
    Result<std::vector<std::string>> examine_rows() const override {
        return ask([&] { return inner_.examine_rows(); });
    }
    Result<std::optional<domain::Operator>> operator_with_uid(std::uint32_t uid) const override {
        return ask([&] { return inner_.operator_with_uid(uid); });
    }
    Result<std::optional<domain::Operator>> operator_named(const domain::OperatorName& name) const override {
        return ask([&] { return inner_.operator_named(name); });
    }
    Result<std::vector<domain::Operator>> operators() const override {
        return ask([&] { return inner_.operators(); });
    }
    Result<std::vector<domain::Owner>> owners() const override {
        return ask([&] { return inner_.owners(); });
    }
    Result<std::optional<domain::Approval>> approval(const domain::ApprovalId& id) const override {
        return ask([&] { return inner_.approval(id); });
    }
    Result<std::vector<domain::Approval>> approvals_of(const domain::OperatorName& requester,
                                                       Instant after) const override {
        return ask([&] { return inner_.approvals_of(requester, after); });
    }
    Result<std::vector<domain::Approval>> approvals(const std::optional<Instant>& open_at, std::size_t limit,
                                                    store::Listing listing) const override {
        return ask([&] { return inner_.approvals(open_at, limit, listing); });
    }
    Result<store::StoredHead> head() const override {
        return ask([&] { return inner_.head(); });
    }
    Result<std::vector<store::StoredEntry>> entries(std::uint64_t after, std::size_t limit) const override {
        return ask([&] { return inner_.entries(after, limit); });
    }
    Result<std::vector<store::StoredEntry>> entries_of(const domain::IdentityRef& identity,
                                                       std::size_t limit) const override {
        return ask([&] { return inner_.entries_of(identity, limit); });
    }

 private:
    template <class Call>
    std::invoke_result_t<Call> ask(const Call& call) const {
        TRY(faults_.call());
        return call();
    }

    const store::Reader& inner_;
    Faults& faults_;
};

class FaultyStore final : public store::ForwardingStore {
 public:
    FaultyStore(store::Store& inner, Faults& faults) : ForwardingStore(inner), faults_(faults) {}

    Result<void> read(const std::function<Result<void>(const store::Reader&)>& view) override {
        TRY(faults_.call());
        return inner_.read([&](const store::Reader& reader) { return view(FaultyReader(reader, faults_)); });
    }
    Result<domain::Revision> change(const store::Decide& decide) override {
        TRY(faults_.before_commit());
        bool is_change = false;
        auto revision = inner_.change([&](const store::Reader& reader) {
            auto drafts = decide(FaultyReader(reader, faults_));
            is_change = drafts && std::ranges::any_of(*drafts, [](const audit::Draft& draft) {
                            return !std::holds_alternative<audit::Refused>(draft.event);
                        });
            return drafts;
        });
        if (!revision) return revision;
        faults_.commits += is_change ? 1 : 0;
        TRY(faults_.after_commit());
        return revision;
    }
    Result<void> mark() override {
        TRY(faults_.call());
        return inner_.mark();
    }

 private:
    Faults& faults_;
};

}  // namespace marque::reference
