#include "verify/verifier.h"

#include <fmt/format.h>

#include <array>

#include "base/overloaded.h"
#include "store/append.h"
#include "verify/facts.h"

namespace marque::verify {

using namespace domain;

namespace {

// Some rows with texts of their own, which outlive the visit to each.
class CredentialRows {
 public:
    void add(const store::CredentialFacts& credential) {
        auto& [workspace, identity, scopes] = texts_[rows_.size()];
        store::CredentialFacts& row = rows_.emplace_back(credential);
        row.workspace = workspace = credential.workspace;
        row.identity = identity = credential.identity;
        row.scopes = scopes = credential.scopes;
    }
    bool is_full() const { return rows_.size() == texts_.size(); }
    std::span<const store::CredentialFacts> rows() const { return rows_; }
    void clear() { rows_.clear(); }

 private:
    std::vector<store::CredentialFacts> rows_;
    std::array<std::array<std::string, 3>, 64> texts_;
};

constexpr std::size_t entries_at_a_time = 1000;
// Between two tries to open a store that fails: each costs some files to be opened.
constexpr auto retry_after = std::chrono::milliseconds(100);

Error not_the_log_that_was(const std::string& what) {
    return Error(Code::Corrupt, what,
                 "verdicts stay refused until the log continues the one that was known; to accept another, look at it "
                 "with marque audit verify and a checkpoint saved elsewhere, and start this process anew");
}

}  // namespace

Verifier::Verifier(OpenStore open_store, Secret sealing_key, const Clock& clock, Listen listen)
    : open_store_(std::move(open_store)),
      sealing_key_(std::move(sealing_key)),
      clock_(clock),
      listen_(std::move(listen)),
      index_(std::make_unique<Index>()) {}

bool Verifier::is_fresh() const {
    if (refusal_ || !is_loaded_ || !store_) return false;
    const auto same = store_->is_as_marked();
    return same && *same;
}

Result<Verifier::Session> Verifier::session() {
    {
        std::shared_lock lock(mutex_);
        if (is_fresh()) return Session(std::move(lock), *index_, frontier_->size());
    }
    {
        const std::unique_lock lock(mutex_);
        TRY(bring_up_to_date());
    }
    // What was read just now is not older than the call, whatever is committed meanwhile.
    std::shared_lock lock(mutex_);
    if (refusal_) return *refusal_;
    return Session(std::move(lock), *index_, frontier_->size());
}

void Verifier::examine() {
    std::optional<Error> found;
    {
        const std::shared_lock lock(mutex_);
        if (store_ && !refusal_) {
            auto examined = store_->examine();
            if (examined) return;
            found = std::move(examined).error();
        }
    }
    const std::unique_lock lock(mutex_);
    if (found && !refusal_) refuse(std::move(*found));
    (void)bring_up_to_date();  // a failure is kept in refusal_ and told
}

VerifierStatus Verifier::status() const {
    const std::lock_guard lock(status_mutex_);
    return status_;
}

void Verifier::publish_status() {
    const std::lock_guard lock(status_mutex_);
    status_.is_fresh = !refusal_ && is_loaded_;
    status_.log_verifies = log_verifies_;
    status_.why_not = refusal_ ? refusal_->message : "";
    status_.revision = frontier_ ? frontier_->size() : 0;
    status_.credentials = index_->credentials();
    status_.index_bytes = index_->bytes();
    status_.catch_ups = catch_ups_;
    status_.reloads = reloads_;
    status_.last_catch_up = last_catch_up_;
}

Result<void> Verifier::bring_up_to_date() {
    if (is_fresh()) return {};
    if (refusal_ && std::chrono::steady_clock::now() < retry_at_) return *refusal_;
    auto caught_up = [&]() -> Result<void> {
        try {
            return catch_up();
        } catch (const std::bad_alloc&) {
            is_loaded_ = false;
            return Error(Code::Unavailable, "there is no memory for the index");
        }
    }();
    if (!caught_up) {
        refuse(caught_up.error());
        return caught_up;
    }
    // One that was replaced between two questions was never refused, and is told all the same.
    if (!refusal_ && !replaced_.empty()) listen_({Notice::Kind::NotFresh, replaced_, frontier_->size()});
    if (refusal_ || !replaced_.empty()) listen_({Notice::Kind::Fresh, "", frontier_->size()});
    replaced_.clear();
    refusal_.reset();
    told_.clear();
    publish_status();
    return {};
}

void Verifier::refuse(Error error) {
    store_.reset();
    replaced_.clear();
    retry_at_ = std::chrono::steady_clock::now() + retry_after;
    if (error.message != told_) listen_({Notice::Kind::NotFresh, error.message, frontier_ ? frontier_->size() : 0});
    told_ = error.message;
    refusal_ = std::move(error);
    publish_status();
}

Result<void> Verifier::open_and_mark() {
    // A store that was replaced is opened again; what it then holds is compared with what was known.
    if (store_) {
        const auto marked = store_->mark();
        if (marked) return {};
        replaced_ = marked.error().message;
    }
    store_.reset();
    store_ = TRY(open_store_());
    return store_->mark();
}

Result<void> Verifier::catch_up() {
    TRY(open_and_mark());
    TRY(store_->examine());
    TRY(store_->read([&](const store::Reader& reader) { return catch_up_from(reader); }));
    ++catch_ups_;
    last_catch_up_ = clock_.now();
    return {};
}

Result<void> Verifier::recognise(const store::Reader& reader) const {
    const std::shared_lock lock(mutex_);
    if (refusal_) return *refusal_;
    if (!frontier_) return Error(Code::Unavailable, "the store was not read yet");
    TRY(check_installation(reader));
    const store::StoredHead head = TRY(reader.head());
    TRY(store::check_head(head, sealing_key_));
    TRY(follow_log(reader, head, *frontier_));
    return {};
}

Result<void> Verifier::check_installation(const store::Reader& reader) const {
    const auto installation = TRY(reader.installation());
    if (!installation) return Error(Code::Unavailable, "the store is empty", "run marque init");
    if (!installation_.empty() && installation->id != installation_)
        return not_the_log_that_was(
            fmt::format("the store is of installation {}, not of {}", installation->id, installation_));
    return {};
}

Result<void> Verifier::catch_up_from(const store::Reader& reader) {
    TRY(check_installation(reader));
    const store::StoredHead head = TRY(reader.head());
    std::set<Subject> touched;
    {
        auto followed = [&]() -> Result<std::set<Subject>> {
            TRY(store::check_head(head, sealing_key_));
            if (!frontier_) return std::set<Subject>{};
            // Whoever writes rows by hand may have written entries: then all of them are read again.
            if (head.unlogged_writes != unlogged_writes_) TRY(follow_log(reader, head, audit::Frontier()));
            return follow_log(reader, head, *frontier_);
        }();
        if (!followed && followed.error().code == Code::Corrupt) log_verifies_ = false;
        touched = TRY(std::move(followed));
    }
    log_verifies_ = true;
    if (is_loaded_ && head.unlogged_writes != unlogged_writes_) {
        is_loaded_ = false;
        ++reloads_;
        listen_({Notice::Kind::Reloaded, "rows were written without an event", head.frontier.size()});
    }
    if (is_loaded_)
        TRY(apply(reader, touched));
    else
        TRY(load(reader));
    frontier_ = head.frontier;
    unlogged_writes_ = head.unlogged_writes;
    if (installation_.empty()) installation_ = TRY(reader.installation())->id;
    return {};
}

// What happened since, proved to continue what was known: entry by entry in its place, sealed, up to the very head.
Result<std::set<Subject>> Verifier::follow_log(const store::Reader& reader, const store::StoredHead& head,
                                               audit::Frontier known) const {
    if (head.frontier.size() < known.size())
        return not_the_log_that_was(
            fmt::format("the log went back, from {} entries to {}", known.size(), head.frontier.size()));
    std::set<Subject> touched;
    while (known.size() < head.frontier.size()) {
        const auto entries = TRY(reader.entries(known.size(), entries_at_a_time));
        if (entries.empty()) return Error(Code::Corrupt, "the log lacks entries", "run marque audit verify");
        for (const store::StoredEntry& entry : entries) {
            const audit::Digest leaf = audit::leaf_hash(bytes_of(entry.bytes));
            if (entry.seq != known.size() + 1 ||
                !crypto::equal(entry.seal, audit::seal_of_entry(sealing_key_, entry.seq, leaf)))
                return Error(Code::Corrupt, fmt::format("audit entry {} is not sealed by this installation", entry.seq),
                             "run marque audit verify");
            known.append(leaf);
            const auto decoded = TRY(audit::decode(entry.bytes));
            if (decoded.outcome != name_of(audit::Outcome::Refused)) touched.insert(decoded.subject);
        }
    }
    if (known != head.frontier) return not_the_log_that_was("the log is not the one that was known: it has forked");
    return touched;
}

// In the order of Subject: what stands under something comes after it.
Result<void> Verifier::apply(const store::Reader& reader, const std::set<Subject>& touched) {
    const auto there = [](const auto& row, const Subject& subject) -> Result<void> {
        if (row) return {};
        return Error(Code::Corrupt, describe(subject) + " is in the log and not in the store", "run marque doctor");
    };
    for (const Subject& subject : touched)
        TRY(std::visit(Overloaded{
                           [&](const WorkspaceRef& ref) -> Result<void> {
                               const auto row = TRY(reader.workspace(ref.name));
                               TRY(there(row, subject));
                               index_->put(*row);
                               return {};
                           },
                           [&](const EnvironmentRef& ref) -> Result<void> {
                               const auto row = TRY(reader.environment(ref.workspace, ref.name));
                               TRY(there(row, subject));
                               return index_->put(*row);
                           },
                           [&](const IdentityRef& ref) -> Result<void> {
                               const auto row = TRY(reader.identity(ref.workspace, ref.name));
                               TRY(there(row, subject));
                               if (!TRY(put_identity(*index_, *row))) return {};
                               for (const Credential& credential : TRY(reader.credentials(ref.workspace, ref.name)))
                                   TRY(put_credential(*index_, credential));
                               return {};
                           },
                           [&](const CredentialRef& ref) -> Result<void> {
                               const auto row = TRY(reader.credential(ref.id));
                               TRY(there(row, subject));
                               return put_credential(*index_, *row);
                           },
                           [](const auto&) -> Result<void> { return {}; },  // no verdict rests on it
                       },
                       subject));
    return {};
}

Result<void> Verifier::load(const store::Reader& reader) {
    is_loaded_ = false;
    index_ = std::make_unique<Index>();  // first, so that two never have to fit
    for (const Workspace& workspace : TRY(reader.workspaces())) {
        index_->put(workspace);
        for (const Environment& environment : TRY(reader.environments(workspace.name))) TRY(index_->put(environment));
    }
    TRY(reader.visit_identities([&](const store::IdentityFacts& identity) -> Result<void> {
        TRY(index_->put(identity));
        return {};
    }));
    CredentialRows rows;
    TRY(reader.visit_credentials([&](const store::CredentialFacts& credential) -> Result<void> {
        rows.add(credential);
        if (!rows.is_full()) return {};
        TRY(index_->put(rows.rows()));
        rows.clear();
        return {};
    }));
    TRY(index_->put(rows.rows()));
    is_loaded_ = true;
    return {};
}

}  // namespace marque::verify
