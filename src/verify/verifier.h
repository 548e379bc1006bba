// verify/verifier.h: an index that is never older than the question (invariants 6 and 7).
//
//     session():  was anything committed since the index was built? ── no ──▶ the index, locked for reading
//                       │ yes
//                       ▼  (one thread; the others wait for it)
//                 mark ─▶ snapshot ─▶ entries after my revision ─▶ do they continue my tree, sealed by us?
//                                                                 ─▶ read the rows they are about ─▶ put
//
// Nothing is cached but the cost: the commit counter is compared for every session, and no clock is involved. When the
// store can't be asked there is no session, and so no verdict. What the verifier once saw it holds the store to: a log
// that is shorter, or another, is refused until it continues that one again or the process is started anew.
//
// Thread-safe.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <shared_mutex>
#include <string>

#include "audit/merkle.h"
#include "base/secret.h"
#include "store/store.h"
#include "verify/index.h"

namespace marque::verify {

// What whoever runs a verifier wants to hear of; each is said once when it begins.
struct Notice {
    enum class Kind {
        NotFresh,  // no verdict until further notice; `what` is why
        Fresh,     // verdicts again
        Reloaded,  // everything was read again; `what` is why
    };
    Kind kind;
    std::string what;
    domain::Revision revision = 0;
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
};

class Verifier {
 public:
    using OpenStore = std::function<Result<std::unique_ptr<store::Store>>()>;
    using Listen = std::function<void(const Notice&)>;  // called with locks held: must not call back

    // `clock` outlives the verifier. Does not open the store: the first session, or `examine`, does.
    Verifier(OpenStore open_store, Secret sealing_key, const Clock& clock, Listen listen);

    // The index as it was at some moment after the call began; nobody writes it while the session lives, so it is to
    // be short. It stands for every verification whose whole request had arrived before the call.
    class Session {
     public:
        const Index& index() const { return *index_; }
        domain::Revision revision() const { return revision_; }

     private:
        friend class Verifier;
        Session(std::shared_lock<std::shared_mutex> lock, const Index& index, domain::Revision revision)
            : lock_(std::move(lock)), index_(&index), revision_(revision) {}
        std::shared_lock<std::shared_mutex> lock_;
        const Index* index_;
        domain::Revision revision_;
    };
    // Errors: Unavailable, Corrupt and all else that a store says: then nobody is accepted.
    Result<Session> session();

    // Whether what `reader` reads is the installation whose log this knows, or one that continues it, and verdicts are
    // given at all. For whoever is about to write: a change in another store would be undone when the right one is
    // back. Errors: why not.
    Result<void> recognise(const store::Reader& reader) const;

    // Looks whether the store's files are well, and tries again when it was not fresh. To be called now and then.
    void examine();

    VerifierStatus status() const;

 private:
    bool is_fresh() const;
    Result<void> bring_up_to_date();
    Result<void> catch_up();
    Result<void> open_and_mark();
    Result<void> catch_up_from(const store::Reader& reader);
    Result<void> check_installation(const store::Reader& reader) const;
    Result<std::set<domain::Subject>> follow_log(const store::Reader& reader, const store::StoredHead& head,
                                                 audit::Frontier known) const;
    Result<void> apply(const store::Reader& reader, const std::set<domain::Subject>& touched);
    Result<void> load(const store::Reader& reader);
    void refuse(Error error);
    void publish_status();

    const OpenStore open_store_;
    const Secret sealing_key_;
    const Clock& clock_;
    const Listen listen_;

    mutable std::shared_mutex mutex_;  // guards all below
    std::unique_ptr<store::Store> store_;
    std::unique_ptr<Index> index_;
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

    mutable std::mutex status_mutex_;  // of its own: who holds a session may ask
    VerifierStatus status_;
};

}  // namespace marque::verify
