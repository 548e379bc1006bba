#include "verify/verifier.h"

#include <fmt/format.h>

#include <algorithm>
#include <new>
#include <thread>

#include "audit/seal.h"
#include "base/overloaded.h"
#include "verify/facts.h"

namespace marque::verify {

using namespace domain;

namespace {

// Between two tries to open a store that fails: each costs some files to be opened.
constexpr auto retry_after = std::chrono::milliseconds(100);
// What runs out of memory is an error like others. Its words are so few that they need none.
template <class Body>
Result<void> within_memory(const Body& body) {
    try {
        return body();
    } catch (const std::bad_alloc&) {
        return Error(Code::Unavailable, "out of memory");
    }
}
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
    return verifier_->clock_.since_boot() < deadline_;
}

Result<Verifier::Session> Verifier::session() {
    {
        std::shared_lock lock = lock_for_reading();
        if (is_leased_) {
            if (refusal_) return *refusal_;
            if (!is_loaded_) return Error(Code::Unavailable, "the store was not read yet");
            // The lease with the data that it is of, in one look.
            Session session(std::move(lock), *this, Duration(deadline_.load()));
            if (session.may_answer()) return session;
            return Error(Code::Unavailable, "the lease has ended: " + why_not_renewed_);
        }
        if (is_fresh()) return Session(std::move(lock), *this, for_ever);
    }
    TRY(within_memory([&] { return alone([&] { return bring_up_to_date(); }); }));
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
    if (is_loaded_) {
        status_.credentials = index_.credentials();
        status_.index_bytes = index_.bytes();
    }
    status_.catch_ups = catch_ups_;
    status_.reloads = reloads_;
    status_.last_catch_up = last_catch_up_;
    status_.leases_lost = leases_lost_;
}

Result<void> Verifier::keep() {
    return within_memory([&] { return keep_on(); });
}

Result<void> Verifier::keep_on() {
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
    auto kept = within_memory([&] { return keep_lease(); });
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
    tell_closed();
    return kept;
}

// For marque doctor and marque verifiers, on whatever machine.
void Verifier::tell_closed() {
    const std::string why = refusal_ ? refusal_->message : "";
    if (why == told_closed_ || !store_ || member_.empty()) return;
    if (store_->verifiers()->tell_closed(member_, why)) told_closed_ = why;
}

// What a power cut, or the end of this process, takes of it is at most a second's worth.
void Verifier::remember() {
    if (memory_ == nullptr) return;
    std::optional<KnownLog> known, given_up;
    bool is_refused = false;
    {
        const std::shared_lock lock = lock_for_reading();
        known = frontier_ ? known_ : std::nullopt;
        given_up = given_up_;
        is_refused = refusal_.has_value();
    }
    const Duration now = clock_.since_boot();
    if (!known || known == remembered_ || (now < remember_at_ && !is_refused)) return;
    remember_at_ = now + remember_interval;
    if (const auto kept = advance(*memory_, *known, given_up); kept) {
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
    auto caught_up = within_memory([&] { return catch_up(); });
    if (!caught_up) {
        // Before anything that memory could run out for: the store is marked already, and would be taken for fresh.
        if (!is_leased_) store_.reset();
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
    if (error.message != told_)
        listen_({Notice::Kind::NotFresh, error.message, frontier_ ? frontier_->size() : 0, error.tampered});
    told_ = error.message;
    refusal_ = std::move(error);
    publish_status();
}

Result<void> Verifier::open_and_mark() {
    // If mark() fails, for example because the store was replaced, opens the store again. read_news() then checks that
    // its log continues the log that this verifier knows.
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
    TRY(recall());
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
            member_ = TRY(verifiers.add(terms_));
            told_closed_.clear();
            renew_at_ = asked_at;
        }
        if (asked_at < renew_at_) return has_word ? follow(Duration(deadline_.load()), {}) : Result<void>();
        const auto renewal = TRY(verifiers.renew(member_));  // Renew
        if (!renewal) {
            // Its changes wait for the old lease's end, whoever fenced it too. Begins anew as another.
            member_.clear();
            if (tries == 0) continue;
            return Error(Code::Unavailable, "this verifier is fenced");
        }
        const Duration deadline = asked_at + terms_.lease;
        const bool is_unmoved = is_loaded_ && *renewal == known_entry();
        if (is_unmoved && !refusal_)
            deadline_ = deadline.count();
        else
            TRY(follow(deadline, *renewal));
        renew_at_ = asked_at + terms_.lease / renewals_in_a_lease;
        return reaper_.look(verifiers, member_, clock_);
    }
}

// Read ─▶ Publish ─▶ Acknowledge. `deadline`: of a lease that was asked for before this, and given with the head
// `reaching`; or, with none, of the one that is in force already, which goes on to hold for newer data.
Result<void> Verifier::follow(Duration deadline, const store::Renewal& reaching) {
    TRY(recall());
    News news;
    TRY(store_->read([&](const store::Reader& reader) -> Result<void> {
        news = TRY(read_news(reader, reaching));
        return {};
    }));
    TRY(alone([&]() -> Result<void> {
        TRY(publish(std::move(news)));
        deadline_ = deadline.count();
        return {};
    }));
    return acknowledge();
}

Result<void> Verifier::acknowledge() {
    if (member_.empty()) return {};
    const store::Renewal known = known_entry();
    return store_->verifiers()->acknowledge(member_, known.revision, known.seal);
}

store::Renewal Verifier::known_entry() const {
    return {known_->size, audit::seal_of_entry(sealing_key_, known_->size, known_->leaf)};
}

// No session reads the index from here on, until it is whole again.
void Verifier::begin_anew() {
    const auto begin = [&] { is_loaded_ = false; };
    if (is_leased_)
        alone(begin);
    else
        begin();
    index_.clear();
}

// Of what is put in part nothing is answered, and then everything is read again: rows of two moments can amount to
// what was true at none.
Result<void> Verifier::publish(News news) {
    is_loaded_ = false;
    for (const Row& row : news.rows)
        TRY(std::visit(Overloaded{
                           [&](const Workspace& workspace) -> Result<void> {
                               index_.put(workspace);
                               return {};
                           },
                           [&](const Environment& environment) { return index_.put(environment); },
                           [&](const Identity& identity) { return put_identity(index_, identity); },
                           [&](const Credential& credential) { return put_credential(index_, credential); },
                       },
                       row));
    // From here on nothing can fail.
    frontier_ = std::move(news.head.frontier);
    known_ = std::move(news.known);
    unlogged_writes_ = news.head.unlogged_writes;
    installation_ = std::move(news.installation);
    ++catch_ups_;
    last_catch_up_ = clock_.now();
    is_loaded_ = true;
    return {};
}

}  // namespace marque::verify
