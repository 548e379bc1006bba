// store/store.h: where an installation is kept, in the domain's words and not in those of tables.
//
// One way to write: `change`. It runs a decision against a serialisable snapshot, and what the
// decision returns are events; the store appends each to the log and applies it to its rows,
// in one transaction. Rows without events can't be written, because there is no call for it.
//
//     change:   lock ─▶ decide(reader) ─▶ entries + rows + head ─▶ durable commit ─▶ read back ─▶ revision
//
// Every backend passes test/store/contract_test.cpp. An object is for one thread at a time;
// any number of objects and processes may share one store.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "audit/entry.h"
#include "audit/merkle.h"
#include "base/result.h"
#include "domain/approval.h"
#include "domain/entities.h"
#include "domain/lifecycle.h"
#include "domain/subject.h"
#include "store/verifiers.h"

namespace marque::store {

// An entry as it lies in the log.
struct StoredEntry {
    std::uint64_t seq = 0;
    std::string bytes;
    audit::Digest seal{};
};

// The log's head as it lies in the store; `check_head` (store/append.h) says whether it is ours.
struct StoredHead {
    audit::Frontier frontier;
    audit::Digest seal{};
    // The hash over all rows (audit/row_tree.h), which the head is sealed over; zero bytes in a store in memory, whose
    // rows have no seals.
    audit::Digest rows{};
    // Rows written by other means than events: how many writes the log does not account for.
    std::uint64_t unlogged_writes = 0;
};

// Accepted verifications, to be remembered beside the state: the latest of `count`.
struct Use {
    domain::CredentialId credential;
    Instant at;
    std::string from;
    std::uint64_t count = 1;
};

// The same for a credential that is stopped. What was counted under another `reason` or `since` begins anew.
struct RefusedUse {
    domain::CredentialId credential;
    domain::RefusedUses uses;
};

// What a verdict rests on, row by row: the texts are valid during the call only.
struct IdentityFacts {
    std::string_view workspace, name, environment, scopes;
    domain::Condition condition;
};
struct CredentialFacts {
    domain::CredentialId id;
    std::string_view workspace, identity, scopes;
    domain::TokenHash hash;
    domain::Term term;
    bool ends_predecessor;  // when it is used: OldCredential::RetiresWhenNewIsUsed
};
template <class Facts>
using Visit = std::function<Result<void>(const Facts&)>;
// All of them, in this order of kinds and in any within one.
struct Visitor {
    Visit<domain::Workspace> workspace;
    Visit<domain::Environment> environment;
    Visit<IdentityFacts> identity;
    Visit<CredentialFacts> credential;
};

// How far a list can be trusted. A row that was changed or added outside the log is refused either way.
enum class Listing {
    // A missing row is refused, too. This reads every row of the store, once for each snapshot.
    Complete,
    // A missing row goes unnoticed. Use it for hints and for showing, never for a decision.
    AsFound,
};

inline Visitor nothing_to_visit() {
    const auto nothing = [](const auto&) -> Result<void> { return {}; };
    return {nothing, nothing, nothing, nothing};
}

// One consistent view. Every call may fail with Unavailable (the store can't be read now) or
// Corrupt (what is stored makes no sense, or somebody wrote to it: Error::tampered); an absent thing is no error but an
// empty optional.
class Reader {
 public:
    virtual ~Reader() = default;

    // That the rows of all these will be asked for, one after the other: what it takes to check them can be fetched at
    // once. A hint.
    virtual Result<void> prepare_for(const std::set<domain::Subject>&) const { return {}; }

    // Checks that no row was taken away, so that every list of this snapshot, whenever it is read, is complete.
    // Errors: Corrupt, which names a row that is wrong.
    virtual Result<void> require_complete() const = 0;

    virtual Result<std::optional<domain::Installation>> installation() const = 0;

    virtual Result<std::optional<domain::Workspace>> workspace(const domain::WorkspaceName& name) const = 0;
    virtual Result<std::vector<domain::Workspace>> workspaces(Listing listing) const = 0;

    virtual Result<std::optional<domain::Environment>> environment(const domain::WorkspaceName& workspace,
                                                                   const domain::EnvironmentName& name) const = 0;
    virtual Result<std::vector<domain::Environment>> environments(const domain::WorkspaceName& workspace,
                                                                  Listing listing) const = 0;

    virtual Result<std::optional<domain::Identity>> identity(const domain::WorkspaceName& workspace,
                                                             const domain::IdentityName& name) const = 0;
    // At most `limit` identities in the order of their names, those after `after` only.
    virtual Result<std::vector<domain::Identity>> identities(const domain::WorkspaceName& workspace,
                                                             const std::optional<domain::IdentityName>& after,
                                                             std::size_t limit, Listing listing) const = 0;

    virtual Result<std::optional<domain::Credential>> credential(const domain::CredentialId& id) const = 0;
    // Oldest first.
    virtual Result<std::vector<domain::Credential>> credentials(const domain::WorkspaceName& workspace,
                                                                const domain::IdentityName& identity,
                                                                Listing listing) const = 0;
    virtual Result<std::optional<domain::LastUse>> last_use(const domain::CredentialId& id) const = 0;
    virtual Result<std::optional<domain::RefusedUses>> refused_uses(const domain::CredentialId& id) const = 0;
    // At most `limit` credentials with refused uses of which no event has told yet, while the latest that did is of
    // `before` or older; `count` is how many uses that are.
    virtual Result<std::vector<RefusedUse>> untold_refused_uses(Instant before, std::size_t limit) const = 0;

    // Everything that a verdict rests on. What was visited counts only when this has returned: only then is it known
    // that they are all there, and each the newest. Errors: those of the visits too.
    virtual Result<void> visit_all(const Visitor& visitor) const = 0;
    // Which rows are not as this installation wrote them, or are missing, in words. All of them are read. Errors: those
    // of the store.
    virtual Result<std::vector<std::string>> examine_rows() const = 0;

    // Removed operators are found by name and not by uid. That an operator or an owner was taken away is always
    // noticed; that a permission was, by require_complete() alone: who holds less may do less.
    virtual Result<std::optional<domain::Operator>> operator_with_uid(std::uint32_t uid) const = 0;
    virtual Result<std::optional<domain::Operator>> operator_named(const domain::OperatorName& name) const = 0;
    virtual Result<std::vector<domain::Operator>> operators() const = 0;
    virtual Result<std::vector<domain::Owner>> owners() const = 0;

    // Only require_complete() notices that a signature is missing.
    virtual Result<std::optional<domain::Approval>> approval(const domain::ApprovalId& id) const = 0;
    // Those that one operator asked for after a time, newest first. Complete.
    virtual Result<std::vector<domain::Approval>> approvals_of(const domain::OperatorName& requester,
                                                               Instant after) const = 0;
    // The newest `limit`, newest first; with a time only those that are open then, whether signed or not.
    virtual Result<std::vector<domain::Approval>> approvals(const std::optional<Instant>& open_at, std::size_t limit,
                                                            Listing listing) const = 0;

    virtual Result<StoredHead> head() const = 0;
    // At most `limit` entries after the first `after`, in order: what happened since a revision.
    virtual Result<std::vector<StoredEntry>> entries(std::uint64_t after, std::size_t limit) const = 0;
    // The newest `limit` entries about an identity and its credentials, newest first.
    virtual Result<std::vector<StoredEntry>> entries_of(const domain::IdentityRef& identity,
                                                        std::size_t limit) const = 0;
};

// What a change is to consist of, or why there is none. May run more than once, against newer
// snapshots, so it must do nothing but read and compute.
using Decide = std::function<Result<std::vector<audit::Draft>>(const Reader&)>;

class Store {
 public:
    virtual ~Store() = default;

    // Runs `view` against one snapshot. Errors: those of `view`; Unavailable, Corrupt.
    virtual Result<void> read(const std::function<Result<void>(const Reader&)>& view) = 0;

    // The same with rows as they lie, whoever wrote them: for finding out what is wrong with them, and nothing else.
    virtual Result<void> read_unchecked(const std::function<Result<void>(const Reader&)>& view) { return read(view); }

    // Decides and commits. Returns the revision after it; with no drafts nothing is written.
    // Errors: those of `decide`, and then nothing changed; StateRefuses when a row was not as
    // an event takes it to be; Unavailable: nothing changed; OutcomeUnknown: contact was lost
    // during the commit, or before the change was read back in a new snapshot; Corrupt: also when
    // that snapshot does not show the change, because another process writes to the database.
    virtual Result<domain::Revision> change(const Decide& decide) = 0;

    // Remembers uses: forward only, no event, no revision. Durable at the next change at the
    // latest. Errors: Unavailable.
    virtual Result<void> record_uses(std::span<const Use> uses, std::span<const RefusedUse> refused) = 0;

    // Takes note of the store as it is; whatever change is committed from now on, by anybody, shows. To be called
    // before reading, never after. Errors: Unavailable when what lies there is no longer what was opened.
    virtual Result<void> mark() = 0;
    // Whether no change was committed since (uses may show as one). Safe beside other calls of itself, unlike all else
    // here. Errors: as of mark.
    virtual Result<bool> is_as_marked() const = 0;
    // What can be seen of the store's files without reading them through: that they are there, whole and writable.
    // Safe beside is_as_marked. Errors: Unavailable, Corrupt.
    virtual Result<void> examine() = 0;

    // Who verifies against it by a lease; lives as long as the store. Null where nobody does: then every verifier asks
    // before it answers, and a change holds as soon as it is committed.
    virtual Verifiers* verifiers() { return nullptr; }
};

// `view`'s value, read from one snapshot.
template <class View>
auto read_from(Store& store, const View& view) -> std::invoke_result_t<View, const Reader&> {
    std::optional<std::invoke_result_t<View, const Reader&>> result;
    TRY(store.read([&](const Reader& reader) -> Result<void> {
        result.emplace(view(reader));
        return {};
    }));
    return std::move(*result);
}

}  // namespace marque::store
