// What anybody can write into the database: values of any type, in columns that no seal covers or that are read before
// the seal over them is checked. Whatever reads them either says what is wrong or gives what can be computed with and
// printed: no abort, no hang, and JSON that parses. And a store of which telemetry alone was written to can be changed.
//
// Input, again and again: a byte that picks a column, a byte that picks a kind, and the value's bytes.
#include <boost/json/parse.hpp>
#include <sqlite3.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "authority/authority.h"
#include "authority/keys.h"
#include "authority/log.h"
#include "authority/notices.h"
#include "authority/runtime.h"
#include "cli/identity_view.h"
#include "domain/token.h"
#include "fuzz.h"
#include "store/sqlite/sqlite_store.h"
#include "test/plain_signatures.h"
#include "verify/verifier.h"

using namespace marque;
using namespace marque::domain;
using namespace std::chrono_literals;

namespace {

struct Column {
    const char *table, *name;
    bool is_telemetry;  // nothing else rests on it
};
constexpr std::array columns = {
    Column{"last_use", "at", true},
    Column{"last_use", "source", true},
    Column{"last_use", "count", true},
    Column{"refused_use", "reason", true},
    Column{"refused_use", "since", true},
    Column{"refused_use", "at", true},
    Column{"refused_use", "source", true},
    Column{"refused_use", "count", true},
    Column{"refused_use", "untold", true},
    Column{"refused_use", "told_at", true},
    Column{"row_write", "count", true},
    Column{"row_write", "by_event", true},
    Column{"entry", "seq", false},
    Column{"entry", "bytes", false},
    Column{"entry", "seal", false},
    Column{"entry", "workspace", false},
    Column{"entry", "identity", false},
    Column{"log_head", "size", false},
    Column{"log_head", "frontier", false},
    Column{"log_head", "seal", false},
    Column{"log_head", "row_root", false},
    Column{"row_seal", "bucket", false},
    Column{"row_seal", "place", false},
    Column{"row_seal", "seal", false},
    Column{"row_tree", "node", false},
    Column{"row_tree", "children", false},
    Column{"installation", "id", false},
    Column{"installation", "created_at", false},
    Column{"installation", "quorum", false},
    Column{"operator", "uid", false},
    Column{"environment", "max_lifetime_us", false},
    Column{"identity", "contact", false},
    Column{"identity", "labels", false},
    Column{"identity", "paused_until", false},
    Column{"credential", "created_at", false},
    Column{"credential", "expires_at", false},
};

class FixedClock final : public Clock {
 public:
    Instant now() const override { return Instant(1'800'000'000s); }
    Duration since_boot() const override { return 1h; }
};

class CountingRandom final : public Random {
 public:
    Result<void> fill(std::span<std::uint8_t> out) override {
        for (std::uint8_t& byte : out) byte = ++last_;
        return {};
    }

 private:
    std::uint8_t last_ = 0;
};

class KeptDelivery final : public authority::Delivery {
 public:
    Result<void> prepare(std::span<const IdentityName>) override { return {}; }
    Result<void> deliver(std::span<const authority::IssuedToken> all) override {
        for (const auto& one : all) tokens.emplace_back(one.token.reveal_text());
        return {};
    }
    std::vector<std::string> tokens;
};

const FixedClock the_clock;
const PlainSignatures signatures;

const Secret& root_key() {
    static const Secret key = Secret::copy_of(Bytes(authority::root_key_bytes, 5));
    return key;
}

store::SealingKey sealing_key() {
    return store::SealingKey([] { return authority::log_seal_key(root_key()); });
}

authority::Order confirmed() {
    return {{}, authority::Confirmation::parse("").release(), "r"};
}

authority::Authority operator_of(store::Store& store) {
    static CountingRandom random;
    audit::Process process;
    process.uid = 1000;
    return {store, the_clock, random, root_key(), signatures, process};
}

void execute(const std::string& path, const std::string& sql) {
    sqlite3* db = nullptr;
    CHECK(sqlite3_open(path.c_str(), &db) == SQLITE_OK);
    CHECK(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK);
    sqlite3_close(db);
}

verify::Seen seen_now(Reason reason) {
    return {the_clock.now(), 1, verify::AddressText("here"), reason, false};
}

// A store with a row in each table, whose columns take values of any kind.
struct Pristine {
    std::string folder = "/dev/shm/marque-fuzz-XXXXXX", database;
    std::vector<std::string> tokens;

    Pristine() {
        CHECK(::mkdtemp(folder.data()) != nullptr);
        const std::string path = folder + "/marque.db";
        CHECK(store::sqlite::SqliteStore::create(path));
        {
            const auto store = store::sqlite::SqliteStore::open(path, sealing_key()).release();
            authority::Authority ops = operator_of(*store);
            const authority::InitRequest init{*OperatorName::parse("ops"), *WorkspaceName::parse("default"), {}};
            CHECK(ops.init(init, confirmed().confirmation));
            KeptDelivery delivery;
            for (const char* name : {"codex", "gone"}) {
                const authority::CreateRequest requests[] = {{*IdentityName::parse(name),
                                                              *EnvironmentName::parse("dev"),
                                                              MachineKind::Agent,
                                                              *ScopeSet::parse("card:view"),
                                                              {},
                                                              "",
                                                              {}}};
                CHECK(ops.create(requests, confirmed(), delivery));
            }
            tokens = delivery.tokens;
            CHECK(ops.revoke(authority::ByNameOrId{"gone"}, confirmed()));
            verify::Uses uses = seen();
            CHECK(authority::write_uses(*store, uses, the_clock.now(), "r"));
        }
        execute(path,
                "PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode = DELETE; PRAGMA writable_schema = ON;"
                "UPDATE sqlite_schema SET sql = replace(replace(replace(replace(replace(sql, ') STRICT, WITHOUT',"
                " ') WITHOUT'), ') STRICT', ')'), 'TEXT    NOT NULL', 'TEXT'), 'INTEGER NOT NULL', 'INTEGER'),"
                " 'BLOB    NOT NULL', 'BLOB')");
        std::ifstream file(path, std::ios::binary);
        database.assign(std::istreambuf_iterator<char>(file), {});
    }
    ~Pristine() { std::filesystem::remove_all(folder); }

    verify::Uses seen() const {
        verify::Uses uses;
        uses.accepted.emplace(parse_token(tokens[0])->id.bits(), seen_now(Reason::Accepted));
        uses.refused.emplace(parse_token(tokens[1])->id.bits(), seen_now(Reason::IdentityRevoked));
        return uses;
    }
};

class Input {
 public:
    explicit Input(std::string_view bytes) : rest_(bytes) {}
    bool is_empty() const { return rest_.empty(); }
    std::string_view take(std::size_t size) {
        const std::string_view taken = rest_.substr(0, size);
        rest_.remove_prefix(taken.size());
        return taken;
    }
    std::size_t byte() { return is_empty() ? 0 : static_cast<unsigned char>(take(1)[0]); }
    template <class Number>
    Number number() {
        Number value{};
        const std::string_view bytes = take(sizeof value);
        std::memcpy(&value, bytes.data(), bytes.size());
        return value;
    }

 private:
    std::string_view rest_;
};

void bind(sqlite3_stmt* statement, Input& input) {
    switch (input.byte() % 7) {
        case 0:
            sqlite3_bind_int64(statement, 1, input.number<std::int64_t>());
            return;
        case 1:
            sqlite3_bind_int64(statement, 1, std::int64_t{1} << input.byte() % 63);
            return;
        case 2:
            sqlite3_bind_double(statement, 1, input.number<double>());
            return;
        case 3:
            return;  // null
        case 4: {
            const std::string_view text = input.take(input.byte());
            sqlite3_bind_text(statement, 1, text.data(), static_cast<int>(text.size()), SQLITE_TRANSIENT);
            return;
        }
        case 5: {
            const std::string_view bytes = input.take(input.byte());
            sqlite3_bind_blob(statement, 1, bytes.data(), static_cast<int>(bytes.size()), SQLITE_TRANSIENT);
            return;
        }
        default:
            sqlite3_bind_zeroblob(statement, 1, static_cast<int>(input.byte()) * 20'000);
    }
}

// Whether nothing but telemetry was written to.
bool write_values(const std::string& path, Input input) {
    sqlite3* db = nullptr;
    CHECK(sqlite3_open(path.c_str(), &db) == SQLITE_OK);
    sqlite3_exec(db, "PRAGMA ignore_check_constraints = ON; PRAGMA synchronous = OFF", nullptr, nullptr, nullptr);
    bool is_telemetry = true;
    for (int values = 0; values < 8 && !input.is_empty(); ++values) {
        const Column& column = columns[input.byte() % columns.size()];
        const std::string sql = std::string("UPDATE OR IGNORE ") + column.table + " SET \"" + column.name + "\" = ?";
        sqlite3_stmt* statement = nullptr;
        CHECK(sqlite3_prepare_v2(db, sql.c_str(), -1, &statement, nullptr) == SQLITE_OK);
        bind(statement, input);
        sqlite3_step(statement);  // a key twice, or a value that is too large: then it is as it was
        sqlite3_finalize(statement);
        is_telemetry &= column.is_telemetry;
    }
    sqlite3_close(db);
    return is_telemetry;
}

void print(const audit::Json& json) {
    boost::system::error_code error;
    boost::json::parse(audit::canonical(json), error);
    CHECK(!error);
}

Result<void> read_all(store::Store& store) {
    authority::Authority ops = operator_of(store);
    const auto list = ops.view_workspace(std::nullopt, [&](const auto& sight) -> Result<void> {
        return authority::for_each_identity(
            sight.reader, sight.workspace.name, store::Listing::Complete, [&](const Identity& one) -> Result<bool> {
                const auto view = TRY(authority::view_of(sight.reader, sight.workspace, one, the_clock.now()));
                print(cli::to_json(view));
                (void)cli::use_in_words(cli::latest_use(view), the_clock.now());
                for (const auto& credential : view.credentials)
                    if (credential.refused) (void)cli::refused_in_words(*credential.refused, the_clock.now());
                const auto entries = TRY(sight.reader.entries_of({one.workspace, one.name}, 20));
                if (const auto decoded = cli::decode_all(entries))
                    for (const audit::Entry& entry : *decoded) print(entry.body);
                return true;
            });
    });
    TRY(ops.view_installation([&](const auto& overview) -> Result<void> {
        const auto found = TRY(authority::notices(overview.reader, {}, the_clock.now(), 24h));
        print(authority::to_json(found.expiring_soon));
        print(authority::to_json(found.revoked_in_use));
        return {};
    }));
    return list;
}

void examine(store::Store& store) {
    (void)store.read_unchecked([](const store::Reader& reader) -> Result<void> {
        auto report = TRY(authority::verify_log(reader, root_key(), std::nullopt, [](auto, auto) {}, &signatures));
        TRY(authority::verify_rows(reader, report));
        for (const authority::LogFinding& finding : report.findings) print(audit::JsonObject{{"what", finding.what}});
        for (const Workspace& workspace : TRY(reader.workspaces(store::Listing::AsFound)))
            TRY(authority::for_each_identity(
                reader, workspace.name, store::Listing::AsFound, [&](const Identity& one) -> Result<bool> {
                    print(cli::to_json(TRY(authority::view_of(reader, workspace, one, the_clock.now()))));
                    return true;
                }));
        for (const Operator& one : TRY(reader.operators())) print(audit::JsonObject{{"uid", one.uid}});
        return {};
    });
}

}  // namespace

void fuzz(std::string_view input) {
    static const Pristine pristine;
    const std::string path = pristine.folder + "/marque.db";
    for (const char* beside : {"-wal", "-shm"}) std::filesystem::remove(path + beside);
    std::ofstream(path, std::ios::binary) << pristine.database;
    const bool is_telemetry = write_values(path, Input(input));

    const auto open = [&]() -> Result<std::unique_ptr<store::Store>> {
        return std::unique_ptr<store::Store>(TRY(store::sqlite::SqliteStore::open(path, sealing_key())));
    };
    verify::Verifier verifier(open, authority::log_seal_key(root_key()), the_clock, [](const verify::Notice&) {});
    (void)verifier.keep();
    const auto opened = open();
    if (!opened) return;
    store::Store& store = **opened;
    const auto read = read_all(store);
    examine(store);
    verify::Uses uses = pristine.seen();
    const auto written = authority::write_uses(store, uses, the_clock.now(), "r");
    const auto revoked = operator_of(store).revoke(authority::ByNameOrId{"codex"}, confirmed());
    // Values that a file has room for and SQLite reads, in tables that nothing rests on, stop nothing.
    if (is_telemetry && read) CHECK(written && revoked && verifier.session());
    (void)read_all(store);
}
