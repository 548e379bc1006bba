// bench_revocation FOLDER CONNINFO LISTENERS ROUNDS: how long a change takes until all verifiers of the store in FOLDER
// have confirmed it, and beside it, in turn, one bare commit with NOTIFY until LISTENERS processes have heard it. For
// each round a line: both times in microseconds, and how many verifiers confirmed.
//
// A bare commit is the least a change can cost that is durable and that others hear of: one row, one NOTIFY, one
// COMMIT; a listener is a process that waits on its connection and writes one byte when it hears.
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "authority/barrier.h"
#include "authority/keys.h"
#include "installation/key_file.h"
#include "installation/machine_clock.h"
#include "installation/open.h"
#include "store/postgres/connection.h"

using namespace marque;

namespace {

using store::postgres::Connection;
using Steady = std::chrono::steady_clock;

std::int64_t microseconds_since(Steady::time_point begin) {
    return std::chrono::duration_cast<std::chrono::microseconds>(Steady::now() - begin).count();
}

// Hears for ever; a byte each time.
[[noreturn]] void hear(const std::string& conninfo, int out) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const auto connection = Connection::open(conninfo, {});
    if (!connection || !(*connection)->execute("LISTEN bare")) std::_Exit(1);
    for (char byte = 'r';; byte = 'h') {
        if (::write(out, &byte, 1) != 1) std::_Exit(0);
        for (;;) {
            const auto heard = (*connection)->wait_for_notice(std::chrono::minutes(10));
            if (!heard) std::_Exit(1);
            if (*heard) break;
        }
    }
}

Result<void> read_bytes(int from, int count) {
    char bytes[64];
    while (count > 0) {
        const ssize_t got = ::read(from, bytes, static_cast<std::size_t>(count));
        if (got <= 0) return Error(Code::Unexpected, "a listener is gone");
        count -= static_cast<int>(got);
    }
    return {};
}

Result<void> measure(const std::string& folder, const std::string& conninfo, int listeners, int rounds) {
    int pipe[2];
    if (::pipe(pipe) != 0) return Error(Code::Unexpected, "no pipe");
    for (int i = 0; i < listeners; ++i)
        if (::fork() == 0) hear(conninfo, pipe[1]);
    TRY(read_bytes(pipe[0], listeners));  // each is ready

    const Secret root = TRY(read_root_key(folder));
    const auto store =
        TRY(installation::open_store(folder, store::SealingKey([&root] { return authority::log_seal_key(root); }),
                                     std::chrono::minutes(1), [](const std::string&) {}));
    const auto bare = TRY(Connection::open(conninfo, {}));
    TRY(bare->execute("CREATE TABLE IF NOT EXISTS public.bare (id bigserial PRIMARY KEY, text text)"));
    const installation::MachineClock clock;
    const domain::IdentityRef bench{*domain::WorkspaceName::parse("default"), *domain::IdentityName::parse("bench")};
    for (int round = 0; round < rounds; ++round) {
        auto begin = Steady::now();
        TRY(bare->execute("BEGIN; INSERT INTO public.bare (text) VALUES ('a row')"));
        TRY(bare->execute("NOTIFY bare; COMMIT"));
        TRY(read_bytes(pipe[0], listeners));
        const auto bare_us = microseconds_since(begin);

        const audit::Event event = round % 2 == 0 ? audit::Event(audit::Paused{bench, "active", {}})
                                                  : audit::Event(audit::Resumed{bench, "paused"});
        begin = Steady::now();
        authority::Barrier barrier(*store, clock);
        const auto revision = TRY(store->change([&](const store::Reader& reader) -> Result<std::vector<audit::Draft>> {
            if (!TRY(reader.identity(bench.workspace, bench.name))) return Error(Code::NotFound, "no identity bench");
            return std::vector<audit::Draft>{
                {event, audit::OperatorActor{}, clock.now(), audit::Mode::Setup, "", "", ""}};
        }));
        const authority::Receipt receipt = barrier.await(revision, authority::Awaiting::Yes);
        fmt::print("{} {} {}\n", bare_us, microseconds_since(begin), receipt.confirmed);
    }
    return {};
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 5) return 2;
    const auto measured = measure(argv[1], argv[2], std::atoi(argv[3]), std::atoi(argv[4]));
    if (!measured) std::fprintf(stderr, "bench_revocation: %s\n", measured.error().message.c_str());
    return measured ? 0 : 1;
}
