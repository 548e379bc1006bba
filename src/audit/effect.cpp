#include "audit/effect.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/overloaded.h"

namespace marque::audit {
namespace {

using namespace domain;

using Effects = std::vector<Effect>;
using After = Result<std::optional<Record>>;

Error changed_meanwhile(const Subject& subject) {
    return Error(Code::StateRefuses, describe(subject) + " changed meanwhile", "look at it and try again");
}

// Adds a record that must not be there yet.
template <class T>
Effect adds(T record) {
    const RecordName name = name_of(Record(record));
    return {name, [record = std::move(record)](std::optional<Record> before) -> After {
                if (before) return Error(Code::StateRefuses, "the name is taken meanwhile", "look at it and try again");
                return std::optional<Record>(record);
            }};
}

template <class T>
Effect adds(T record, Revision revision) {
    record.revision = revision;
    return adds(std::move(record));
}

// Changes a record of type T that must be there. `change` returns false when it may not start from what it is given.
template <class T, class Change>
Effect changes(RecordName name, Subject subject, Change change) {
    return {std::move(name), [subject = std::move(subject), change](std::optional<Record> before) -> After {
                T* const record = before ? std::get_if<T>(&*before) : nullptr;
                if (record == nullptr || !change(*record)) return changed_meanwhile(subject);
                return before;
            }};
}

Effect removes(RecordName name, Subject subject) {
    return {std::move(name), [subject = std::move(subject)](const std::optional<Record>& before) -> After {
                if (!before) return changed_meanwhile(subject);
                return std::optional<Record>();
            }};
}

// Notes when the owners or their policy last changed, once there is an installation.
Effect notes_owners(Revision revision) {
    return {InstallationRef{}, [revision](std::optional<Record> before) -> After {
                if (auto* const installation = before ? std::get_if<Installation>(&*before) : nullptr)
                    installation->owners_revision = revision;
                return before;
            }};
}

// The states that a change of state may start from, the state that it leads to, and the end of a pause.
struct Move {
    std::vector<Standing> from;
    std::vector<CredentialStanding> credential_from;
    Standing to;
    CredentialStanding credential_to;
    std::optional<Instant> until;
};

template <class T>
Effect moves(RecordName name, const Subject& subject, const Move& move, Revision revision) {
    return changes<T>(std::move(name), subject, [move, revision](T& record) {
        if (std::ranges::find(move.from, record.condition.stored) == move.from.end()) return false;
        record.condition = {move.to, move.until};
        record.revision = revision;
        return true;
    });
}

Effects moves(const Subject& subject, const Move& move, Revision revision) {
    const auto has_no_state = []() -> Effects { CHECK_UNREACHABLE(); };
    return std::visit(
        Overloaded{
            [&](const WorkspaceRef& r) { return Effects{moves<Workspace>(r, subject, move, revision)}; },
            [&](const EnvironmentRef& r) { return Effects{moves<Environment>(r, subject, move, revision)}; },
            [&](const IdentityRef& r) { return Effects{moves<Identity>(r, subject, move, revision)}; },
            [&](const CredentialRef& r) {
                return Effects{changes<Credential>(r.id, subject, [move, revision](Credential& credential) {
                    const auto& from = move.credential_from;
                    if (std::ranges::find(from, credential.stored) == from.end()) return false;
                    credential.stored = move.credential_to;
                    credential.paused_until = move.until;
                    credential.revision = revision;
                    return true;
                })};
            },
            [&](const InstallationRef&) { return has_no_state(); },
            [&](const StoreRef&) { return has_no_state(); },
            [&](const OperatorRef&) { return has_no_state(); },
            [&](const OwnerRef&) { return has_no_state(); },
            [&](const ApprovalRef&) { return has_no_state(); },
        },
        subject);
}

// A pending credential comes into force, or never does.
Effects decides_pending(const CredentialRef& ref, CredentialStanding to, Revision revision) {
    return {changes<Credential>(ref.id, ref, [to, revision](Credential& credential) {
        if (credential.stored != CredentialStanding::Pending) return false;
        credential.stored = to;
        credential.revision = revision;
        return true;
    })};
}

// A credential that retires later than `at` retires at `at` now; one that retires earlier is left alone.
Effects retires(const CredentialRetiring& event, Revision revision) {
    return {changes<Credential>(event.credential.id, event.credential, [&event, revision](Credential& credential) {
        using enum CredentialStanding;
        const bool may_start = credential.stored == Active || credential.stored == Paused;
        const bool is_shortened = credential.stored == Retiring && credential.retire_at > event.at;
        if (!may_start && !is_shortened) return false;
        credential.stored = Retiring;
        credential.retire_at = event.at;
        credential.paused_until.reset();
        credential.revision = revision;
        return true;
    })};
}

// An operator's record changes whenever their permissions do; a removed operator's never.
template <class Change>
Effect changes_operator(const OperatorName& name, Revision revision, Change change) {
    return changes<Operator>(OperatorRef{name}, OperatorRef{name}, [revision, change](Operator& one) {
        if (one.is_removed) return false;
        change(one);
        one.revision = revision;
        return true;
    });
}

Effect touches_operator(const OperatorName& name, Revision revision) {
    return changes_operator(name, revision, [](Operator&) {});
}

Effects adds_operator(Operator one, Revision revision) {
    Effects effects;
    const auto grants = std::exchange(one.grants, {});
    const OperatorName name = one.name;
    effects.push_back(adds(std::move(one), revision));
    for (const Grant& grant : grants) effects.push_back(adds(HeldPermission{name, grant, revision}));
    return effects;
}

Effects adds_approval(Approval approval, Revision revision) {
    approval.signatures.clear();
    return {adds(std::move(approval), revision)};
}

// An open approval is decided, or stays open and is signed.
Effect decides(const ApprovalId& id, ApprovalStanding to, Revision revision) {
    return changes<Approval>(ApprovalRef{id}, ApprovalRef{id}, [to, revision](Approval& approval) {
        if (approval.stored != ApprovalStanding::Open) return false;
        approval.stored = to;
        approval.revision = revision;
        return true;
    });
}

}  // namespace

RecordName name_of(const Record& record) {
    return std::visit(Overloaded{
                          [](const Installation&) -> RecordName { return InstallationRef{}; },
                          [](const Workspace& r) -> RecordName { return WorkspaceRef{r.name}; },
                          [](const Environment& r) -> RecordName { return EnvironmentRef{r.workspace, r.name}; },
                          [](const Identity& r) -> RecordName { return IdentityRef{r.workspace, r.name}; },
                          [](const Credential& r) -> RecordName { return r.id; },
                          [](const Operator& r) -> RecordName { return OperatorRef{r.name}; },
                          [](const HeldPermission& r) -> RecordName { return PermissionRef{r.holder, r.grant}; },
                          [](const Owner& r) -> RecordName { return OwnerRef{r.fingerprint}; },
                          [](const Approval& r) -> RecordName { return ApprovalRef{r.id}; },
                          [](const GivenSignature& r) -> RecordName { return SignatureRef{r.approval, r.revision}; },
                      },
                      record);
}

Effects effects_of(const Event& event, Revision revision) {
    using enum CredentialStanding;
    return std::visit(
        Overloaded{
            [](const InstallationCreated& e) { return Effects{adds(e.installation)}; },
            [&](const WorkspaceAdded& e) { return Effects{adds(e.workspace, revision)}; },
            [&](const EnvironmentAdded& e) { return Effects{adds(e.environment, revision)}; },
            [&](const IdentityCreated& e) { return Effects{adds(e.identity, revision)}; },
            [&](const CredentialIssued& e) { return Effects{adds(e.credential, revision)}; },
            [&](const CredentialActivated& e) { return decides_pending(e.credential, Active, revision); },
            [&](const CredentialRetiring& e) { return retires(e, revision); },
            [&](const CredentialUndelivered& e) { return decides_pending(e.credential, Revoked, revision); },
            [&](const audit::Paused& e) {
                const Move move{
                    {Standing::Active, Standing::Paused}, {Active, Paused}, Standing::Paused, Paused, e.until};
                return moves(e.subject, move, revision);
            },
            [&](const Resumed& e) {
                return moves(e.subject, {{Standing::Paused}, {Paused}, Standing::Active, Active, {}}, revision);
            },
            [&](const audit::Revoked& e) {
                const Move move{{Standing::Active, Standing::Paused},
                                {Pending, Active, Paused, Retiring},
                                Standing::Revoked,
                                Revoked,
                                {}};
                return moves(e.subject, move, revision);
            },
            [&](const OperatorAdded& e) { return adds_operator(e.operator_, revision); },
            [&](const OperatorRemoved& e) {
                return Effects{changes_operator(e.name, revision, [](Operator& one) { one.is_removed = true; })};
            },
            [&](const OperatorReassigned& e) {
                return Effects{
                    changes<Operator>(OperatorRef{e.name}, OperatorRef{e.name}, [&e, revision](Operator& one) {
                        if (one.is_removed || one.uid != e.before) return false;
                        one.uid = e.after;
                        one.revision = revision;
                        return true;
                    })};
            },
            [&](const PermissionGranted& e) {
                return Effects{touches_operator(e.name, revision), adds(HeldPermission{e.name, e.grant, revision})};
            },
            [&](const PermissionWithdrawn& e) {
                return Effects{touches_operator(e.name, revision),
                               removes(PermissionRef{e.name, e.grant}, OperatorRef{e.name})};
            },
            [&](const OwnerAdded& e) { return Effects{notes_owners(revision), adds(e.owner, revision)}; },
            [&](const OwnerRemoved& e) {
                const OwnerRef ref{e.owner.fingerprint};
                return Effects{notes_owners(revision), removes(ref, ref)};
            },
            [&](const ApprovalPolicyChanged& e) {
                return Effects{
                    changes<Installation>(InstallationRef{}, InstallationRef{}, [&e, revision](Installation& one) {
                        if (one.policy != e.before) return false;
                        one.policy = e.after;
                        one.owners_revision = revision;
                        return true;
                    })};
            },
            [&](const ProtectionChanged& e) {
                return Effects{changes<Environment>(e.environment, e.environment, [&e, revision](Environment& one) {
                    if (one.protection == e.after) return false;
                    one.protection = e.after;
                    one.revision = revision;
                    return true;
                })};
            },
            [&](const ApprovalRequested& e) { return adds_approval(e.approval, revision); },
            [&](const ApprovalSigned& e) {
                const OwnerSignature& s = e.signature;
                return Effects{decides(e.id, ApprovalStanding::Open, revision),
                               adds(GivenSignature{e.id, revision, s.fingerprint, s.text, s.at})};
            },
            [&](const ApprovalDenied& e) { return Effects{decides(e.id, ApprovalStanding::Denied, revision)}; },
            [&](const ApprovalWithdrawn& e) { return Effects{decides(e.id, ApprovalStanding::Withdrawn, revision)}; },
            [&](const ApprovalRedeemed& e) { return Effects{decides(e.id, ApprovalStanding::Redeemed, revision)}; },
            // Telemetry beside the records: each store notes by itself what has been told.
            [](const CredentialRefused&) { return Effects{}; },
            [](const StoreMigrated&) { return Effects{}; },
            [](const StoreBackedUp&) { return Effects{}; },
            [](const StoreCopied&) { return Effects{}; },
            [](const KeyRotated&) { return Effects{}; },
            [](const LogAccepted&) { return Effects{}; },
            [](const VerifierRemoved&) { return Effects{}; },
            [](const Refused&) { return Effects{}; },
        },
        event);
}

}  // namespace marque::audit
