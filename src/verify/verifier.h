// verify/verifier.h: keeps an index of the store that is never older than the question (invariants 6 and 7), in one of
// two ways.
//
// With SQLite, where looking for a change costs almost nothing, and in the mode strict, the store is asked before each
// round of answers:
//
//     session():  was anything committed since the index was built? ── no ──▶ the index, locked for reading
//                       │ yes
//                       ▼  (one thread; the others wait for it)
//                 mark ─▶ snapshot ─▶ entries after my revision ─▶ do they continue my tree, sealed by us?
//                                                                 ─▶ read the rows they are about ─▶ put
//
// With PostgreSQL, the verifier has a lease (the steps have the names of test/model/revoke_lease.pml):
//
//     keep():     Register ─▶ Renew ─▶ Read ─▶ Publish ─▶ Acknowledge ─▶ Renew …     one thread, all the time
//     session():  is the lease of what is published in force? ─▶ the index, with that lease's end
//                 verdict ─▶ may_answer(): is it still?                               no store, one look at the clock
//
// A lease's time is counted from before the request for it, by a clock that goes on while the machine is suspended. The
// index and its lease are published together, and neither is replaced while a session lives. When the store can't be
// reached, the verifier answers until the lease ends, and then not at all.
//
// No verdict is cached, only the index. A store whose log is shorter than the log that the verifier knows, or differs
// from it, is refused until its log continues the known one, or owners have accepted it. With a Memory (known_log.h),
// this holds after a restart, too.
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

// An event for the server's log. Each is told once, when it begins.
struct Notice {
    enum class Kind {
        NotFresh,       // no verdicts until Fresh is told; `what` is the reason
        Fresh,          // there are verdicts again
        Reloaded,       // the whole store was read again; `what` is the reason
        Accepted,       // the log is not the known one, and owners have accepted it
        NotRemembered,  // known_log could not be written; `what` is the reason
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

    // The index as it was at some moment after the call of session() began. The index is not changed while a session
    // lives, so keep it short. It may be used for every request that had arrived whole before the call.
    class Session {
     public:
        const Index& index() const { return *index_; }
        domain::Revision revision() const { return revision_; }
        // Returns false if the lease has ended meanwhile: then the verdict must not be used. Call it after each
        // verdict.
        bool may_answer() const;

     private:
        friend class Verifier;
        Session(std::shared_lock<std::shared_mutex> lock, const Verifier& verifier, Duration deadline)
            : lock_(std::move(lock)),
              verifier_(&verifier),
              index_(&verifier.index_),
              revision_(verifier.frontier_->size()),
              deadline_(deadline) {}
        std::shared_lock<std::shared_mutex> lock_;
        const Verifier* verifier_;
        const Index* index_;
        domain::Revision revision_;
        Duration deadline_;
    };
    // Errors: Unavailable, Corrupt and others of a store; then no token can be accepted.
    Result<Session> session();

    // Returns how much of the log this verifier knows. Errors: why it gives no verdicts. Tampered rows are not an
    // error here, because a writer has to record them in the log.
    Result<audit::Frontier> known() const;
    // Checks that `reader` reads this installation, and that its log continues `known`. To be called before a write: a
    // change in another store would be lost when the right one is back. Call known() before the snapshot begins if
    // others can append to the log meanwhile. Errors: why not.
    Result<void> recognise(const store::Reader& reader, const audit::Frontier& known) const;

    // One turn of the work that keeps the index fresh; one thread calls it again and again. With leases: renews the
    // lease when it is due, and reads the changes when there was a notification. Without leases: checks the store's
    // files, and tries again if there was an error. Errors: those of session(), which are also told to `listen`.
    Result<void> keep();
    // Waits until there may be something to do, at most for `longest`. The thread that calls keep() calls it in
    // between.
    void rest(Duration longest);
    // Tells `listen` if the lease has ended. For another thread, because the one in keep() may be waiting for the
    // store.
    void notice_end_of_lease();
    // Removes the verifier's row after the last turn of keep(), so that no change waits for it. There are no sessions
    // afterwards.
    void leave();

    VerifierStatus status() const;

 private:
    // The changes since the last publication, read from the store and not yet published.
    using Row = std::variant<domain::Workspace, domain::Environment, domain::Identity, domain::Credential>;
    struct News {
        store::StoredHead head;
        std::optional<KnownLog> known;
        std::string installation;
        std::vector<Row> rows;  // the changed records; empty if the whole store was read, straight into the index
    };
    static constexpr Duration for_ever = Duration::max();

    bool is_fresh() const;
    std::shared_lock<std::shared_mutex> lock_for_reading() const;
    // Runs `body` with the lock for writing. New readers wait, so that a steady stream of them can't keep it from the
    // lock.
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
    mutable std::mutex gate_;          // a writer holds it, too, so that later readers let the writer go first
    std::atomic<bool> has_writer_{false};
    std::unique_ptr<store::Store> store_;  // with leases: of the thread that keeps them, and of nobody else
    // There is one index, and it keeps its memory, so that the store can be read again when no more memory is left.
    // While it is being loaded, only the loading thread uses it; with leases that thread does not hold the lock.
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

    // Leases. The deadline is moved on without the lock while the same index stays published.
    std::atomic<bool> is_leased_{false};
    std::atomic<Duration::rep> deadline_{0};
    std::string member_;  // the row's id
    Duration renew_at_{};
    bool has_word_ = false;  // a change was notified and not read yet
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
    friend class Simulation;  // test/simulate, which has no threads

    mutable std::mutex status_mutex_;  // of its own: who holds a session may ask
    VerifierStatus status_;
};

}  // namespace marque::verify
