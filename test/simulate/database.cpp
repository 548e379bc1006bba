#include "test/simulate/database.h"

namespace marque::simulation {

using domain::Revision;

namespace {

constexpr Duration lock_time_out = 5s;

bool has(const store::memory::Rows& rows, const store::Renewal& entry) {
    return entry.revision == 0 ||
           (entry.revision <= rows.entries.size() && rows.entries[entry.revision - 1].seal == entry.seal);
}

}  // namespace

Database::Database(World& world, const store::memory::Rows& rows, Secret sealing_key)
    : world_(world), sealing_key_(std::move(sealing_key)) {
    for (Server& server : servers_) server.data.log = server.newest = copy_of(rows);
}

Log Database::copy_of(const store::memory::Rows& rows) const {
    auto log = std::make_shared<store::memory::MemoryStore>(Secret::copy_of(sealing_key_.reveal()));
    log->rows = rows;
    return log;
}

const Database::Data& Database::shown(int number) {
    Server& server = servers_[number];
    const bool is_standby = number == 1 && !promoted_at_;
    const std::vector<Record>& records = is_standby ? servers_[0].records : server.records;
    for (; server.next < records.size(); ++server.next) {
        const Record& record = records[server.next];
        if ((is_standby ? record.replayed_at : record.shown_at) > world_.now()) break;
        record.apply(server.data);
    }
    return server.data;
}

std::size_t Database::write(int number, std::function<void(Data&)> apply) {
    Server& server = servers_[number];
    Chance& chance = world_.chance;
    const Time now = world_.now();
    Record record{std::move(apply), now, now, now};
    if (number == 0) {
        record.shipped_at = now + 100us + chance.up_to(chance.one_in(20) ? 20ms : 1ms);
        if (world_.is_faulty && chance.one_in(100)) record.shipped_at += chance.up_to(world_.lease);
        record.replayed_at = record.shipped_at + chance.up_to(chance.one_in(4) ? 3 * world_.lease : 10ms);
        if (promoted_at_) {
            record.is_lost = true;
            record.shown_at = now + chance.up_to(world_.lease);
        } else if (!is_mutant(Mutant::Async)) {
            record.shown_at = record.shipped_at;
        }
        if (!server.records.empty()) {  // in order
            const Record& before = server.records.back();
            record.shipped_at = std::max(record.shipped_at, before.shipped_at);
            record.replayed_at = std::max(record.replayed_at, before.replayed_at);
            record.shown_at = std::max(record.shown_at, before.shown_at);
        }
    }
    server.records.push_back(std::move(record));
    return server.records.size() - 1;
}

Result<void> Database::finish(int number, std::size_t at) {
    const auto record = [&]() -> const Record& { return servers_[number].records[at]; };
    while (world_.now() < record().shown_at) world_.tasks.sleep_until(record().shown_at);
    if (!record().is_lost || is_mutant(Mutant::Cancel) || is_mutant(Mutant::Async)) return {};
    return Error(Code::OutcomeUnknown, "the database stopped waiting for its standby");
}

void Database::promote() {
    if (promoted_at_) return;
    world_.note_fault("database", "Promote the standby");
    promoted_at_ = world_.now();
    Server &first = servers_[0], &second = servers_[1];
    for (; second.next < first.records.size(); ++second.next)
        if (first.records[second.next].shipped_at <= world_.now())
            first.records[second.next].apply(second.data);
        else
            break;
    for (std::size_t i = second.next; i < first.records.size(); ++i) {
        Record& record = first.records[i];
        record.is_lost = true;
        record.shown_at = std::max(record.shown_at, world_.now() + world_.chance.up_to(world_.lease));
        if (i > 0) record.shown_at = std::max(record.shown_at, first.records[i - 1].shown_at);
        first.free_at = std::max(first.free_at, record.shown_at);
    }
    second.next = 0;
    second.newest = second.data.log;
}

int Database::connect() {
    return promoted_at_ && world_.chance.one_in(2) ? 1 : 0;
}

void SimulatedStore::connect() {
    server_ = database_.connect();
}

// Begins a call, at the server that it reaches.
Result<int> SimulatedStore::call() {
    // A connection that broke since the last call is made anew without a word.
    if (database_.is_promoted() && world_.chance.one_in(5)) connect();
    TRY(travel(Machine::Way::There));
    return server_;
}

Result<void> SimulatedStore::travel(Machine::Way way) {
    auto travelled = client_.travel(way);
    if (!travelled) connect();
    return travelled;
}

Result<void> SimulatedStore::read(const std::function<Result<void>(const store::Reader&)>& view) {
    const int server = TRY(call());
    const bool is_replica = is_mutant(Mutant::Replica) && reads_ == Reads::Anywhere && world_.chance.one_in(2);
    const Log snapshot = database_.shown(is_replica ? 1 : server).log;
    world_.step(client_.name(), "Read", snapshot->rows.head.frontier.size());
    auto result = snapshot->read(view);
    TRY(answer());
    return result;
}

Result<Revision> SimulatedStore::change(const store::Decide& decide) {
    const int number = TRY(call());
    Database::Server& server = database_.servers_[number];
    struct Lock {
        Lock(World& world, Database::Server& of) : server(of) {
            const Time until = world.now() + lock_time_out;
            while (!is_mutant(Mutant::NoLock) && (server.is_locked || world.now() < server.free_at) &&
                   world.now() < until)
                world.tasks.sleep_for(100us + world.chance.up_to(1ms));
            holds = !server.is_locked && world.now() >= server.free_at;
            if (holds) server.is_locked = true;
        }
        Lock(const Lock&) = delete;
        ~Lock() {
            if (holds) server.is_locked = false;
        }
        Database::Server& server;
        bool holds = false;
    };
    std::optional<Lock> lock(std::in_place, world_, server);
    if (!lock->holds && !is_mutant(Mutant::NoLock)) return Error(Code::Unavailable, "the lock was not to be had");
    (void)database_.shown(number);
    Log base = server.newest;
    std::vector<audit::Draft> drafts;
    auto decided = base->read([&](const store::Reader& reader) -> Result<void> {
        drafts = TRY(decide(reader));
        return {};
    });
    world_.tasks.sleep_for(world_.chance.up_to(2ms));
    if (!decided) {
        lock.reset();
        TRY(answer());
        return std::move(decided).error();
    }
    // Without drafts too a commit is announced, and so has a record that is waited for: a repeat's success says that
    // the standby has what it found.
    Log next = server.newest;
    if (!drafts.empty()) {
        base = server.newest;
        next = database_.copy_of(base->rows);
        auto changed = next->change([&](const store::Reader&) { return drafts; });
        if (!changed) return changed;
        if (database_.judge) database_.judge(base->rows, drafts);
    }
    const Revision revision = next->rows.head.frontier.size();
    if (is_mutant(Mutant::Seq) && !drafts.empty()) {  // whoever reads up to the number misses what commits late
        const Log numbered = database_.copy_of(base->rows);
        numbered->rows.entries = next->rows.entries;
        numbered->rows.head = next->rows.head;
        (void)database_.write(number, [numbered](Database::Data& data) { data.log = numbered; });
        world_.tasks.sleep_for(world_.chance.up_to(20ms));
    }
    if (drafts.empty() && is_mutant(Mutant::ReadRepeat)) {
        expected_ = {revision, next->rows.entries.back().seal};
        return revision;
    }
    server.newest = next;
    const std::size_t record = database_.write(number, [next](Database::Data& data) { data.log = next; });
    server.free_at = server.records[record].shown_at;
    lock.reset();
    const auto finished = database_.finish(number, record);
    world_.step(client_.name(), finished ? "Commit" : "Commit in doubt", revision);
    if (database_.announce) database_.announce();
    if (!finished) connect();
    if (const auto back = answer(); !back) return Error(Code::OutcomeUnknown, "the answer was lost");
    TRY(finished);
    expected_ = {revision, next->rows.entries.back().seal};
    return revision;
}

Result<void> SimulatedStore::write(std::string_view what, std::function<void(Database::Data&)> apply) {
    const int server = TRY(call());
    const std::size_t record = database_.write(server, std::move(apply));
    const auto finished = database_.finish(server, record);
    world_.step(client_.name(), what);
    if (!finished) connect();
    TRY(answer());
    return finished;
}

Result<std::string> SimulatedStore::add(const store::VerifierTerms& terms) {
    const std::string id = std::to_string(++database_.last_id_);
    const store::VerifierRow row{.id = id, .terms = terms};
    TRY(write("Register", [row](Database::Data& data) {
        if (is_mutant(Mutant::Overwrite))
            std::erase_if(data.verifiers, [&](const auto& other) { return other.second.terms.name == row.terms.name; });
        data.verifiers.emplace(row.id, row);
    }));
    return id;
}

Result<std::optional<store::Renewal>> SimulatedStore::renew(const std::string& id) {
    const int server = TRY(call());
    const Database::Data& data = database_.shown(server);
    const auto row = data.verifiers.find(id);
    std::optional<store::Renewal> renewal;
    Result<void> finished;
    if (row != data.verifiers.end() && !row->second.is_fenced) {
        renewal = {data.log->rows.entries.size(), data.log->rows.entries.back().seal};
        const std::size_t record = database_.write(server, [id](Database::Data& then) {
            if (const auto found = then.verifiers.find(id); found != then.verifiers.end()) ++found->second.renewals;
        });
        if (!is_mutant(Mutant::ReadRenew)) finished = database_.finish(server, record);
    }
    world_.step(client_.name(),
                !renewal   ? "Renew: fenced"
                : finished ? "Renew"
                           : "Renew in doubt",
                renewal ? renewal->revision : 0, id);
    if (!finished) connect();
    TRY(answer());
    TRY(finished);
    if (std::exchange(client_.is_to_be_cut, false)) client_.cut(world_.lease * 3 / 2);
    return renewal;
}

Result<void> SimulatedStore::acknowledge(const std::string& id, Revision revision, const audit::Digest& seal) {
    const int server = TRY(call());
    const bool is_ours = is_mutant(Mutant::BlindAck) || has(database_.shown(server).log->rows, {revision, seal});
    if (is_ours)
        (void)database_.write(server, [id, revision](Database::Data& data) {
            if (const auto found = data.verifiers.find(id); found != data.verifiers.end())
                found->second.acknowledged = revision;
        });
    world_.step(client_.name(), is_ours ? "Acknowledge" : "Acknowledge: another log", revision, id);
    return answer();
}

Result<void> SimulatedStore::tell_closed(const std::string&, const std::string&) {
    TRY(call());
    return answer();
}

Result<store::VerifierList> SimulatedStore::all() {
    const int server = TRY(call());
    const Database::Data& data = database_.shown(server);
    const store::memory::Rows& rows = data.log->rows;
    store::VerifierList list{rows.entries.size(), has(rows, expected_), {}};
    for (const auto& [id, row] : data.verifiers) list.rows.push_back(row);
    TRY(answer());
    return list;
}

Result<void> SimulatedStore::fence(const std::string& id) {
    return write("Fence " + id, [id](Database::Data& data) {
        if (const auto found = data.verifiers.find(id); found != data.verifiers.end()) found->second.is_fenced = true;
    });
}

Result<void> SimulatedStore::remove(const std::string& id) {
    return write("Remove " + id, [id](Database::Data& data) { data.verifiers.erase(id); });
}

}  // namespace marque::simulation
