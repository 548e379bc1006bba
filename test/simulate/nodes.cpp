#include "test/simulate/nodes.h"

#include <fmt/format.h>

#include "authority/keys.h"

namespace marque::verify {

// What a real verifier has its own threads and the kernel for.
class Simulation {
 public:
    static Duration renew_at(const Verifier& verifier) { return verifier.renew_at_; }
    static void tell(Verifier& verifier) { verifier.has_word_ = true; }
    static bool has_lease(const Verifier& verifier, Duration now) { return now < Duration(verifier.deadline_); }
};

}  // namespace marque::verify

namespace marque {

namespace {
std::map<const verify::Verifier*, bool> flags;
}

bool is_flagged(const verify::Verifier& verifier) {
    return flags[&verifier];
}

}  // namespace marque

namespace marque::simulation {

using verify::Simulation;

namespace {

// A session, from before it is asked for. Without its lock (Mutant::Unbound) it holds nobody up.
class Held {
 public:
    Held(Tasks& tasks, Process& process) : tasks_(tasks), process_(process) { process_.sessions += weight_; }
    Held(const Held&) = delete;
    ~Held() {
        process_.sessions -= weight_;
        if (process_.sessions == 0)
            for (const Tasks::Id task : process_.tasks) tasks_.release(task);
    }

 private:
    Tasks& tasks_;
    Process& process_;
    const int weight_ = is_mutant(Mutant::Unbound) ? 0 : 1;
};

}  // namespace

Process::Process(World& world, Machine& on, Database& database, const Secret& root_key, store::Freshness mode)
    : machine(on),
      verifier(
          [&]() -> Result<std::unique_ptr<store::Store>> {
              return std::make_unique<SimulatedStore>(world, database, on, SimulatedStore::Reads::Anywhere);
          },
          authority::log_seal_key(root_key), on,
          [&](const verify::Notice& notice) {
              world.step(on.name(), notice.kind == verify::Notice::Kind::NotFresh ? "no verdicts" : "verdicts",
                         notice.revision, notice.what);
          },
          {on.name(), mode, world.lease}) {}

Node::Node(World& world, Database& database, Promises& promises, const Secret& root_key, std::string name)
    : machine(world, std::move(name), world.chance.one_in(2) ? 100 : static_cast<int>(world.chance.below(101))),
      mode(world.is_faulty && world.chance.one_in(16) ? store::Freshness::AckOnly : store::Freshness::Lease),
      world_(world),
      database_(database),
      promises_(promises),
      root_key_(root_key),
      hasher_(authority::token_key(root_key)) {}

void Node::start(Former former) {
    for (const auto& process : std::vector(processes_)) {
        if (former == Former::Killed)
            kill(*process);
        else
            world_.tasks.start([this, process] {
                world_.tasks.sleep_for(world_.chance.up_to(3 * world_.lease));
                kill(*process);
            });
    }
    world_.step(machine.name(), "Start");
    const auto process = std::make_shared<Process>(world_, machine, database_, root_key_, mode);
    flags[&process->verifier] = false;
    processes_.push_back(process);
    // Whoever will take the verifier's lock to write is held while a session has it: the one thread there is would
    // wait for itself.
    const auto is_held = [process] { return process->sessions > 0; };
    process->tasks = {world_.tasks.start([this, process] { keep(*process); }, is_held),
                      world_.tasks.start([this, process] { watch(*process); }, is_held)};
}

void Node::kill(Process& process) {
    process.is_alive = false;
    for (const Tasks::Id task : process.tasks) world_.tasks.end(task);
    std::erase_if(processes_, [&](const auto& one) { return one.get() == &process; });
}

// The thread that renews; between two turns it listens.
void Node::keep(Process& process) {
    for (;;) {
        const auto kept = process.verifier.keep();
        if (!kept) world_.step(machine.name(), "does not keep up", 0, kept.error().message);
        flags[&process.verifier] = Simulation::has_lease(process.verifier, machine.reading());
        process.has_begun |= kept.has_value();
        const Duration due = kept ? Simulation::renew_at(process.verifier) - machine.reading() : 50ms;
        process.is_resting = true;
        if (due > 0us) machine.sleep_for(machine.true_time(due));
        process.is_resting = false;
    }
}

// The thread that tells when a lease has ended.
void Node::watch(Process& process) {
    for (;;) {
        machine.sleep_for(world_.lease / 20);
        process.verifier.notice_end_of_lease();
        flags[&process.verifier] = Simulation::has_lease(process.verifier, machine.reading());
    }
}

void Node::announce() {
    for (const auto& process : processes_) {
        if (!process->is_resting || (world_.is_faulty && world_.chance.one_in(4))) continue;
        Simulation::tell(process->verifier);
        world_.tasks.wake(process->tasks.front(), world_.now() + 100us + world_.chance.up_to(1ms));
    }
}

void Node::verify(const Token& token) {
    machine.point();
    if (processes_.empty()) return;
    const std::shared_ptr<Process> process = world_.chance.one_of(processes_);
    ++world_.verifications;
    const bool is_ended = promises_.is_ended(token), is_paused = promises_.paused.contains(token.identity);
    const std::uint64_t resumes = promises_.resumes;
    const Time began = world_.now();
    const Held held(world_.tasks, *process);
    const auto session = process->verifier.session();
    if (!session) {
        if (!world_.is_faulty && process->has_begun)
            world_.violate("without a fault " + machine.name() + " refuses to answer: " + session.error().message);
        return;
    }
    bool is_accepted = session->index().verify(hasher_, token.text, {}, machine.now()).is_accepted();
    if (is_mutant(Mutant::Cache))
        is_accepted = process->replayed.try_emplace(token.credential, is_accepted).first->second;
    if (!session->may_answer() || !process->is_alive || !is_accepted) return;
    if (!is_ended && (!is_paused || resumes != promises_.resumes)) return;
    world_.violate(fmt::format("{} accepts credential {} of {}, which was {} before the verification began, at {} us",
                               machine.name(), token.credential.string(), token.identity.text(),
                               is_ended ? "revoked" : "paused", began.count()));
}

}  // namespace marque::simulation
