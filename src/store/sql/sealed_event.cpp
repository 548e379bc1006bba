#include "store/sql/sealed_event.h"

#include "base/check.h"
#include "base/overloaded.h"
#include "store/sql/rows.h"

namespace marque::store::sql {
namespace {

using namespace domain;
using Kind = SealedKind;

Place place_of_subject(const Subject& subject) {
    const auto place = place_of(subject);
    CHECK(place.has_value());
    return *place;
}

Place place_of(const OperatorName& name, const domain::Grant& grant) {
    return place(Kind::Permission, {name.text(), workspace_text(grant), name_of(grant.permission)});
}

Place installation() {
    return place(Kind::Installation, {});
}

std::vector<Place> with_grants(const domain::Operator& one) {
    std::vector<Place> places{installation(), place(Kind::Operator, {one.name.text()})};
    for (const domain::Grant& grant : one.grants) places.push_back(place_of(one.name, grant));
    return places;
}

Cell cell(const std::string& text) {
    return text;
}
Cell cell(const char* text) {
    return std::string(text);
}
Cell cell(bool flag) {
    return std::int64_t{flag};
}
Cell cell(std::uint32_t number) {
    return std::int64_t{number};
}
Cell cell(std::uint64_t number) {
    return static_cast<std::int64_t>(number);
}
Cell cell(Instant instant) {
    return std::int64_t{instant.time_since_epoch().count()};
}
Cell cell(Duration duration) {
    return std::int64_t{duration.count()};
}
template <class T>
Cell cell(const std::optional<T>& value) {
    return value ? cell(*value) : Cell();
}

template <class... Values>
Row row(const Values&... values) {
    return {cell(values)...};
}

// The columns are those of rows.h, in that order.
Row new_row(const Workspace& w, Revision revision) {
    return row(w.name.text(), name_of(w.condition.stored), w.condition.paused_until, w.created_at, revision);
}
Row new_row(const Environment& e, Revision revision) {
    return row(e.workspace.text(), e.name.text(), e.protection == Protection::Protected, e.max_lifetime,
               name_of(e.condition.stored), e.condition.paused_until, e.created_at, revision);
}
Row new_row(const Identity& i, Revision revision) {
    return row(i.workspace.text(), i.name.text(), i.environment.text(), name_of(i.kind), i.scopes.text(), i.contact,
               labels_text(i.labels), name_of(i.condition.stored), i.condition.paused_until, i.created_at, revision);
}
Row new_row(const Credential& c, Revision revision) {
    std::optional<std::string> replaces, old_credential;
    std::optional<Duration> overlap;
    if (c.succession) {
        replaces = c.succession->replaces.string();
        old_credential = name_of(c.succession->old_credential);
        overlap = c.succession->overlap;
    }
    return row(c.id.string(), c.workspace.text(), c.identity.text(), std::string(text_of(c.hash)), c.scopes.text(),
               name_of(c.stored), c.created_at, c.expires_at, c.paused_until, c.retire_at, replaces, old_credential,
               overlap, revision);
}
Row new_row(const Operator& o, Revision revision) {
    return row(o.name.text(), o.uid, o.is_removed, o.created_at, revision);
}
Row new_row(const Owner& o, Revision revision) {
    std::optional<std::string> operator_name;
    if (o.operator_name) operator_name = o.operator_name->text();
    return row(o.fingerprint, o.public_key, o.comment, operator_name, revision);
}
Row new_row(const Approval& a, Revision revision) {
    std::optional<std::string> workspace;
    if (a.workspace) workspace = a.workspace->text();
    return row(a.id.string(), a.nonce, a.text, a.plan, a.action, audit::canonical(audit::to_json(a.about)), workspace,
               a.requester.text(), a.requested_at, a.not_after, name_of(a.stored), revision);
}

// `before` with other values in some columns.
struct Change {
    std::size_t column;
    Cell value;
};
// None of a row that is not there. apply finds no such row either; if a table that was put in the place of ours gives
// it one all the same, that row has no seal then, and is refused from then on.
std::optional<Row> changed(std::optional<Row> row, std::initializer_list<Change> changes) {
    if (!row) return std::nullopt;
    for (const Change& change : changes) (*row)[change.column] = change.value;
    return row;
}

std::optional<Row> in_state(const Place& place, const std::optional<Row>& before, const char* state,
                            const std::optional<Instant>& until, Revision revision) {
    switch (place.table->kind) {
        case Kind::Workspace:
            return changed(before, {{1, cell(state)}, {2, cell(until)}, {4, cell(revision)}});
        case Kind::Environment:
            return changed(before, {{4, cell(state)}, {5, cell(until)}, {7, cell(revision)}});
        case Kind::Identity:
            return changed(before, {{7, cell(state)}, {8, cell(until)}, {10, cell(revision)}});
        case Kind::Credential:
            return changed(before, {{5, cell(state)}, {8, cell(until)}, {13, cell(revision)}});
        default:
            CHECK_UNREACHABLE();
    }
}

std::optional<Row> decided(const std::optional<Row>& before, ApprovalStanding standing, Revision revision) {
    return changed(before, {{10, cell(name_of(standing))}, {11, cell(revision)}});
}

}  // namespace

std::vector<Place> places_of(const audit::Event& event, Revision revision) {
    const auto of_credential = [](const CredentialRef& ref) { return std::vector{place_of_subject(ref)}; };
    const auto of_approval = [](const ApprovalId& id) { return place(Kind::Approval, {id.string()}); };
    const auto of_owner = [](const domain::Owner& owner) {
        return std::vector{installation(), place(Kind::Owner, {owner.fingerprint})};
    };
    return std::visit(
        Overloaded{
            [](const audit::InstallationCreated&) { return std::vector{installation()}; },
            [](const audit::WorkspaceAdded& e) {
                return std::vector{place_of_subject(WorkspaceRef{e.workspace.name})};
            },
            [](const audit::EnvironmentAdded& e) {
                return std::vector{place_of_subject(EnvironmentRef{e.environment.workspace, e.environment.name})};
            },
            [](const audit::IdentityCreated& e) {
                return std::vector{place_of_subject(IdentityRef{e.identity.workspace, e.identity.name})};
            },
            [](const audit::CredentialIssued& e) {
                return std::vector{place(Kind::Credential, {e.credential.id.string()})};
            },
            [&](const audit::CredentialActivated& e) { return of_credential(e.credential); },
            [&](const audit::CredentialRetiring& e) { return of_credential(e.credential); },
            [&](const audit::CredentialUndelivered& e) { return of_credential(e.credential); },
            [](const audit::Paused& e) { return std::vector{place_of_subject(e.subject)}; },
            [](const audit::Resumed& e) { return std::vector{place_of_subject(e.subject)}; },
            [](const audit::Revoked& e) { return std::vector{place_of_subject(e.subject)}; },
            [](const audit::OperatorAdded& e) { return with_grants(e.operator_); },
            [](const audit::OperatorRemoved& e) {
                return std::vector{installation(), place(Kind::Operator, {e.name.text()})};
            },
            [](const audit::OperatorReassigned& e) {
                return std::vector{installation(), place(Kind::Operator, {e.name.text()})};
            },
            [](const audit::PermissionGranted& e) {
                return std::vector{installation(), place(Kind::Operator, {e.name.text()}), place_of(e.name, e.grant)};
            },
            [](const audit::PermissionWithdrawn& e) {
                return std::vector{installation(), place(Kind::Operator, {e.name.text()}), place_of(e.name, e.grant)};
            },
            [&](const audit::OwnerAdded& e) { return of_owner(e.owner); },
            [&](const audit::OwnerRemoved& e) { return of_owner(e.owner); },
            [](const audit::ApprovalPolicyChanged&) { return std::vector{installation()}; },
            [](const audit::ProtectionChanged& e) { return std::vector{place_of_subject(e.environment)}; },
            [&](const audit::ApprovalRequested& e) { return std::vector{of_approval(e.approval.id)}; },
            [&](const audit::ApprovalSigned& e) {
                return std::vector{of_approval(e.id),
                                   place(Kind::ApprovalSignature, {e.id.string(), std::to_string(revision)})};
            },
            [&](const audit::ApprovalDenied& e) { return std::vector{of_approval(e.id)}; },
            [&](const audit::ApprovalWithdrawn& e) { return std::vector{of_approval(e.id)}; },
            [&](const audit::ApprovalRedeemed& e) { return std::vector{of_approval(e.id)}; },
            [](const audit::CredentialRefused&) { return std::vector<Place>(); },
            [](const audit::StoreMigrated&) { return std::vector<Place>(); },
            [](const audit::StoreBackedUp&) { return std::vector<Place>(); },
            [](const audit::StoreCopied&) { return std::vector<Place>(); },
            [](const audit::KeyRotated&) { return std::vector<Place>(); },
            [](const audit::LogAccepted&) { return std::vector<Place>(); },
            [](const audit::VerifierRemoved&) { return std::vector<Place>(); },
            [](const audit::Refused&) { return std::vector<Place>(); },
        },
        event);
}

std::optional<Row> after(const audit::Event& event, Revision revision, const Place& place, std::optional<Row> before) {
    using After = std::optional<Row>;
    const Kind kind = place.table->kind;
    // What has no installation yet has nobody to count.
    if (kind == Kind::Installation && !before && !std::holds_alternative<audit::InstallationCreated>(event))
        return std::nullopt;
    return std::visit(
        Overloaded{
            [&](const audit::InstallationCreated& e) -> After {
                const Installation& i = e.installation;
                return row(i.id, i.created_at, i.policy.quorum, i.policy.has_sole_owner, Revision{0});
            },
            [&](const audit::WorkspaceAdded& e) -> After { return new_row(e.workspace, revision); },
            [&](const audit::EnvironmentAdded& e) -> After { return new_row(e.environment, revision); },
            [&](const audit::IdentityCreated& e) -> After { return new_row(e.identity, revision); },
            [&](const audit::CredentialIssued& e) -> After { return new_row(e.credential, revision); },
            [&](const audit::CredentialActivated&) -> After {
                return changed(before, {{5, cell("active")}, {13, cell(revision)}});
            },
            [&](const audit::CredentialRetiring& e) -> After {
                return changed(before, {{5, cell("retiring")}, {8, Cell()}, {9, cell(e.at)}, {13, cell(revision)}});
            },
            [&](const audit::CredentialUndelivered&) -> After {
                return changed(before, {{5, cell("revoked")}, {13, cell(revision)}});
            },
            [&](const audit::Paused& e) -> After { return in_state(place, before, "paused", e.until, revision); },
            [&](const audit::Resumed&) -> After { return in_state(place, before, "active", std::nullopt, revision); },
            [&](const audit::Revoked&) -> After { return in_state(place, before, "revoked", std::nullopt, revision); },
            [&](const audit::OperatorAdded& e) -> After {
                if (kind == Kind::Installation) return before;
                if (kind == Kind::Operator) return new_row(e.operator_, revision);
                return row(place.keys[0], place.keys[1], place.keys[2], revision);
            },
            [&](const audit::OperatorRemoved&) -> After {
                if (kind == Kind::Installation) return before;
                return changed(before, {{2, cell(true)}, {4, cell(revision)}});
            },
            [&](const audit::OperatorReassigned& e) -> After {
                if (kind == Kind::Installation) return before;
                return changed(before, {{1, cell(e.after)}, {4, cell(revision)}});
            },
            [&](const audit::PermissionGranted&) -> After {
                if (kind == Kind::Installation) return before;
                if (kind == Kind::Operator) return changed(before, {{4, cell(revision)}});
                return row(place.keys[0], place.keys[1], place.keys[2], revision);
            },
            [&](const audit::PermissionWithdrawn&) -> After {
                if (kind == Kind::Installation) return before;
                if (kind == Kind::Operator) return changed(before, {{4, cell(revision)}});
                return std::nullopt;
            },
            [&](const audit::OwnerAdded& e) -> After {
                if (kind == Kind::Installation) return changed(before, {{4, cell(revision)}});
                return new_row(e.owner, revision);
            },
            [&](const audit::OwnerRemoved&) -> After {
                if (kind == Kind::Installation) return changed(before, {{4, cell(revision)}});
                return std::nullopt;
            },
            [&](const audit::ApprovalPolicyChanged& e) -> After {
                return changed(before,
                               {{2, cell(e.after.quorum)}, {3, cell(e.after.has_sole_owner)}, {4, cell(revision)}});
            },
            [&](const audit::ProtectionChanged& e) -> After {
                return changed(before, {{2, cell(e.after == Protection::Protected)}, {7, cell(revision)}});
            },
            [&](const audit::ApprovalRequested& e) -> After { return new_row(e.approval, revision); },
            [&](const audit::ApprovalSigned& e) -> After {
                if (kind == Kind::Approval) return decided(before, ApprovalStanding::Open, revision);
                return row(e.id.string(), revision, e.signature.fingerprint, e.signature.text, e.signature.at);
            },
            [&](const audit::ApprovalDenied&) -> After { return decided(before, ApprovalStanding::Denied, revision); },
            [&](const audit::ApprovalWithdrawn&) -> After {
                return decided(before, ApprovalStanding::Withdrawn, revision);
            },
            [&](const audit::ApprovalRedeemed&) -> After {
                return decided(before, ApprovalStanding::Redeemed, revision);
            },
            [](const auto&) -> After { CHECK_UNREACHABLE(); },  // of no place
        },
        event);
}

}  // namespace marque::store::sql
