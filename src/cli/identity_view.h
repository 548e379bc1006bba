// cli/identity_view.h: identities and credentials as rows and as JSON, for inspect and list.
#pragma once

#include "authority/filter.h"
#include "cli/shell.h"

namespace marque::cli {

audit::JsonObject to_json(const authority::IdentityView& view);
audit::JsonObject to_json(const authority::CredentialView& view);

// The latest use of any of its credentials.
std::optional<domain::LastUse> latest_use(const authority::IdentityView& view);
std::string use_in_words(const std::optional<domain::LastUse>& use, Instant now);
// "refused 412 times since it was revoked, last from 10.0.0.7, 3 minutes ago"
std::string refused_in_words(const domain::RefusedUses& refused, Instant now);

// Returns what an identity is made with, a line each, for people.
std::string identity_lines(const domain::Identity& identity, Instant now);

// Returns the heading over lines of entry_line().
std::string entry_heading(Instant now);
// An entry on one line: when, who, what, outcome, why.
std::string entry_line(const audit::Entry& entry, Instant now, const Paint& paint);

// Decoded entries. Errors: Corrupt.
Result<std::vector<audit::Entry>> decode_all(const std::vector<store::StoredEntry>& entries);

}  // namespace marque::cli
