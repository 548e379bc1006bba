// store/sql/rows.h: rows to records and back, by the descriptions in columns.h. What does not parse is Corrupt, never
// guessed at.
#pragma once

#include "audit/record.h"
#include "store/sql/sealed_table.h"
#include "store/store.h"

namespace marque::store::sql {

// Returns the record in a row that was selected with all of R's columns; R is an alternative of audit::Record. Members
// that are stored elsewhere are empty. Errors: Corrupt.
template <class R>
Result<R> record_from(const Statement& row);

// Returns the values of the record's row.
Row row_of(const audit::Record& record);

Result<StoredEntry> entry_from(const Statement& row);  // seq, bytes, seal

Result<domain::CredentialId> credential_id_from(const Statement& row, int column);
// state and paused_until, from column `first` on.
Result<domain::Condition> condition_from(const Statement& row, int first);
// reason, since, at, source, count, from column `first` on.
domain::RefusedUses refused_uses_from(const Statement& row, int first);
// Of a credential's row. Valid until the next step.
Result<CredentialFacts> facts_from(const Statement& row);

std::string workspace_text(const domain::Grant& grant);

}  // namespace marque::store::sql
