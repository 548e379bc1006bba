// bench_create FOLDER BARE_DB ROUNDS: in one process, with both databases open, in turn: an identity created (two
// commits, with its log, its rows and its indexes), and two bare commits of a row. Prints the median of each in
// microseconds of wall time: what is left when the start of a process is not counted.
#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "authority/authority.h"
#include "authority/keys.h"
#include "crypto/system_random.h"
#include "installation/key_file.h"
#include "main/machine.h"
#include "store/sqlite/sqlite_store.h"

using namespace marque;

namespace {

class ToNowhere final : public authority::Delivery {
 public:
    Result<void> prepare(std::span<const domain::IdentityName>) override { return {}; }
    Result<void> deliver(std::span<const authority::IssuedToken>) override { return {}; }
};

template <class Body>
double microseconds(const Body& body) {
    const auto begin = std::chrono::steady_clock::now();
    body();
    return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count();
}

double median(std::vector<double> values) {
    std::ranges::sort(values);
    return values[values.size() / 2];
}

Result<void> measure(const std::string& folder, const std::string& bare, int rounds) {
    Machine machine;
    const Secret root = TRY(read_root_key(folder));
    const auto store = TRY(store::sqlite::SqliteStore::open(
        folder + "/marque.db", store::SealingKey([&root] { return authority::log_seal_key(root); })));
    authority::Authority authority(*store, machine.clock(), machine.random(), root, machine.owner_signatures(),
                                   TRY(machine.caller()));
    sqlite3* db = nullptr;
    if (sqlite3_open(bare.c_str(), &db) != SQLITE_OK) return Error(Code::Unavailable, "no bare database");
    const auto run = [&](const char* sql) { return sqlite3_exec(db, sql, nullptr, nullptr, nullptr); };
    run("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE IF NOT EXISTS t (a INTEGER PRIMARY KEY, b "
        "TEXT)");

    const auto environment = TRY(domain::EnvironmentName::parse("dev"));
    const auto scopes = TRY(domain::ScopeSet::parse("card:view"));
    const auto confirmation = TRY(authority::Confirmation::parse(""));
    ToNowhere nowhere;
    std::vector<double> creates, commits;
    for (int i = 0; i < rounds; ++i) {
        const auto name = TRY(domain::IdentityName::parse(fmt::format("bench-{}", i)));
        const authority::CreateRequest requests[] = {{name, environment, domain::MachineKind::Agent, scopes}};
        Result<authority::Done> done = Error(Code::Unexpected, "not run");
        creates.push_back(microseconds([&] { done = authority.create(requests, {{}, confirmation, ""}, nowhere); }));
        if (!done) return done.error();
        commits.push_back(microseconds([&] {
            run("INSERT INTO t (b) VALUES (hex(randomblob(400)))");
            run("INSERT INTO t (b) VALUES (hex(randomblob(400)))");
        }));
    }
    sqlite3_close(db);
    std::puts(fmt::format("{:.0f} {:.0f}", median(creates), median(commits)).c_str());
    return {};
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 4) return 2;
    const auto measured = measure(argv[1], argv[2], std::atoi(argv[3]));
    if (!measured) std::fputs((measured.error().message + "\n").c_str(), stderr);
    return measured ? 0 : 1;
}
