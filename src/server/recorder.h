// server/recorder.h: the one thread that writes: last uses every few seconds, refused ones, what a use ends, and
// revocations by holders at once. It has a store of its own, so that nothing that answers waits for the disk.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "authority/barrier.h"
#include "authority/runtime.h"
#include "base/secret.h"
#include "server/log.h"
#include "server/routes.h"
#include "verify/verifier.h"

namespace marque::server {

class Worker;

class Recorder {
 public:
    struct Needs {
        verify::Verifier::OpenStore open_store;
        const Secret& token_key;
        const Clock& clock;
        Log& log;
        Duration flush_interval;
        std::vector<Worker*> workers;
        verify::Verifier& verifier;
        audit::Process process;
    };
    explicit Recorder(Needs needs);
    // Writes what is left, then ends.
    ~Recorder();

    void revoke(Revocation revocation, std::function<void(Answer)> done);

    // That the verifier was found to refuse what somebody wrote into the store.
    void tell_tampering(Error error);

    std::uint64_t flush_failures() const { return flush_failures_; }
    std::uint64_t expiring_day() const { return expiring_day_; }
    std::uint64_t expiring_week() const { return expiring_week_; }

 private:
    using Time = std::chrono::steady_clock::time_point;
    struct Job {
        Revocation revocation;
        std::function<void(Answer)> done;
    };

    void run();
    void record_tampering(const Error& error);
    void carry_out(std::span<Job> jobs);
    std::optional<Error> revoke_all(std::span<const Job> jobs,
                                    std::vector<Result<authority::HolderRevocation>>& revoked);
    Result<authority::HolderRevocation> revoke_one(const Revocation& revocation);
    Result<void> await(domain::Revision revision, authority::Awaiting awaiting);
    void give_up();
    void flush();
    Result<void> note_uses(verify::Uses& uses);
    void write_events();
    // Says it, unless it was what was said last.
    void tell(std::string& told, const char* what, const Error& error);
    Result<store::Store*> store();
    void count_expiring();

    const Needs needs_;
    std::unique_ptr<store::Store> store_;
    std::vector<domain::CredentialId> successors_;  // used, and written; each once
    std::string uses_told_, events_told_;           // the failure that was told last
    std::atomic<std::uint64_t> flush_failures_{0}, expiring_day_{0}, expiring_week_{0};
    Time next_count_{}, next_events_{};

    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<Job> jobs_;
    std::optional<Error> tampering_;
    bool is_stopping_ = false;
    std::thread thread_;
};

}  // namespace marque::server
