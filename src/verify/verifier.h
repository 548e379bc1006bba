// verify/verifier.h: an index that is never older than the question (invariants 6 and 7), in one of two ways.
//
// A store that can be asked for nothing (SQLite), or one that is to be asked each time (the mode strict):
//
//     session():  was anything committed since the index was built? ── no ──▶ the index, locked for reading
//                       │ yes
//                       ▼  (one thread; the others wait for it)
//                 mark ─▶ snapshot ─▶ entries after my revision ─▶ do they continue my tree, sealed by us?
//                                                                 ─▶ read the rows they are about ─▶ put
//
// A store with verifiers' rows (PostgreSQL; test/model/revoke_lease.pml, whose steps are named here):
//
//     keep():     Register ─▶ Renew ─▶ Read ─▶ Publish ─▶ Acknowledge ─▶ Renew …     one thread, all the time
//     session():  is the lease of what is published in force? ─▶ the index, with that lease's end
//                 verdict ─▶ may_answer(): is it still?                               no store, one look at the clock
//
// A lease runs from before it was asked for, by a clock that a suspended machine's sleep does not stop. What is
// published is data and its lease together: while a session holds the one, nobody changes the other. When the store
// can't be reached, answers go on until the lease ends, and then there are none.
//
// Nothing is cached but the cost. What the verifier once saw it holds the store to, and with a memory (known_log.h) so
// does the next process: a log that is shorter, or another, is refused until it continues that one again, or owners
// have accepted it.
//
// Thread-safe.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <shared_mutex>
#include <string>
#include <variant>
#include <vector>

#include "audit/merkle.h"
#include "base/secret.h"
#include "store/store.h"
#include "verify/index.h"
#include "verify/known_log.h"
#include "verify/reaper.h"

namespace marque::verify {

// What whoever runs a verifier wants to hear of; each is said once when it begins.
struct Notice {
    enum class Kind {
        NotFresh,       // no verdict until further notice; `what` is why
        Fresh,          // verdicts again
        Reloaded,       // everything was read again; `what` is why
        Accepted,       // another log than the known one is gone on with, because owners have said so
        NotRemembered,  // what is known of the log could not be kept for the next process; `what` is why
    };
    Kind kind;
    std::string what;
    domain::Revision revision = 0;
    std::string tampered = {};  // of NotFresh: as Error's
};

struct VerifierStatus {
    bool is_fresh = false;
    bool log_verifies = true;  // false: what was appended does not continue the log, or is not sealed by us
    std::string why_not;
    domain::Revision revision = 0;
    std::size_t credentials = 0;
    std::size_t index_bytes = 0;
    std::uint64_t catch_ups = 0;
    std::uint64_t reloads = 0;
    Instant last_catch_up;
    std::optional<Duration> lease_left;  // negative: since when there is none. None: there are no leases
    std::uint64_t leases_lost = 0;       // how often one ended before the next was given
};

class Verifier {
 public:
    using OpenStore = std::function<Result<std::unique_ptr<store::Store>>()>;
    using Listen = std::function<void(const Notice&)>;  // called with locks held: must not call back

    // `clock` and `memory` outlive the verifier. Does not open the store: the first session, or `keep`, does. The mode
    // of `terms` decides only where the store has rows for verifiers. Without a memory, nothing is known at the start.
    Verifier(OpenStore open_store, Secret sealing_key, const Clock& clock, Listen listen,
             store::VerifierTerms terms = {"", store::Freshness::Strict}, Memory* memory = nullptr);

    // The index as it was at some moment after the call began; nobody writes it while the session lives, so it is to
    // be short. It stands for every verification whose whole request had arrived before the call.
    class Session {
     public:
        const Index& index() const { return *index_; }
        domain::Revision revision() const { return revision_; }
        // Whether what was judged may be said: to be asked when the verdict is there, each time. False: the lease that
        // it rests on has ended meanwhile.
        bool may_answer() const;

     private:
        friend class Verifier;
        Session(std::shared_lock<std::shared_mutex> lock, const Verifier& verifier, Duration deadline)
            : lock_(std::move(lock)),
              verifier_(&verifier),
              index_(&verifier.index_),
              revision_(verifier.frontier_->size()),
              deadline_(deadline) {}
        mutable std::shared_lock<std::shared_mutex> lock_;
        const Verifier* verifier_;
        const Index* index_;
        domain::Revision revision_;
        Duration deadline_;
    };
    // Errors: Unavailable, Corrupt and all else that a store says: then nobody is accepted.
    Result<Session> session();

    // Returns how much of the log this verifier knows. Errors: why it gives no verdicts. Tampered rows are not an
    // error here, because a writer has to record them in the log.
    Result<audit::Frontier> known() const;
    // Checks that `reader` reads this installation, and that its log continues `known`. To be called before a write: a
    // change in another store would be lost when the right one is back. Call known() before the snapshot begins if
    // others can append to the log meanwhile. Errors: why not.
    Result<void> recognise(const store::Reader& reader, const audit::Frontier& known) const;

    // One turn of what keeps verdicts coming, by one thread, again and again. With leases: renews when it is time, and
    // follows the log when there was word of it. Without: looks whether the store's files are well, and tries again
    // when it was not fresh. Errors: as of session; they are told, too.
    Result<void> keep();
    // What that thread does between two turns: waits until there may be something to do, for `longest`.
    void rest(Duration longest);
    // Tells when a lease has ended, for whoever can't wait for that thread: it may be waiting for the store.
    void notice_end_of_lease();
    // Nothing is answered any more; whoever waits for this verifier need not. After the last turn.
    void leave();

    VerifierStatus status() const;

 private:
    // What a store says since the last time, read and not yet published.
    using Row = std::variant<domain::Workspace, domain::Environment, domain::Identity, domain::Credential>;
    struct News {
        store::StoredHead head;
        std::optional<KnownLog> known;
        std::string installation;
        std::vector<Row> rows;  // what has changed; or, when everything was read, none: it lies in the index
    };
    static constexpr Duration for_ever = Duration::max();

    bool is_fresh() const;
    std::shared_lock<std::shared_mutex> lock_for_reading() const;
    // Runs `body` while nobody reads, and nobody waits in vain to: the one that keeps leases does not have the lock.
    template <class Body>
    auto alone(const Body& body);
    Result<void> bring_up_to_date();
    Result<void> keep_on();
    Result<void> open_and_mark();
    Result<void> catch_up();
    Result<void> keep_lease();
    Result<void> follow(Duration deadline, const store::Renewal& reaching);
    Result<void> acknowledge();
    store::Renewal known_entry() const;
    void tell_closed();
    Result<void> recall();
    // `reaching`: a head that the log has to have; 0: none.
    Result<News> read_news(const store::Reader& reader, const store::Renewal& reaching = {});
    Result<void> check_installation(const store::Reader& reader) const;
    struct Followed {
        std::set<domain::Subject> touched;
        std::optional<KnownLog> last;       // after the last entry that was read
        std::optional<Instant> acceptance;  // the newest of them
    };
    Result<Followed> follow_log(const store::Reader& reader, const store::StoredHead& head, audit::Frontier known,
                                const store::Renewal& reaching = {}) const;
    Result<Followed> follow_from_known(const store::Reader& reader, const store::StoredHead& head,
                                       const store::Renewal& reaching);
    Result<bool> is_accepted(const store::Reader& reader, const store::StoredHead& head);
    void remember();
    Result<std::vector<Row>> read_rows(const store::Reader& reader, const std::set<domain::Subject>& touched) const;
    Result<void> load(const store::Reader& reader);
    Result<void> publish(News news);
    void begin_anew();
    void refuse(Error error);
    void have_caught_up();
    void publish_status();

    const OpenStore open_store_;
    const Secret sealing_key_;
    const Clock& clock_;
    const Listen listen_;
    const store::VerifierTerms terms_;

    mutable std::shared_mutex mutex_;  // guards all below
    mutable std::mutex gate_;          // whoever writes holds it too: readers that come later let the writer go first
    std::atomic<bool> has_writer_{false};
    std::unique_ptr<store::Store> store_;  // with leases: of the thread that keeps them, and of nobody else
    // There is one, and its memory is kept: everything can be read again when there is no more than it has. While it is
    // not whole, it belongs to the thread that reads, without the lock where there are leases.
    Index index_;
    bool is_loaded_ = false;  // the index is whole
    std::string installation_;
    std::optional<audit::Frontier> frontier_;  // of the log that the index is of
    std::uint64_t unlogged_writes_ = 0;
    std::optional<Error> refusal_;  // why there are no sessions
    std::string told_;              // the reason that was told last
    std::string replaced_;          // how it was seen that the store was replaced
    std::chrono::steady_clock::time_point retry_at_;
    bool log_verifies_ = true;
    std::uint64_t catch_ups_ = 0, reloads_ = 0;
    Instant last_catch_up_;

    // Leases. The deadline is moved without the lock while what it is of stays published.
    std::atomic<bool> is_leased_{false};
    std::atomic<Duration::rep> deadline_{0};
    std::string member_;  // the row's id
    Duration renew_at_{};
    bool has_word_ = false;
    std::string why_not_renewed_;
    std::string told_closed_;  // what the row says
    std::uint64_t leases_lost_ = 0;
    Reaper reaper_;

    Memory* const memory_;
    std::optional<KnownLog> known_;     // of the log that the index is of; before that, as it was recalled
    std::optional<KnownLog> recalled_;  // commands advance it too, before they report a change as done
    std::optional<KnownLog> given_up_;  // owners have accepted another log in its place
    audit::Digest searched_{};          // the head's seal when an acceptance was looked for in vain
    // Of the thread that keeps:
    std::optional<KnownLog> remembered_;
    Duration remember_at_{};
    std::string not_remembered_;
#ifdef MARQUE_MUTANTS
    std::atomic<bool> flag_{false};  // Mutant::Flag
    friend class Simulation;
#endif

    mutable std::mutex status_mutex_;  // of its own: who holds a session may ask
    VerifierStatus status_;
};

}  // namespace marque::verify
