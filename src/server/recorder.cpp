#include "server/recorder.h"

#include <algorithm>
#include <latch>

#include "server/no_memory.h"
#include "server/worker.h"
#include "verify/known_store.h"

namespace marque::server {
namespace {

using namespace std::chrono_literals;
using namespace domain;

constexpr std::size_t credentials_at_a_time = 50'000;
constexpr auto count_interval = 60s;
// Between two tries of what the store does not let us do.
constexpr auto forbidden_interval = 60s;

constexpr const char* request_name = "serve";

}  // namespace

Recorder::Recorder(Needs needs) : needs_(std::move(needs)) {
    count_expiring();
    // Its store is open before anybody is answered: what is there already needs no descriptor and little memory when
    // others have taken them all.
    std::latch opened(1);
    thread_ = std::thread([this, &opened] {
        (void)unless_no_memory([&] { return store(); }, [] { return Result<store::Store*>(no_memory()); });
        opened.count_down();
        run();
    });
    opened.wait();
}

Recorder::~Recorder() {
    {
        const std::lock_guard lock(mutex_);
        is_stopping_ = true;
    }
    changed_.notify_one();
    thread_.join();
}

void Recorder::revoke(Revocation revocation, std::function<void(Answer)> done) {
    {
        const std::lock_guard lock(mutex_);
        jobs_.push_back({std::move(revocation), std::move(done)});
    }
    changed_.notify_one();
}

void Recorder::tell_tampering(Error error) {
    {
        const std::lock_guard lock(mutex_);
        tampering_ = std::move(error);
    }
    changed_.notify_one();
}

void Recorder::record_tampering(const Error& error) {
    const auto recorded = [&]() -> Result<void> {
        return authority::tell_tampering(*TRY(store()), error, needs_.process, needs_.clock.now(), request_name);
    }();
    if (!recorded) needs_.log.say(LogLevel::Error, "tampering_not_recorded", {{"reason", recorded.error().message}});
}

void Recorder::run() {
    const auto interval = std::chrono::duration_cast<std::chrono::steady_clock::duration>(needs_.flush_interval);
    Time next_flush = std::chrono::steady_clock::now() + interval;
    for (;;) {
        std::vector<Job> jobs;
        std::optional<Error> tampering;
        bool is_last = false;
        {
            std::unique_lock lock(mutex_);
            changed_.wait_until(lock, next_flush, [&] { return is_stopping_ || !jobs_.empty() || tampering_; });
            jobs.swap(jobs_);
            tampering.swap(tampering_);
            is_last = is_stopping_;
        }
        carry_out(jobs);
        const Time now = std::chrono::steady_clock::now();
        const bool is_due = is_last || now >= next_flush;
        if (is_due) next_flush = now + interval;
        unless_no_memory(
            [&] {
                if (tampering) record_tampering(*tampering);
                if (is_due) flush();
                if (!is_last && now >= next_count_) {
                    count_expiring();
                    // What takes no time can be done often.
                    const bool is_small = needs_.verifier.status().credentials <= credentials_at_a_time;
                    next_count_ = now + (is_small ? interval : count_interval);
                }
            },
            [&] { give_up(); });
        if (is_last) return;
    }
}

// What a transaction was in the middle of is undone, and nobody waits for its end.
void Recorder::give_up() {
    store_.reset();
    ++flush_failures_;
    needs_.log.say_bounded(LogLevel::Warning, "no_memory", {});
}

Result<store::Store*> Recorder::store() {
    return verify::open_known(store_, needs_.open_store, needs_.verifier);
}

// All of them, and then one wait for all: what is said to be revoked no verifier accepts any more.
void Recorder::carry_out(std::span<Job> jobs) {
    if (jobs.empty()) return;
    std::vector<Result<authority::HolderRevocation>> revoked;
    std::optional<Error> not_in_force;
    unless_no_memory([&] { not_in_force = revoke_all(jobs, revoked); },
                     [&] {
                         give_up();
                         not_in_force = no_memory(Code::OutcomeUnknown);
                     });
    for (std::size_t i = 0; i < jobs.size(); ++i)
        unless_no_memory(
            [&] {
                const bool has_tried = i < revoked.size();
                const bool is_done = has_tried && revoked[i].has_value() && !not_in_force;
                if (!is_done) {
                    const Error& error = has_tried && !revoked[i] ? revoked[i].error() : *not_in_force;
                    needs_.log.say(LogLevel::Error, "revocation_failed",
                                   {{"reason", error.message}, {"outcome", name_of(error.code)}});
                }
                jobs[i].done(revoked_answer(
                    is_done, is_done && revoked[i]->kind == authority::HolderRevocation::Kind::AnothersToken));
            },
            [] {});  // whoever asked waits until the connection's time is up
}

// Why those that were revoked are not in force.
std::optional<Error> Recorder::revoke_all(std::span<const Job> jobs,
                                          std::vector<Result<authority::HolderRevocation>>& revoked) {
    Revision newest = 0;
    auto awaiting = authority::Awaiting::No;
    for (const Job& job : jobs) {
        const auto& one = revoked.emplace_back(revoke_one(job.revocation));
        if (!one) continue;
        newest = std::max(newest, one->revision);
        // Nobody can make others wait by revoking what there is not.
        if (one->kind == authority::HolderRevocation::Kind::Revoked) awaiting = authority::Awaiting::Yes;
    }
    if (newest > 0)
        if (auto in_force = await(newest, awaiting); !in_force) return std::move(in_force).error();
    return std::nullopt;
}

Result<authority::HolderRevocation> Recorder::revoke_one(const Revocation& revocation) {
    store::Store* const store = TRY(this->store());
    return authority::revoke_by_holder(*store, needs_.token_key, revocation.token.reveal_text(), revocation.client,
                                       needs_.clock.now(), request_name);
}

// Said to hold only when verdicts rest on it, here and everywhere: a copy may have been put in the store's place
// meanwhile.
Result<void> Recorder::await(Revision revision, authority::Awaiting awaiting) {
    if (awaiting == authority::Awaiting::Yes) {
        store::Store* const store = TRY(this->store());
        const authority::Receipt receipt = authority::Barrier(*store, needs_.clock).await(revision, awaiting);
        if (receipt.force != authority::Force::Everywhere) return Error(Code::OutcomeUnknown, receipt.why);
    }
    const auto session = TRY(needs_.verifier.session());
    if (session.revision() < revision)
        return Error(Code::OutcomeUnknown, "the store was replaced while a holder revoked");
    return {};
}

void Recorder::tell(std::string& told, const char* what, const Error& error) {
    if (error.message != told) needs_.log.say(LogLevel::Warning, what, {{"reason", error.message}});
    told = error.message;
}

Result<void> Recorder::note_uses(verify::Uses& uses) {
    store::Store* const store = TRY(this->store());
    return authority::note_uses(*store, uses, needs_.clock.now());
}

void Recorder::flush() {
    for (Worker* worker : needs_.workers) {
        verify::Uses uses = worker->take_uses();
        const auto noted = unless_no_memory([&] { return note_uses(uses); },
                                            [&] {
                                                store_.reset();
                                                return Result<void>(no_memory());
                                            });
        successors_.insert(successors_.end(), uses.successors.begin(), uses.successors.end());
        uses.successors.clear();
        if (noted) continue;
        ++flush_failures_;
        worker->give_back(std::move(uses));
        tell(uses_told_, "uses_not_written", noted.error());
        return;  // a store that is held or away is not waited for once a worker
    }
    uses_told_.clear();
    write_events();
}

// Beside the uses: a database's role that may only note those keeps none of them back.
void Recorder::write_events() {
    const Time now = std::chrono::steady_clock::now();
    if (now < next_events_) return;
    // One that can't be ended now is used again and again.
    std::ranges::sort(successors_);
    const auto twice = std::ranges::unique(successors_);
    successors_.erase(twice.begin(), twice.end());
    const auto written = [&]() -> Result<void> {
        store::Store* const store = TRY(this->store());
        return authority::write_events_of_uses(*store, successors_, needs_.clock.now(), request_name);
    }();
    if (written) return events_told_.clear();
    if (written.error().code == Code::PermissionDenied)
        next_events_ = now + forbidden_interval;
    else
        ++flush_failures_;
    tell(events_told_, "events_not_written", written.error());
}

void Recorder::count_expiring() {
    const Instant now = needs_.clock.now();
    std::uint64_t day = 0, week = 0;
    for (std::size_t at = 0;; at += credentials_at_a_time) {
        const auto session = needs_.verifier.session();
        if (!session) return;
        if (at >= session->index().credentials()) break;
        day += session->index().count_ending(now, std::chrono::days(1), at, credentials_at_a_time);
        week += session->index().count_ending(now, std::chrono::days(7), at, credentials_at_a_time);
    }
    expiring_day_ = day;
    expiring_week_ = week;
}

}  // namespace marque::server
