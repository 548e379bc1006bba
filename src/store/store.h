// store/store.h: the interface of every store, in the words of the domain. It does not mention tables.
//
// The only way to write is `change`. It calls a decision with a snapshot that no other change can overtake, and the
// decision returns events. The store appends the events to the log and writes the rows that they change
// (audit/effect.h), in one transaction. No call writes a row without an event.
//
//     change:   lock ─▶ decide(reader) ─▶ entries + rows + head ─▶ durable commit ─▶ read back ─▶ revision
//
// Every backend passes test/store/contract_test.cpp. One thread at a time may use an object. Any number of objects and
// processes may share one store.
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

// An entry of the log as it is stored: its number, its canonical JSON, and its seal.
struct StoredEntry {
    std::uint64_t seq = 0;
    std::string bytes;
    audit::Digest seal{};
};

// The log's head as it is stored. check_head() (store/append.h) checks that it carries this installation's seal.
struct StoredHead {
    audit::Frontier frontier;
    audit::Digest seal{};
    // The hash over all rows (audit/row_tree.h), which the head is sealed over; zero bytes in a store in memory, whose
    // rows have no seals.
    audit::Digest rows{};
    // The number of writes to rows that no event made. Verifiers read everything again when it changes.
    std::uint64_t unlogged_writes = 0;
};

// Accepted verifications of one credential: when and from where the latest came, and how many they are. They are noted
// beside the records, without an event.
struct Use {
    domain::CredentialId credential;
    Instant at;
    std::string from;
    std::uint64_t count = 1;
};

// Refused uses of a credential that is stopped. The count begins anew when `reason` or `since` changes.
struct RefusedUse {
    domain::CredentialId credential;
    domain::RefusedUses uses;
};

// The parts of a row that a verdict rests on. The texts are valid only during the call that gets them.
struct IdentityFacts {
    std::string_view workspace, name, environment, scopes;
    domain::Condition condition;
};
struct CredentialFacts {
    domain::CredentialId id;
    std::string_view workspace, identity, scopes;
    domain::TokenHash hash;
    domain::CredentialTerm term;
    bool ends_predecessor;  // its first use retires the credential that it replaces
};
template <class Facts>
using Visit = std::function<Result<void>(const Facts&)>;
// Called for every record: workspaces first, then environments, identities and credentials, each kind in any order.
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

// One snapshot of the store. A record that does not exist is an empty optional, and not an error. Errors of all calls:
// Unavailable when the store can't be read now; Corrupt when what is stored makes no sense, and then with
// Error::tampered if somebody wrote to the database.
class Reader {
 public:
    virtual ~Reader() = default;

    // Tells the reader that the records of all these subjects will be asked for one after the other, so that it can
    // fetch in one go what it needs to check them. It changes no result.
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
    // Returns at most `limit` identities in the order of their names, beginning after the name `after`.
    virtual Result<std::vector<domain::Identity>> identities(const domain::WorkspaceName& workspace,
                                                             const std::optional<domain::IdentityName>& after,
                                                             std::size_t limit, Listing listing) const = 0;

    virtual Result<std::optional<domain::Credential>> credential(const domain::CredentialId& id) const = 0;
    // Returns the credentials of an identity, the oldest first.
    virtual Result<std::vector<domain::Credential>> credentials(const domain::WorkspaceName& workspace,
                                                                const domain::IdentityName& identity,
                                                                Listing listing) const = 0;
    virtual Result<std::optional<domain::LastUse>> last_use(const domain::CredentialId& id) const = 0;
    virtual Result<std::optional<domain::RefusedUses>> refused_uses(const domain::CredentialId& id) const = 0;
    // Returns at most `limit` credentials that have refused uses without an event, and whose last such event, if any,
    // was made at `before` or earlier. `count` is the number of uses without an event.
    virtual Result<std::vector<RefusedUse>> untold_refused_uses(Instant before, std::size_t limit) const = 0;

    // Visits every record that a verdict rests on. Use what was visited only after this has returned without an error:
    // only then is it known that no record is missing and each is the newest. Errors: also those of the visitor.
    virtual Result<void> visit_all(const Visitor& visitor) const = 0;
    // Reads all rows, and returns a sentence for each that is missing or not as this installation wrote it.
    virtual Result<std::vector<std::string>> examine_rows() const = 0;

    // Finds removed operators by their names, but not by their uids. These calls notice when the row of an operator or
    // of an owner was taken away. Only require_complete() notices it of a permission; an operator without one may do
    // less.
    virtual Result<std::optional<domain::Operator>> operator_with_uid(std::uint32_t uid) const = 0;
    virtual Result<std::optional<domain::Operator>> operator_named(const domain::OperatorName& name) const = 0;
    virtual Result<std::vector<domain::Operator>> operators() const = 0;
    virtual Result<std::vector<domain::Owner>> owners() const = 0;

    // Only require_complete() notices that a signature is missing.
    virtual Result<std::optional<domain::Approval>> approval(const domain::ApprovalId& id) const = 0;
    // Returns the approvals that one operator asked for after a time, the newest first. The list is complete.
    virtual Result<std::vector<domain::Approval>> approvals_of(const domain::OperatorName& requester,
                                                               Instant after) const = 0;
    // Returns the newest `limit` approvals, the newest first. With `open_at`, only those that are open at that time,
    // whether they are signed or not.
    virtual Result<std::vector<domain::Approval>> approvals(const std::optional<Instant>& open_at, std::size_t limit,
                                                            Listing listing) const = 0;

    virtual Result<StoredHead> head() const = 0;
    // Returns at most `limit` entries whose number is greater than `after`, in the order of the log.
    virtual Result<std::vector<StoredEntry>> entries(std::uint64_t after, std::size_t limit) const = 0;
    // Returns the newest `limit` entries about an identity and its credentials, the newest first.
    virtual Result<std::vector<StoredEntry>> entries_of(const domain::IdentityRef& identity,
                                                        std::size_t limit) const = 0;
};

// Returns the events of a change, or the error that refuses it. A store may call it again with a newer snapshot, so it
// must have no effects of its own.
using Decide = std::function<Result<std::vector<audit::Draft>>(const Reader&)>;

class Store {
 public:
    virtual ~Store() = default;

    // Calls `view` with one snapshot. Errors: those of `view`; Unavailable, Corrupt.
    virtual Result<void> read(const std::function<Result<void>(const Reader&)>& view) = 0;

    // Calls `view` with rows that are not checked against their seals. Only for finding out what is wrong with them.
    virtual Result<void> read_unchecked(const std::function<Result<void>(const Reader&)>& view) { return read(view); }

    // Calls `decide`, commits its events, and reads the change back in a new snapshot. Returns the revision after it.
    // Writes nothing if there are no events. Errors that mean that nothing changed: those of `decide`; StateRefuses
    // when an event may not start from the record as it is; Unavailable; Corrupt. Errors after the commit:
    // OutcomeUnknown when contact was lost during the commit or before the change was read back; Corrupt when the new
    // snapshot does not show the change, because another process writes to the database.
    virtual Result<domain::Revision> change(const Decide& decide) = 0;

    // Notes uses, without an event or a revision. A use that is older than the noted one does not replace it. They are
    // durable after the next change at the latest. Errors: Unavailable.
    virtual Result<void> record_uses(std::span<const Use> uses, std::span<const RefusedUse> refused) = 0;

    // Marks the present state, so that is_as_marked() notices every later commit of any process. Call it before
    // reading: a change between reading and marking would go unnoticed. Errors: Unavailable when the file or the
    // database is no longer the one that was opened.
    virtual Result<void> mark() = 0;
    // Returns true if no change was committed since mark(). Noted uses may count as a change. Several threads may call
    // it at once. Errors: those of mark().
    virtual Result<bool> is_as_marked() const = 0;
    // Checks what can be seen of the store's files without reading all of them: that they are there, whole and
    // writable. May run while another thread calls is_as_marked(). Errors: Unavailable, Corrupt.
    virtual Result<void> examine() = 0;

    // Returns the verifiers that answer by a lease; the object lives as long as the store. Returns null for a kind of
    // store that has none: there every verifier asks the store before it answers, and a change holds as soon as it is
    // committed.
    virtual Verifiers* verifiers() { return nullptr; }
};

// Returns what `view` returns, called with one snapshot of the store.
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
