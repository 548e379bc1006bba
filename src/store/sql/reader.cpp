#include "store/sql/reader.h"

#include <fmt/format.h>

#include <algorithm>

#include "store/sql/rows.h"

namespace marque::store::sql {
namespace {

using namespace domain;

template <class Decode>
auto all_rows(Statement statement, Decode decode)
    -> Result<std::vector<typename std::invoke_result_t<Decode, const Statement&>::value_type>> {
    std::vector<typename std::invoke_result_t<Decode, const Statement&>::value_type> values;
    while (TRY(statement.step())) values.push_back(TRY(decode(statement)));
    return values;
}

template <class Decode>
auto one_row(Statement statement, Decode decode)
    -> Result<std::optional<typename std::invoke_result_t<Decode, const Statement&>::value_type>> {
    if (!TRY(statement.step())) return std::nullopt;
    return TRY(decode(statement));
}

Error not_what_was_asked_for(SealedKind kind) {
    const std::string name = sealed_table(kind).name;
    return tampered(name, "another " + name + " came than was asked for");
}

}  // namespace

Result<void> SqlReader::prepare_for(const std::set<Subject>& subjects) const {
    if (checks_ == nullptr) return {};
    std::set<audit::Bucket> buckets;
    for (const Subject& subject : subjects)
        if (const auto place = place_of(subject)) buckets.insert(audit::bucket_of(place->text()));
    return checks_->fetch(buckets);
}

Result<void> SqlReader::check(SealedKind kind, const Statement& row) const {
    if (checks_ == nullptr) return {};
    return checks_->check(sealed_table(kind), row);
}

Result<void> SqlReader::require_complete() const {
    if (checks_ == nullptr || is_complete_) return {};
    TRY(checks_->require_whole());
    is_complete_ = true;
    return {};
}

Result<void> SqlReader::require(Listing listing) const {
    if (listing == Listing::AsFound) return {};
    return require_complete();
}

// A condition and what is read need not see the same value, when somebody has put something else in a table's place.
template <class R>
Result<std::vector<R>> SqlReader::all(Statement statement, std::initializer_list<Asked> asked) const {
    return all_rows(std::move(statement), [&](const Statement& row) -> Result<R> {
        TRY(check(kind_of<R>(), row));
        if (checks_ != nullptr)
            for (const auto& [column, text] : asked)
                if (row.view(column) != text) return not_what_was_asked_for(kind_of<R>());
        return record_from<R>(row);
    });
}

template <class R>
Result<std::optional<R>> SqlReader::one(const audit::RecordName& name) const {
    const Place place = place_of(name);
    Statement statement = TRY(connection_.prepare(place.table->select_one.c_str()));
    for (const std::string& key : place.keys) statement.bind(key);
    auto found = TRY(one_row(std::move(statement), [&](const Statement& row) -> Result<R> {
        TRY(check(place.table->kind, row));
        if (checks_ != nullptr && place_of(*place.table, row) != place)
            return not_what_was_asked_for(place.table->kind);
        return record_from<R>(row);
    }));
    if (!found && checks_ != nullptr) TRY(checks_->check_absent(place));
    return found;
}

Result<std::optional<Installation>> SqlReader::installation() const {
    return one<Installation>(InstallationRef{});
}

Result<std::optional<Workspace>> SqlReader::workspace(const WorkspaceName& name) const {
    return one<Workspace>(WorkspaceRef{name});
}

Result<std::vector<Workspace>> SqlReader::workspaces(Listing listing) const {
    TRY(require(listing));
    return all<Workspace>(TRY(connection_.prepare(sealed_table(SealedKind::Workspace).select_all.c_str())));
}

Result<std::optional<Environment>> SqlReader::environment(const WorkspaceName& workspace,
                                                          const EnvironmentName& name) const {
    return one<Environment>(EnvironmentRef{workspace, name});
}

Result<std::vector<Environment>> SqlReader::environments(const WorkspaceName& workspace, Listing listing) const {
    TRY(require(listing));
    static const std::string sql = select(SealedKind::Environment, "WHERE workspace = ? ORDER BY name");
    Statement statement = TRY(connection_.prepare(sql.c_str()));
    statement.bind(workspace.text());
    return all<Environment>(std::move(statement), {{column<Environment>("workspace"), workspace.text()}});
}

Result<std::optional<Identity>> SqlReader::identity(const WorkspaceName& workspace, const IdentityName& name) const {
    return one<Identity>(IdentityRef{workspace, name});
}

Result<std::vector<Identity>> SqlReader::identities(const WorkspaceName& workspace,
                                                    const std::optional<IdentityName>& after, std::size_t limit,
                                                    Listing listing) const {
    TRY(require(listing));
    static const std::string sql =
        select(SealedKind::Identity, "WHERE workspace = ? AND name > ? ORDER BY name LIMIT ?");
    Statement statement = TRY(connection_.prepare(sql.c_str()));
    statement.bind(workspace.text()).bind(after ? after->text() : "").bind(std::uint64_t{limit});
    // The caller asks for the next page after the last name. Names in the wrong order would make it ask for ever.
    std::optional<IdentityName> last = after;
    auto page = TRY(all<Identity>(std::move(statement), {{column<Identity>("workspace"), workspace.text()}}));
    for (const Identity& identity : page) {
        if (last && identity.name <= *last)
            return tampered("identity", "identities came in another order than asked for");
        last = identity.name;
    }
    return page;
}

Result<std::optional<Credential>> SqlReader::credential(const CredentialId& id) const {
    return one<Credential>(id);
}

Result<std::vector<Credential>> SqlReader::credentials(const WorkspaceName& workspace, const IdentityName& identity,
                                                       Listing listing) const {
    TRY(require(listing));
    static const std::string sql =
        select(SealedKind::Credential, "WHERE workspace = ? AND identity = ? ORDER BY created_at, id");
    Statement statement = TRY(connection_.prepare(sql.c_str()));
    statement.bind(workspace.text()).bind(identity.text());
    return all<Credential>(std::move(statement), {{column<Credential>("workspace"), workspace.text()},
                                                  {column<Credential>("identity"), identity.text()}});
}

Result<std::optional<LastUse>> SqlReader::last_use(const CredentialId& id) const {
    Statement statement =
        TRY(connection_.prepare("SELECT at, substr(source, 1, 200), count FROM last_use WHERE credential = ?"));
    statement.bind(id.text());
    return one_row(std::move(statement), [](const Statement& row) -> Result<LastUse> {
        return LastUse{row.instant(0), row.text(1, longest_note_bytes), row.count(2)};
    });
}

Result<std::optional<RefusedUses>> SqlReader::refused_uses(const CredentialId& id) const {
    Statement statement =
        TRY(connection_.prepare("SELECT substr(reason, 1, 200), since, at, substr(source, 1, 200), count"
                                " FROM refused_use WHERE credential = ?"));
    statement.bind(id.text());
    return one_row(std::move(statement),
                   [](const Statement& row) -> Result<RefusedUses> { return refused_uses_from(row, 0); });
}

Result<std::vector<RefusedUse>> SqlReader::untold_refused_uses(Instant before, std::size_t limit) const {
    Statement statement = TRY(connection_.prepare(
        "SELECT u.credential, substr(u.reason, 1, 200), u.since, u.at, substr(u.source, 1, 200), u.untold"
        " FROM refused_use u JOIN credential c ON c.id = u.credential"
        " WHERE u.untold > 0 AND (u.told_at IS NULL OR u.told_at <= ? OR u.told_at > ?)"
        " ORDER BY u.credential LIMIT ?"));
    statement.bind(before).bind(latest_instant).bind(std::uint64_t{limit});
    return all_rows(std::move(statement), [](const Statement& row) -> Result<RefusedUse> {
        const auto id = TRY(credential_id_from(row, 0));
        return RefusedUse{id, refused_uses_from(row, 1)};
    });
}

// Not each by itself: all of them together are what the head is sealed over, or none of it counts.
Result<void> SqlReader::visit_all(const Visitor& visitor) const {
    std::optional<RowSeals::Whole> whole;
    if (checks_ != nullptr) whole.emplace(*checks_);
    const auto walk = [&](SealedKind kind, const auto& visit) -> Result<void> {
        const SealedTable& table = sealed_table(kind);
        Statement row = TRY(connection_.prepare_streaming(table.scan.c_str()));
        while (TRY(row.step())) {
            if (whole) TRY(whole->add(table, row));
            TRY(visit(row));
        }
        return {};
    };
    const auto walk_all = [&]() -> Result<void> {
        TRY(walk(SealedKind::Workspace, [&](const Statement& row) -> Result<void> {
            return visitor.workspace(TRY(record_from<Workspace>(row)));
        }));
        TRY(walk(SealedKind::Environment, [&](const Statement& row) -> Result<void> {
            return visitor.environment(TRY(record_from<Environment>(row)));
        }));
        TRY(walk(SealedKind::Identity, [&](const Statement& row) -> Result<void> {
            constexpr auto at = [](std::string_view name) consteval { return column<Identity>(name); };
            const Condition condition = TRY(condition_from(row, at("state")));
            return visitor.identity({row.view(at("workspace")), row.view(at("name")), row.view(at("environment")),
                                     row.view(at("scopes")), condition});
        }));
        TRY(walk(SealedKind::Credential,
                 [&](const Statement& row) -> Result<void> { return visitor.credential(TRY(facts_from(row))); }));
        if (whole)
            TRY(whole->finish(
                {SealedKind::Workspace, SealedKind::Environment, SealedKind::Identity, SealedKind::Credential}));
        return {};
    };
    auto walked = walk_all();
    if (walked || checks_ == nullptr || walked.error().code != Code::Corrupt) return walked;
    // Someone with SQL access may have changed a record that can't be decoded. If the rows do not match the sealed
    // head, returns that error (`tampered`) instead of the decoding error.
    TRY(RowSeals::Whole(*checks_).finish({}));
    return walked;
}

Result<std::vector<std::string>> SqlReader::examine_rows() const {
    if (!sealing_) return std::vector<std::string>();
    return sealing_->examine();
}

Result<void> SqlReader::add_grants(Operator& operator_) const {
    static const std::string sql = select(SealedKind::Permission, "WHERE operator = ?");
    Statement statement = TRY(connection_.prepare(sql.c_str()));
    statement.bind(operator_.name.text());
    for (audit::HeldPermission& held : TRY(all<audit::HeldPermission>(
             std::move(statement), {{column<audit::HeldPermission>("operator"), operator_.name.text()}})))
        operator_.grants.push_back(std::move(held.grant));
    std::ranges::sort(operator_.grants);
    return {};
}

Result<std::optional<Operator>> SqlReader::with_grants(Result<std::optional<Operator>> found) const {
    auto operator_ = TRY(std::move(found));
    if (operator_) TRY(add_grants(*operator_));
    return operator_;
}

// Of nobody, when the row was taken away: whoever they were may do nothing.
Result<std::optional<Operator>> SqlReader::operator_with_uid(std::uint32_t uid) const {
    static const std::string sql = select(SealedKind::Operator, "WHERE uid = ? AND is_removed = 0");
    Statement statement = TRY(connection_.prepare(sql.c_str()));
    statement.bind(uid);
    return with_grants(one_row(std::move(statement), [&](const Statement& row) -> Result<Operator> {
        TRY(check(SealedKind::Operator, row));
        const Operator found = TRY(record_from<Operator>(row));
        if (found.uid != uid || found.is_removed) return not_what_was_asked_for(SealedKind::Operator);
        return found;
    }));
}

Result<std::optional<Operator>> SqlReader::operator_named(const OperatorName& name) const {
    return with_grants(one<Operator>(OperatorRef{name}));
}

// The installation's seal covers the seals of all operators, so checking its row shows that none is missing. It does
// not cover permissions.
Result<std::vector<Operator>> SqlReader::operators() const {
    TRY(installation());
    auto operators =
        TRY(all<Operator>(TRY(connection_.prepare(sealed_table(SealedKind::Operator).select_all.c_str()))));
    for (Operator& operator_ : operators) TRY(add_grants(operator_));
    return operators;
}

Result<std::vector<Owner>> SqlReader::owners() const {
    TRY(installation());
    auto owners = TRY(all<Owner>(TRY(connection_.prepare(sealed_table(SealedKind::Owner).select_all.c_str()))));
    std::ranges::sort(owners, {}, &Owner::revision);
    return owners;
}

Result<void> SqlReader::add_signatures(Approval& approval) const {
    static const std::string sql = select(SealedKind::ApprovalSignature, "WHERE approval = ? ORDER BY revision");
    Statement statement = TRY(connection_.prepare(sql.c_str()));
    statement.bind(approval.id.text());
    for (audit::GivenSignature& given : TRY(all<audit::GivenSignature>(
             std::move(statement), {{column<audit::GivenSignature>("approval"), approval.id.text()}})))
        approval.signatures.push_back({std::move(given.fingerprint), std::move(given.text), given.at, given.revision});
    return {};
}

Result<std::vector<Approval>> SqlReader::with_signatures(Statement statement) const {
    auto approvals = TRY(all<Approval>(std::move(statement)));
    for (Approval& approval : approvals) TRY(add_signatures(approval));
    return approvals;
}

Result<std::optional<Approval>> SqlReader::approval(const ApprovalId& id) const {
    auto approval = TRY(one<Approval>(ApprovalRef{id}));
    if (approval) TRY(add_signatures(*approval));
    return approval;
}

Result<std::vector<Approval>> SqlReader::approvals(const std::optional<Instant>& open_at, std::size_t limit,
                                                   Listing listing) const {
    TRY(require(listing));
    static const std::string open =
        select(SealedKind::Approval, "WHERE state = 'open' AND not_after > ?2 ORDER BY requested_at DESC, id LIMIT ?1");
    static const std::string any = select(SealedKind::Approval, "ORDER BY requested_at DESC, id LIMIT ?1");
    Statement statement = TRY(connection_.prepare((open_at ? open : any).c_str()));
    statement.bind(std::uint64_t{limit});
    if (open_at) statement.bind(*open_at);
    return with_signatures(std::move(statement));
}

Result<std::vector<Approval>> SqlReader::approvals_of(const OperatorName& requester, Instant after) const {
    TRY(require_complete());
    static const std::string sql =
        select(SealedKind::Approval, "WHERE requester = ? AND requested_at > ? ORDER BY requested_at DESC, id");
    Statement statement = TRY(connection_.prepare(sql.c_str()));
    statement.bind(requester.text()).bind(after);
    return with_signatures(std::move(statement));
}

namespace {

// size, frontier, seal
Result<StoredHead> head_from(const Statement& row) {
    StoredHead head;
    head.frontier = TRY(audit::Frontier::parse(row.count(0), row.bytes(1)));
    const Bytes seal = row.bytes(2);
    if (seal.size() == head.seal.size()) std::ranges::copy(seal, head.seal.begin());
    if (head.frontier.size() > 0) return head;
    // Never written: without an entry there is no head.
    Error error(Code::Corrupt, "the log's head says that there is no entry: somebody wrote to the database");
    error.tampered = "log_head";
    return error;
}

}  // namespace

Result<StoredHead> SqlReader::head_of(Connection& connection) {
    Statement statement = TRY(connection.prepare("SELECT size, frontier, seal, row_root FROM log_head"));
    if (!TRY(statement.step())) return StoredHead{};
    StoredHead head = TRY(head_from(statement));
    // The head is never sealed over what is no hash.
    const Bytes root = statement.bytes(3);
    if (root.size() == head.rows.size()) std::ranges::copy(root, head.rows.begin());
    return head;
}

Result<StoredHead> SqlReader::head() const {
    StoredHead head = TRY(head_of(connection_));
    Statement counts = TRY(connection_.prepare("SELECT count, by_event FROM row_write"));
    if (TRY(counts.step())) head.unlogged_writes = counts.count(0) - counts.count(1);
    return head;
}

Result<std::vector<StoredEntry>> SqlReader::entries(std::uint64_t after, std::size_t limit) const {
    Statement statement =
        TRY(connection_.prepare("SELECT seq, bytes, seal FROM entry WHERE seq > ? ORDER BY seq LIMIT ?"));
    statement.bind(after).bind(std::uint64_t{limit});
    std::uint64_t last = after;
    return all_rows(std::move(statement), [&](const Statement& row) -> Result<StoredEntry> {
        StoredEntry entry = TRY(entry_from(row));
        if (entry.seq <= last) return tampered("entry", "the log's entries are in no order");
        last = entry.seq;
        return entry;
    });
}

Result<std::vector<StoredEntry>> SqlReader::entries_of(const IdentityRef& identity, std::size_t limit) const {
    Statement statement =
        TRY(connection_.prepare("SELECT seq, bytes, seal FROM entry WHERE workspace = ?"
                                " AND identity = ? ORDER BY seq DESC LIMIT ?"));
    statement.bind(identity.workspace.text()).bind(identity.name.text()).bind(std::uint64_t{limit});
    return all_rows(std::move(statement), [&](const Statement& row) -> Result<StoredEntry> {
        StoredEntry entry = TRY(entry_from(row));
        // The columns stand beside what is sealed. Bytes of no sense are the caller's to find.
        const auto decoded = audit::decode(entry.bytes);
        if (decoded && audit::identity_of(decoded->subject) != identity)
            return tampered("entry", fmt::format("audit entry {} is kept as one about another", entry.seq));
        return entry;
    });
}

}  // namespace marque::store::sql
