// test/simulate/database.h: PostgreSQL with its standby, as Marque sees it through store::Store and store::Verifiers.
//
//     a client ─ way there ─▶ statement ─▶ commit: its record in the log of the server
//                                            │
//              first server ─ ships, in order ─▶ second server (standby, until it is promoted)
//                                            │
//              ◀─ way back ─ shown to new snapshots, and done: when the standby has it
//
// A promotion ends the shipping. The first server may go on, with some of the clients: what it commits from then on is
// never done, but is shown there once the wait was broken off; as in test/model/revoke_failover.pml. Faults that are
// the database's own stand here as switches: Seq, Overwrite, Async, ReadRenew, Cancel, Replica, ReadRepeat, BlindAck,
// NoLock.
#pragma once

#include <functional>
#include <map>
#include <memory>

#include "base/secret.h"
#include "store/memory/memory_store.h"
#include "test/simulate/world.h"

namespace marque::simulation {

using Log = std::shared_ptr<store::memory::MemoryStore>;

class Database {
 public:
    // What is in a log that a change is about to be written to; for the properties of lifecycle.pml.
    using Judge = std::function<void(const store::memory::Rows& before, const std::vector<audit::Draft>& drafts)>;

    Database(World& world, const store::memory::Rows& rows, Secret sealing_key);

    void promote();
    bool is_promoted() const { return promoted_at_.has_value(); }
    // Whoever connects gets a server that takes writes; for some that is still the deposed one.
    int connect();

    Judge judge;
    std::function<void()> announce;  // NOTIFY

 private:
    friend class SimulatedStore;
    struct Data {
        Log log;
        std::map<std::string, store::VerifierRow> verifiers;
    };
    struct Record {
        std::function<void(Data&)> apply;
        Time shown_at, shipped_at, replayed_at;
        bool is_lost = false;  // the standby never got it
    };
    struct Server {
        Data data;  // as shown; the records before `next` are in it
        std::vector<Record> records;
        std::size_t next = 0;
        Log newest;  // shown or not
        bool is_locked = false;
        Time free_at{};
    };

    const Data& shown(int server);
    std::size_t write(int server, std::function<void(Data&)> apply);
    // Errors: OutcomeUnknown.
    Result<void> finish(int server, std::size_t record);
    Log copy_of(const store::memory::Rows& rows) const;

    World& world_;
    Secret sealing_key_;
    Server servers_[2];
    std::optional<Time> promoted_at_;
    std::uint64_t last_id_ = 0;
};

// A client's handle. Its connection may break between any two calls, and the next be to the other server.
class SimulatedStore final : public store::Store, public store::Verifiers {
 public:
    enum class Reads { Primary, Anywhere };  // Anywhere: Mutant::Replica
    SimulatedStore(World& world, Database& database, Machine& client, Reads reads)
        : world_(world), database_(database), client_(client), reads_(reads), server_(database.connect()) {}

    Result<void> read(const std::function<Result<void>(const store::Reader&)>& view) override;
    Result<domain::Revision> change(const store::Decide& decide) override;
    Result<void> record_uses(std::span<const store::Use>, std::span<const store::RefusedUse>) override { return {}; }
    Result<void> mark() override { return {}; }
    Result<bool> is_as_marked() const override { return true; }
    Result<void> examine() override { return {}; }
    store::Verifiers* verifiers() override { return this; }

    Result<std::string> add(const store::VerifierTerms& terms) override;
    Result<std::optional<store::Renewal>> renew(const std::string& id) override;
    Result<void> acknowledge(const std::string& id, domain::Revision revision, const audit::Digest& seal) override;
    Result<void> tell_closed(const std::string& id, const std::string& why) override;
    Result<store::VerifierList> all() override;
    Result<void> fence(const std::string& id) override;
    Result<void> remove(const std::string& id) override;
    Result<bool> wait_for_change(Duration) override { return false; }
    void pause(Duration time) override { client_.sleep_for(client_.true_time(time)); }

 private:
    Result<int> call();
    void connect();
    Result<void> travel(Machine::Way way);
    Result<void> answer() { return travel(Machine::Way::Back); }
    // One statement, committed.
    Result<void> write(std::string_view what, std::function<void(Database::Data&)> apply);

    World& world_;
    Database& database_;
    Machine& client_;
    const Reads reads_;
    int server_ = 0;
    store::Renewal expected_;  // the last change
};

}  // namespace marque::simulation
