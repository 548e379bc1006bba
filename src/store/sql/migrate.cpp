#include "store/sql/migrate.h"

namespace marque::store::sql {
namespace {

Result<void> change_schema(Connection& connection, SealingKey& key, int from, int to, const MigrationSteps& steps) {
    if (from == to) return {};
    StoredHead head;
    if (from > 0) head = TRY(SqlReader::head_of(connection));
    if (head.frontier.size() == 0) return steps.change_tables(from, to);
    TRY(SqlReader(connection, key, SqlReader::Rows::Checked, from).require_complete());
    TRY(steps.change_tables(from, to));
    head.rows = TRY(RowSeals(connection, key, to).seal_everything());
    return write_head_seal(connection, head, key.get());
}

}  // namespace

Result<std::optional<Written>> migrate(Connection& connection, SealingKey& key, int from, int to,
                                       const DecideMigration& decide, const MigrationSteps& steps) {
    TRY(require_known(from));
    if (to == 0 && from > 0 && TRY(connection.number("SELECT count(*) FROM entry")) > 0)
        return Error(Code::StateRefuses, "schema 0 has no audit log, and this one has entries",
                     "nothing rolls back past the log; to leave Marque, export it and remove the store");
    TRY(change_schema(connection, key, from, newest_schema, steps));
    const SqlReader reader(connection, key);
    const auto drafts = TRY(decide(reader, from, to));
    TRY(change_schema(connection, key, newest_schema, to, steps));
    if (drafts.empty()) return std::optional<Written>();
    // A migration's event changes no row, so the columns of `to` are not needed for it.
    return std::optional(TRY(steps.write(SqlReader(connection, key, SqlReader::Rows::Checked, to), drafts)));
}

}  // namespace marque::store::sql
