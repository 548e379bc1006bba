#include "verify/verifier.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <thread>

#include "base/mutant.h"
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
// So that several can fail before the lease ends.
constexpr int renewals_in_a_lease = 5;
constexpr Duration remember_interval = std::chrono::seconds(1);

}  // namespace

Verifier::Verifier(OpenStore open_store, Secret sealing_key, const Clock& clock, Listen listen,
                   store::VerifierTerms terms, Memory* memory)
    : open_store_(std::move(open_store)),
      sealing_key_(std::move(sealing_key)),
      clock_(clock),
      listen_(std::move(listen)),
      terms_(std::move(terms)),
      index_(std::make_unique<Index>()),
      memory_(memory) {}

bool Verifier::is_fresh() const {
    if (refusal_ || !is_loaded_ || !store_) return false;
    const auto same = store_->is_as_marked();
    return same && *same;
}

std::shared_lock<std::shared_mutex> Verifier::lock_for_reading() const {
    if (has_writer_.load(std::memory_order_relaxed)) const std::lock_guard after_the_writer(gate_);
    return std::shared_lock(mutex_);
}

template <class Body>
auto Verifier::alone(const Body& body) {
    const std::lock_guard gate(gate_);
    has_writer_.store(true, std::memory_order_relaxed);
    const std::unique_lock lock(mutex_);
    has_writer_.store(false, std::memory_order_relaxed);
    return body();
}

bool Verifier::Session::may_answer() const {
    if (deadline_ == for_ever) return true;
    Duration deadline = deadline_;
    if (is_mutant(Mutant::Unbound)) {
        lock_.unlock();
        deadline = Duration(verifier_->deadline_.load());
    }
#ifdef MARQUE_MUTANTS
    if (is_mutant(Mutant::Flag)) return verifier_->flag_;
#endif
    return verifier_->clock_.since_boot() < deadline;
}

Result<Verifier::Session> Verifier::session() {
    {
        std::shared_lock lock = lock_for_reading();
        if (is_leased_) {
            if (refusal_) return *refusal_;
            // The lease with the data that it is of, in one look.
            Session session(std::move(lock), *this, Duration(is_loaded_ ? deadline_.load() : 0));
            if (session.may_answer()) return session;
            return Error(Code::Unavailable, "the lease has ended: " + why_not_renewed_);
        }
        if (is_fresh()) return Session(std::move(lock), *this, for_ever);
    }
    TRY(alone([&] { return bring_up_to_date(); }));
    // What was read just now is not older than the call, whatever is committed meanwhile.
    std::shared_lock lock = lock_for_reading();
    if (refusal_) return *refusal_;
    if (is_leased_) return Error(Code::Unavailable, "no lease was asked for yet");
    return Session(std::move(lock), *this, for_ever);
}

VerifierStatus Verifier::status() const {
    const std::lock_guard lock(status_mutex_);
    VerifierStatus status = status_;
    if (is_leased_) {
        status.lease_left = Duration(deadline_.load()) - clock_.since_boot();
        status.is_fresh = status.is_fresh && *status.lease_left > Duration(0);
    }
    return status;
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
    status_.leases_lost = leases_lost_;
}

Result<void> Verifier::keep() {
    if (!is_leased_) {
        std::optional<Error> found;
        {
            const std::shared_lock lock = lock_for_reading();
            if (store_ && !refusal_) {
                auto examined = store_->examine();
                if (!examined) found = std::move(examined).error();
            }
        }
        remember();
        const auto kept = alone([&] {
            if (found && !refusal_) refuse(std::move(*found));
            return bring_up_to_date();
        });
        if (!is_leased_) return kept;
    }
    auto kept = [&]() -> Result<void> {
        try {
            return keep_lease();
        } catch (const std::bad_alloc&) {
            return Error(Code::Unavailable, "there is no memory for the index");
        }
    }();
    alone([&] {
        why_not_renewed_ = kept ? "it was not renewed in time" : kept.error().message;
        // What is merely not reached is waited for until the lease ends; what is another log is refused at once.
        if (!kept && kept.error().code == Code::Corrupt)
            refuse(kept.error());
        else if (kept)
            have_caught_up();
    });
    notice_end_of_lease();
    remember();
    // A verifier that is closed says so by what it knew: nobody need wait for it, and marque doctor sees it everywhere.
    if (refusal_ && known_ && store_ && !member_.empty()) (void)store_->verifiers()->acknowledge(member_, known_->size);
    return kept;
}

// What a power cut, or the end of this process, takes of it is at most a second's worth.
void Verifier::remember() {
    if (memory_ == nullptr) return;
    std::optional<KnownLog> known;
    {
        const std::shared_lock lock = lock_for_reading();
        if (!refusal_) known = known_;
    }
    const Duration now = clock_.since_boot();
    if (!known || known == remembered_ || now < remember_at_) return;
    remember_at_ = now + remember_interval;
    if (const auto kept = memory_->remember(*known); kept) {
        remembered_ = known;
        not_remembered_.clear();
    } else if (kept.error().message != not_remembered_) {
        not_remembered_ = kept.error().message;
        listen_({Notice::Kind::NotRemembered, not_remembered_, known->size});
    }
}

void Verifier::notice_end_of_lease() {
    if (!is_leased_ || clock_.since_boot() < Duration(deadline_.load())) return;
    alone([&] {
        if (refusal_ || !told_.empty() || deadline_ == 0) return;
        told_ = "the lease has ended: " + why_not_renewed_;
        ++leases_lost_;
        listen_({Notice::Kind::NotFresh, told_, frontier_ ? frontier_->size() : 0});
        publish_status();
    });
}

void Verifier::rest(Duration longest) {
    if (is_leased_ && store_) {
        const Duration due = std::clamp(renew_at_ - clock_.since_boot(), Duration(0), longest);
        if (const auto told = store_->verifiers()->wait_for_change(due)) {
            has_word_ = *told;
            return;
        }
    }
    std::this_thread::sleep_for(longest);
}

void Verifier::leave() {
    if (is_leased_ && store_ && !member_.empty()) (void)store_->verifiers()->remove(member_);
    member_.clear();
    remember_at_ = {};
    remember();
}

Result<void> Verifier::bring_up_to_date() {
    if (is_leased_ || is_fresh()) return {};
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
    if (!is_leased_) have_caught_up();
    return {};
}

// Verdicts are given; who was told that there are none is told.
void Verifier::have_caught_up() {
    // A store that was replaced between two questions was never refused, and is told all the same.
    if (!refusal_ && !replaced_.empty()) listen_({Notice::Kind::NotFresh, replaced_, frontier_->size()});
    if (refusal_ || !replaced_.empty() || !told_.empty()) listen_({Notice::Kind::Fresh, "", frontier_->size()});
    replaced_.clear();
    refusal_.reset();
    told_.clear();
    publish_status();
}

void Verifier::refuse(Error error) {
    if (!is_leased_) store_.reset();
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
    is_leased_ = terms_.mode != store::Freshness::Strict && store_->verifiers() != nullptr;
    if (is_leased_) return {};
    return store_->mark();
}

Result<void> Verifier::catch_up() {
    TRY(open_and_mark());
    if (is_leased_) return {};
    TRY(store_->examine());
    News news;
    TRY(store_->read([&](const store::Reader& reader) -> Result<void> {
        news = TRY(read_news(reader));
        return {};
    }));
    return publish(std::move(news));
}

// A turn with leases. The steps are those of test/model/revoke_lease.pml.
Result<void> Verifier::keep_lease() {
    if (!store_) store_ = TRY(open_store_());
    store::Verifiers& verifiers = *store_->verifiers();
    const bool has_word = std::exchange(has_word_, false);
    for (int tries = 0;; ++tries) {
        const Duration asked_at = clock_.since_boot();  // before it is asked for
        if (member_.empty()) {                          // Register, before anything is read
            if (is_mutant(Mutant::LoadFirst)) TRY(follow(asked_at + terms_.lease));
            member_ = TRY(verifiers.add(terms_));
            renew_at_ = asked_at;
        }
        if (asked_at < renew_at_) return has_word ? follow(Duration(deadline_.load())) : Result<void>();
        const auto renewal = TRY(verifiers.renew(member_));  // Renew
        if (!renewal) {
            // Its changes wait for the old lease's end, whoever fenced it too. Begins anew as another.
            member_.clear();
            if (tries == 0) continue;
            return Error(Code::Unavailable, "this verifier is fenced");
        }
        const Duration deadline = (is_mutant(Mutant::T0) ? clock_.since_boot() : asked_at) + terms_.lease;
        const bool has_moved = renewal->revision != known_head_.revision || renewal->seal != known_head_.seal;
        if (is_loaded_ && !refusal_ && !has_moved)
            deadline_ = deadline.count();
        else
            TRY(follow(deadline));
        renew_at_ = asked_at + terms_.lease / renewals_in_a_lease;
        return reaper_.look(verifiers, member_, clock_);
    }
}

// Read ─▶ Publish ─▶ Acknowledge. `deadline`: of a lease that was asked for before this; with the one that is in force
// already, it goes on to hold for newer data.
Result<void> Verifier::follow(Duration deadline) {
    News news;
    TRY(store_->read([&](const store::Reader& reader) -> Result<void> {
        news = TRY(read_news(reader));
        return {};
    }));
    if (is_mutant(Mutant::TwoRead))
        TRY(store_->read([&](const store::Reader& reader) -> Result<void> {
            news.head = TRY(reader.head());
            return {};
        }));
    const domain::Revision revision = news.head.frontier.size();
    if (is_mutant(Mutant::AckFirst)) TRY(store_->verifiers()->acknowledge(member_, revision));
    TRY(alone([&]() -> Result<void> {
        TRY(publish(std::move(news)));
        deadline_ = deadline.count();
        return {};
    }));
    if (member_.empty()) return {};
    return store_->verifiers()->acknowledge(member_, revision);
}

Result<void> Verifier::recognise(const store::Reader& reader) const {
    const std::shared_lock lock = lock_for_reading();
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

// What has to be published, from one snapshot. Changes nothing that a session sees but that everything has to be read
// again.
Result<Verifier::News> Verifier::read_news(const store::Reader& reader) {
    TRY(check_installation(reader));
    News news;
    news.installation = TRY(reader.installation())->id;
    news.head = TRY(reader.head());
    const store::StoredHead& head = news.head;
    auto followed = follow_from_known(reader, head);
    if (!followed && followed.error().code == Code::Corrupt && TRY(is_accepted(reader, head))) {
        begin_anew();
        frontier_.reset();
        listen_({Notice::Kind::Accepted, followed.error().message, head.frontier.size()});
        followed = Followed();
    }
    if (!followed) {
        if (followed.error().code == Code::Corrupt) log_verifies_ = false;
        return std::move(followed).error();
    }
    news.known = followed->last ? followed->last : frontier_ ? known_ : std::nullopt;
    if (!news.known) news.known = TRY(known_log_of(reader, head.frontier.size()));
    log_verifies_ = true;
    if (is_loaded_ && head.unlogged_writes != unlogged_writes_) {
        begin_anew();
        ++reloads_;
        listen_({Notice::Kind::Reloaded, "rows were written without an event", head.frontier.size()});
    }
    if (is_loaded_) {
        news.rows = TRY(read_rows(reader, followed->touched));
    } else {
        begin_anew();
        news.whole = TRY(load(reader));
    }
    return news;
}

// First, so that two indexes never have to fit.
void Verifier::begin_anew() {
    const auto begin = [&] {
        is_loaded_ = false;
        index_ = std::make_unique<Index>();
    };
    if (is_leased_)
        alone(begin);
    else
        begin();
}

Result<void> Verifier::publish(News news) {
    if (news.whole) index_ = std::move(news.whole);
    for (const Row& row : news.rows)
        TRY(std::visit(Overloaded{
                           [&](const Workspace& workspace) -> Result<void> {
                               index_->put(workspace);
                               return {};
                           },
                           [&](const Environment& environment) { return index_->put(environment); },
                           [&](const Identity& identity) { return put_identity(*index_, identity); },
                           [&](const Credential& credential) { return put_credential(*index_, credential); },
                       },
                       row));
    is_loaded_ = true;
    frontier_ = news.head.frontier;
    known_ = std::move(news.known);
    known_head_ = {news.head.frontier.size(), news.head.seal};
    unlogged_writes_ = news.head.unlogged_writes;
    installation_ = std::move(news.installation);
    ++catch_ups_;
    last_catch_up_ = clock_.now();
    return {};
}

// From what this process knows, or at its beginning from what the last one knew.
Result<Verifier::Followed> Verifier::follow_from_known(const store::Reader& reader, const store::StoredHead& head) {
    TRY(store::check_head(head, sealing_key_));
    if (!has_recalled_ && memory_ != nullptr) known_ = TRY(memory_->recall());
    has_recalled_ = true;
    if (!frontier_) {
        if (known_) TRY(require_continues(reader, *known_));
        return Followed();
    }
    // Whoever writes rows by hand may have written entries: then all of them are read again.
    if (head.unlogged_writes != unlogged_writes_) TRY(follow_log(reader, head, audit::Frontier()));
    return follow_log(reader, head, *frontier_);
}

// Whether the log, which is not the known one, says that it is to be gone on with: sealed, and younger than all that
// was known. All of it is read for that, once for each head.
Result<bool> Verifier::is_accepted(const store::Reader& reader, const store::StoredHead& head) {
    if (!known_ || head.seal == searched_) return false;
    if (const auto installation = TRY(reader.installation()); !installation || installation->id != known_->installation)
        return false;
    const auto all = follow_log(reader, head, audit::Frontier());
    if (!all && all.error().code != Code::Corrupt) return all.error();
    if (all && all->acceptance && *all->acceptance > known_->at) return true;
    searched_ = head.seal;
    return false;
}

// What happened since, proved to continue what was known: entry by entry in its place, sealed, up to the very head.
Result<Verifier::Followed> Verifier::follow_log(const store::Reader& reader, const store::StoredHead& head,
                                                audit::Frontier known) const {
    if (head.frontier.size() < known.size())
        return not_the_log_that_was(
            fmt::format("the log went back, from {} entries to {}", known.size(), head.frontier.size()));
    Followed followed;
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
            followed.last = KnownLog{installation_, entry.seq, leaf, decoded.at};
            if (decoded.outcome == name_of(audit::Outcome::Refused)) continue;
            followed.touched.insert(decoded.subject);
            if (decoded.action == audit::log_acceptance) followed.acceptance = decoded.at;
        }
    }
    if (known != head.frontier) return not_the_log_that_was("the log is not the one that was known: it has forked");
    return followed;
}

// In the order of Subject: what stands under something comes after it.
Result<std::vector<Verifier::Row>> Verifier::read_rows(const store::Reader& reader,
                                                       const std::set<Subject>& touched) const {
    std::vector<Row> rows;
    const auto add = [&](auto found, const Subject& subject) -> Result<void> {
        if (!found)
            return Error(Code::Corrupt, describe(subject) + " is in the log and not in the store", "run marque doctor");
        rows.emplace_back(std::move(*found));
        return {};
    };
    for (const Subject& subject : touched)
        TRY(std::visit(
            Overloaded{
                [&](const WorkspaceRef& ref) -> Result<void> { return add(TRY(reader.workspace(ref.name)), subject); },
                [&](const EnvironmentRef& ref) -> Result<void> {
                    return add(TRY(reader.environment(ref.workspace, ref.name)), subject);
                },
                [&](const IdentityRef& ref) -> Result<void> {
                    auto identity = TRY(reader.identity(ref.workspace, ref.name));
                    const bool cuts_otherwise = identity && index_->cuts_otherwise(ref, identity->scopes);
                    TRY(add(std::move(identity), subject));
                    if (!cuts_otherwise) return {};
                    for (Credential& credential : TRY(reader.credentials(ref.workspace, ref.name)))
                        rows.emplace_back(std::move(credential));
                    return {};
                },
                [&](const CredentialRef& ref) -> Result<void> { return add(TRY(reader.credential(ref.id)), subject); },
                [](const auto&) -> Result<void> { return {}; },  // no verdict rests on it
            },
            subject));
    return rows;
}

Result<std::unique_ptr<Index>> Verifier::load(const store::Reader& reader) {
    auto index = std::make_unique<Index>();
    for (const Workspace& workspace : TRY(reader.workspaces())) {
        index->put(workspace);
        for (const Environment& environment : TRY(reader.environments(workspace.name))) TRY(index->put(environment));
    }
    TRY(reader.visit_identities([&](const store::IdentityFacts& identity) { return index->put(identity); }));
    CredentialRows rows;
    TRY(reader.visit_credentials([&](const store::CredentialFacts& credential) -> Result<void> {
        rows.add(credential);
        if (!rows.is_full()) return {};
        TRY(index->put(rows.rows()));
        rows.clear();
        return {};
    }));
    TRY(index->put(rows.rows()));
    return index;
}

}  // namespace marque::verify
