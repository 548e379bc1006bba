// The embedded store over files that fail at the first call, at the second, and so on; and whose power goes there. What
// was acknowledged is there afterwards, what was not is there whole or not at all, and the store works.
#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <set>

#include "authority/authority.h"
#include "authority/keys.h"
#include "authority/log.h"
#include "base/check.h"
#include "store/sqlite/sqlite_store.h"
#include "test/faults/failing_vfs.h"
#include "test/faults/replay.h"
#include "test/faults/report.h"

namespace marque::faults {
namespace {

using namespace domain;
using authority::Authority;
using authority::Done;
using store::sqlite::SqliteStore;

constexpr const char* group = "file";
// Nobody holds a lock that would be given back.
constexpr Duration no_wait{};

authority::Order confirmed() {
    return {{}, authority::Confirmation::parse("").release(), "because", {}, authority::Awaiting::Yes};
}

// Keeps what is delivered.
class Delivery final : public authority::Delivery {
 public:
    Result<void> prepare(std::span<const IdentityName>) override { return {}; }
    Result<void> deliver(std::span<const authority::IssuedToken> tokens) override {
        for (const auto& one : tokens) delivered[one.credential.identity.text()] = one.token.reveal_text();
        if (meanwhile) meanwhile();
        return {};
    }
    std::function<void()> meanwhile;
    std::map<std::string, std::string> delivered;
};

// One process with the store in the folder: opened when it begins, closed when it ends.
class Process {
 public:
    explicit Process(const Folder& folder) : path_(folder.path("marque.db")) {}

    Result<void> open() {
        store_ =
            TRY(SqliteStore::open(path_, store::SealingKey([this] { return authority::log_seal_key(key_); }), no_wait));
        authority_ = std::make_unique<Authority>(*store_, clock_, random, key_, signatures_, caller());
        return {};
    }
    Result<void> create() { return SqliteStore::create(path_); }
    void close() {
        authority_.reset();
        store_.reset();
    }
    bool is_open() const { return store_ != nullptr; }
    Authority& authority() { return *authority_; }
    store::Store& store() { return *store_; }
    const Secret& key() const { return key_; }
    const PlainSignatures& signatures() const { return signatures_; }
    const std::string& path() const { return path_; }

    Result<Done> create_identities(const std::vector<std::string>& names, const char* environment = "dev") {
        std::vector<authority::CreateRequest> requests;
        for (const std::string& name : names)
            requests.push_back({*IdentityName::parse(name),
                                *EnvironmentName::parse(environment),
                                MachineKind::Agent,
                                *ScopeSet::parse("card:view"),
                                {},
                                "",
                                {}});
        auto order = confirmed();
        if (names.size() > 1) order.confirmation = *authority::Confirmation::parse(std::to_string(names.size()));
        return authority_->create(requests, order, delivery);
    }
    bool accepts(const std::string& token) {
        const auto answer = authority_->verify(token, {});
        return answer && answer->verdict.is_accepted();
    }
    Result<std::uint64_t> log_size() {
        return store::read_from(*store_, [](const store::Reader& reader) -> Result<std::uint64_t> {
            return TRY(reader.head()).frontier.size();
        });
    }

    SeededRandom random{7};
    Delivery delivery;

 private:
    static audit::Process caller() {
        audit::Process process;
        process.uid = 1000;
        return process;
    }

    std::string path_;
    Secret key_ = Secret::copy_of(Bytes(authority::root_key_bytes, 5));
    SetClock clock_;
    PlainSignatures signatures_;
    std::unique_ptr<SqliteStore> store_;
    std::unique_ptr<Authority> authority_;
};

struct Operation {
    std::string name;
    std::function<Result<void>(Process&)> act;
    std::function<Result<bool>(Process&)> is_done;
    bool makes_the_store = false;
};

Result<void> drop(Result<Done> done) {
    if (!done) return std::move(done).error();
    return {};
}

Result<void> init(Process& process) {
    const authority::InitRequest request{
        *OperatorName::parse("ops"), *WorkspaceName::parse("default"), {owner_named("olga")}, false};
    return drop(process.authority().init(request, authority::Confirmation::parse("").release()));
}

Result<bool> is_revoked(Process& process, const char* name) {
    return store::read_from(process.store(), [&](const store::Reader& reader) -> Result<bool> {
        const auto identity = TRY(reader.identity(*WorkspaceName::parse("default"), *IdentityName::parse(name)));
        return identity && identity->condition.stored == Standing::Revoked;
    });
}

Result<CredentialId> only_credential(Process& process, const char* name) {
    return store::read_from(process.store(), [&](const store::Reader& reader) -> Result<CredentialId> {
        const auto all = TRY(
            reader.credentials(*WorkspaceName::parse("default"), *IdentityName::parse(name), store::Listing::Complete));
        CHECK(all.size() == 1);
        return all.front().id;
    });
}

Result<void> revoke(Process& process, const char* name) {
    return drop(process.authority().revoke(authority::ByNameOrId{name}, confirmed()));
}

std::vector<Operation> operations() {
    const auto has_token = [](const char* name) {
        return [name](Process& process) -> Result<bool> {
            return process.delivery.delivered.contains(name) && process.accepts(process.delivery.delivered.at(name));
        };
    };
    std::vector<std::string> many;
    for (int i = 0; i < 20; ++i) many.push_back(fmt::format("many-{}", i));
    return {
        {"init",
         [](Process& process) -> Result<void> {
             TRY(process.create());
             TRY(process.open());
             return init(process);
         },
         [](Process& process) -> Result<bool> {
             return store::read_from(process.store(), [](const store::Reader& reader) -> Result<bool> {
                 return TRY(reader.installation()).has_value();
             });
         },
         true},
        {"create", [](Process& process) { return drop(process.create_identities({"new"})); }, has_token("new")},
        {"create twenty", [many](Process& process) { return drop(process.create_identities(many)); },
         has_token("many-19")},
        {"rotate --compromised",
         [](Process& process) {
             return drop(process.authority().rotate({"alice", OldCredential::IsRevoked, {}, {}}, confirmed(),
                                                    process.delivery));
         },
         has_token("alice")},
        {"revoke", [](Process& process) { return revoke(process, "alice"); },
         [](Process& process) { return is_revoked(process, "alice"); }},
        {"pause an environment",
         [](Process& process) {
             return drop(process.authority().pause(*EnvironmentName::parse("dev"), std::nullopt, confirmed()));
         },
         [](Process& process) -> Result<bool> {
             return store::read_from(process.store(), [](const store::Reader& reader) -> Result<bool> {
                 const auto dev =
                     TRY(reader.environment(*WorkspaceName::parse("default"), *EnvironmentName::parse("dev")));
                 return dev->condition.stored == Standing::Paused;
             });
         }},
        {"ask the owners", [](Process& process) { return drop(process.create_identities({"vault"}, "production")); },
         [](Process& process) -> Result<bool> {
             return store::read_from(process.store(), [](const store::Reader& reader) -> Result<bool> {
                 return !TRY(reader.approvals(std::nullopt, 1, store::Listing::Complete)).empty();
             });
         }},
        {"note a use",
         [](Process& process) -> Result<void> {
             const auto alice = TRY(only_credential(process, "alice"));
             const store::Use use{alice, {}, "here", 1};
             return process.store().record_uses(std::span(&use, 1), {});
         },
         [](Process&) -> Result<bool> { return true; }},
    };
}

// The files as they were when the operation began.
class Files {
 public:
    explicit Files(const Folder& folder) : folder_(folder) {}
    void keep() {
        for (const char* name : {"marque.db", "marque.db-wal"}) {
            std::ifstream file(folder_.path(name), std::ios::binary);
            contents_[name] = Bytes(std::istreambuf_iterator<char>(file), {});
        }
    }
    void put_back() const {
        folder_.empty();
        FailingVfs::the().forget();
        for (const auto& [name, bytes] : contents_) {
            std::ofstream file(folder_.path(name), std::ios::binary);
            file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
        }
    }

 private:
    const Folder& folder_;
    std::map<std::string, Bytes> contents_;
};

struct Base {
    std::map<std::string, std::string> tokens;
    std::uint64_t log_size = 0;
};

// How the process that met the fault ends: it closes the store, or the power goes.
enum class Ending { Closed, PowerLost, PowerLostSome, PowerLostNone };
constexpr Ending endings[] = {Ending::Closed, Ending::PowerLost, Ending::PowerLostSome, Ending::PowerLostNone};

const char* name_of(Ending ending) {
    switch (ending) {
        case Ending::Closed:
            return "closed";
        case Ending::PowerLost:
            return "what was not synced lost";
        case Ending::PowerLostSome:
            return "some of what was not synced lost";
        case Ending::PowerLostNone:
            return "killed";
    }
    CHECK_UNREACHABLE();
}

class Trial {
 public:
    Trial(const Folder& folder, const Operation& operation, const Base& base, const std::set<std::uint64_t>& steps,
          Report& report, SeededRandom& chance)
        : folder_(folder), operation_(operation), base_(base), steps_(steps), report_(report), chance_(chance) {}

    // False: the operation was over before it came to the n-th call.
    bool run(const FileFault& fault, int n, Ending ending) {
        where_ = fmt::format("{} at {}, {}", fault.name, n, name_of(ending));
        has_followed_ = may_have_followed_ = false;
        Process process(folder_);
        FailingVfs& vfs = FailingVfs::the();
        vfs.begin(fault, n);
        outcome_ = operation_.makes_the_store ? operation_.act(process) : open_and_act(process);
        const bool is_followed = fault.lasts == FileFault::Lasts::Once && ending != Ending::Closed;
        if (is_followed) follow(process);
        if (ending != Ending::Closed) vfs.cut_power();
        process.close();
        const bool has_struck = vfs.has_struck();
        vfs.end();
        if (ending != Ending::Closed) {
            const Unsynced unsynced = ending == Ending::PowerLost       ? Unsynced::Lost
                                      : ending == Ending::PowerLostSome ? Unsynced::SomePieces
                                                                        : Unsynced::Kept;
            vfs.come_back(unsynced, chance_);
        }
        if (!has_struck && !outcome_) fail("untouched, and it failed");
        judge(process.delivery.delivered);
        return has_struck;
    }

 private:
    void fail(const std::string& what) {
        report_.fail(
            fmt::format("{}: {}; {}", where_, what,
                        outcome_ ? "it had succeeded"
                                 : fmt::format("{}: {}", name_of(outcome_.error().code), outcome_.error().message)));
    }

    Result<void> open_and_act(Process& process) {
        TRY(process.open());
        return operation_.act(process);
    }

    // The process goes on with the same store: what it is told then is true, too.
    void follow(Process& process) {
        if (operation_.makes_the_store || !process.is_open()) return;
        const auto followed = revoke(process, "bob");
        has_followed_ = followed.has_value();
        may_have_followed_ = !followed && followed.error().code == Code::OutcomeUnknown;
    }

    void judge(const std::map<std::string, std::string>& delivered) {
        Process process(folder_);
        if (operation_.makes_the_store && !outcome_) return judge_made(process);
        process.delivery.delivered = delivered;
        if (const auto opened = process.open(); !opened) return fail("it can't be opened: " + opened.error().message);
        check_log(process);
        check_outcome(process);
        for (const auto& [name, token] : delivered) check_token(process, name, token);
        if (has_followed_ && !is_revoked(process, "bob").value_or(false))
            fail("what was acknowledged after it is lost");
        if (has_followed_ && process.accepts(base_.tokens.at("bob"))) fail("what was revoked after it works");
        finish(process);
    }

    // An init that failed is finished by the next.
    void judge_made(Process& process) {
        if (const auto created = process.create(); !created) {
            if (created.error().code != Code::StateRefuses) return fail("it can't be made: " + created.error().message);
            if (const auto opened = process.open(); !opened)
                return fail("it is there, and can't be opened: " + opened.error().message);
            if (outcome_.error().code != Code::OutcomeUnknown) fail("it is there");
        } else {
            if (const auto opened = process.open(); !opened)
                return fail("it can't be opened: " + opened.error().message);
            if (const auto made = init(process); !made) return fail("init: " + made.error().message);
        }
        check_log(process);
        finish(process);
    }

    // It is whole, and goes on.
    void finish(Process& process) {
        if (const auto made = process.create_identities({"after"}, "staging"); !made)
            fail("nothing can be created: " + made.error().message);
        else if (!process.accepts(process.delivery.delivered["after"]))
            fail("what is created does not work");
        check_log(process);
        process.close();
        const auto maintenance = store::sqlite::open_maintenance(
            process.path(), store::SealingKey([&] { return authority::log_seal_key(process.key()); }));
        if (!maintenance) return fail("no maintenance: " + maintenance.error().message);
        const auto findings = (*maintenance)->check();
        if (!findings) return fail("no check: " + findings.error().message);
        for (const std::string& what : *findings) fail("SQLite finds: " + what);
    }

    void check_log(Process& process) {
        const auto looked = process.store().read([&](const store::Reader& reader) -> Result<void> {
            const auto report = TRY(
                authority::verify_log(reader, process.key(), std::nullopt, [](auto, auto) {}, &process.signatures()));
            if (!report.is_sound()) fail("the log is not sound: " + report.findings.front().what);
            for (const std::string& what : TRY(differences(reader))) fail(what);
            return {};
        });
        if (!looked) fail("the log can't be read: " + looked.error().message);
    }

    void check_outcome(Process& process) {
        const auto size = process.log_size();
        if (!size) return fail("no log: " + size.error().message);
        const auto is_bob_revoked = is_revoked(process, "bob");
        const bool has_followed = has_followed_ || (may_have_followed_ && is_bob_revoked.value_or(false));
        const std::uint64_t grown = *size - base_.log_size - (has_followed ? 1 : 0);
        const auto is_done = operation_.is_done(process);
        if (!is_done) return fail("it can't be read: " + is_done.error().message);
        if (outcome_ && !*is_done) fail("what was acknowledged is lost");
        if (outcome_ && grown != *steps_.rbegin())
            fail(fmt::format("acknowledged, and {} entries of {}", grown, *steps_.rbegin()));
        const bool is_taken_back = !outcome_ && outcome_.error().message.contains(", and its credential is revoked");
        if (!outcome_ && outcome_.error().code == Code::Unavailable && grown != 0 && !is_taken_back)
            fail(fmt::format("it says that nothing changed, and there are {} entries more", grown));
        if (!steps_.contains(grown)) fail(fmt::format("{} entries more: half of a commit", grown));
    }

    void check_token(Process& process, const std::string& name, const std::string& token) {
        if (process.accepts(token)) return;
        if (outcome_) return fail("the token of " + name + " is refused");
        const auto activated = process.authority().activate(Secret::copy_of(bytes_of(token)), confirmed());
        if (!activated || !process.accepts(token))
            fail(fmt::format("the token of {} was handed out, and can't be activated: {}", name,
                             activated ? "" : activated.error().message));
    }

    const Folder& folder_;
    const Operation& operation_;
    const Base& base_;
    const std::set<std::uint64_t>& steps_;
    Report& report_;
    SeededRandom& chance_;
    std::string where_;
    Result<void> outcome_;
    bool has_followed_ = false, may_have_followed_ = false;
};

std::vector<Ending> endings_of(const FileFault& fault, const Operation& operation) {
    if (fault.lasts == FileFault::Lasts::PowerCut)
        return {Ending::PowerLost, Ending::PowerLostSome, Ending::PowerLostNone};
    // Nobody goes on with a store that could not be made.
    if (operation.makes_the_store) return {Ending::Closed};
    return {Ending::Closed, Ending::PowerLostSome};
}

// How many entries more there are after each commit of the operation, when nothing fails.
std::set<std::uint64_t> steps_of(const Folder& folder, const Operation& operation, std::uint64_t size_before) {
    std::set<std::uint64_t> steps{0};
    Process process(folder);
    const auto add = [&] { steps.insert(process.log_size().release() - size_before); };
    process.delivery.meanwhile = add;
    if (!operation.makes_the_store) CHECK(process.open());
    CHECK(operation.act(process));
    add();
    return steps;
}

void make_base(const Folder& folder, Base& base) {
    Process process(folder);
    CHECK(process.create());
    CHECK(process.open());
    CHECK(init(process));
    for (const char* name : {"alice", "bob"}) CHECK(process.create_identities({name}));
    base.tokens = process.delivery.delivered;
    base.log_size = process.log_size().release();
}

void try_operation(Report& report, const Folder& folder, const Operation& operation, const Base& base,
                   const Files& files, SeededRandom& chance) {
    files.put_back();
    const auto steps = steps_of(folder, operation, base.log_size);
    for (const FileFault& fault : file_faults()) {
        // Whoever makes a store waits a minute for a lock, by the real clock.
        const bool waits =
            operation.makes_the_store && fault.code == SQLITE_BUSY && fault.lasts == FileFault::Lasts::ForGood;
        if (waits) continue;
        for (const Ending ending : endings_of(fault, operation))
            for (int n = 1;; ++n) {
                files.put_back();
                Trial trial(folder, operation, base, steps, report, chance);
                if (!trial.run(fault, n, ending) || report.has_failed()) break;
                report.survived();
            }
    }
}

}  // namespace

void fail_file_calls(Report& report, std::uint64_t seed) {
    FailingVfs::the();
    const Folder folder;
    SeededRandom chance(seed);
    const Base nothing;
    const Files no_files(folder);
    Base base;
    make_base(folder, base);
    Files files(folder);
    files.keep();
    for (const Operation& operation : operations()) {
        report.begin(group, operation.name);
        if (operation.makes_the_store)
            try_operation(report, folder, operation, nothing, no_files, chance);
        else
            try_operation(report, folder, operation, base, files, chance);
    }
}

}  // namespace marque::faults
