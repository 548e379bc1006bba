// Every row and column of a store arrives in another, whatever the two are made of, and what did not is found.
#include "store/sql/copy.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <unistd.h>

#include "base/text.h"
#include "store/postgres/postgres_store.h"
#include "store/postgres/schema.h"
#include "store/sqlite/schema.h"
#include "store/sqlite/sqlite_store.h"
#include "test/temporary_folder.h"

namespace marque::store::sql {
namespace {

const Progress nobody = [](double) {};

// A store's tables, with nothing in them.
class Tables {
 public:
    virtual ~Tables() = default;
    virtual Connection& connection() = 0;
    virtual void execute(const std::string& sql) = 0;
    // Rows of two: a table's name, and a column's. Without what is no part of an installation.
    virtual const char* columns_sql() const = 0;
};

class SqliteTables final : public Tables {
 public:
    SqliteTables() {
        EXPECT_TRUE(sqlite::SqliteStore::create(folder_ / "marque.db"));
        database_.emplace(sqlite::Database::open(folder_ / "marque.db").release());
    }
    Connection& connection() override { return *database_; }
    void execute(const std::string& sql) override { EXPECT_TRUE(database_->execute(sql.c_str())) << sql; }
    const char* columns_sql() const override {
        return "SELECT m.name, c.name FROM sqlite_schema m JOIN pragma_table_info(m.name) c WHERE m.type = 'table'";
    }

 private:
    const TemporaryFolder folder_;
    std::optional<sqlite::Database> database_;
};

class PostgresTables final : public Tables {
 public:
    PostgresTables() {
        std::ifstream file(std::getenv("MARQUE_TEST_POSTGRES"));
        std::getline(file, server_);
        name_ = fmt::format("copy_{}_{}", ::getpid(), ++made_);
        on_server("CREATE DATABASE " + name_);
        EXPECT_TRUE(postgres::PostgresStore::create(server_ + " dbname=" + name_));
        connection_ = postgres::Connection::open(server_ + " dbname=" + name_, {}).release();
    }
    ~PostgresTables() override {
        connection_.reset();
        on_server("DROP DATABASE " + name_);
    }
    static bool is_there() {
        const char* file = std::getenv("MARQUE_TEST_POSTGRES");
        return file != nullptr && std::filesystem::exists(file);
    }
    Connection& connection() override { return *connection_; }
    void execute(const std::string& sql) override { EXPECT_TRUE(connection_->execute(sql.c_str())) << sql; }
    const char* columns_sql() const override {
        return "SELECT table_name::text, column_name::text FROM information_schema.columns"
               " WHERE table_schema = 'marque' AND table_name NOT IN ('schema_version', 'verifier')";
    }

 private:
    void on_server(const std::string& sql) {
        EXPECT_TRUE(postgres::Connection::open(server_, {}).release()->execute(sql.c_str()));
    }
    static inline int made_ = 0;
    std::string server_, name_;
    std::unique_ptr<postgres::Connection> connection_;
};

template <class... Values>
void run(Tables& tables, const char* sql, const Values&... values) {
    Statement statement = tables.connection().prepare(sql).release();
    (statement.bind(values), ...);
    const auto ran = statement.run();
    EXPECT_TRUE(ran) << sql << ": " << (ran ? "" : ran.error().message);
}

const std::string odd_text = "Ünï ’\"\\\n\t{}%$1?; --\x7f";
const std::optional<std::string> no_text;
const std::optional<Instant> no_time;
Bytes bytes(std::uint8_t of) {
    return Bytes(32, of);
}

// One row of each table and, where something may be missing or strange, more.
void fill(Tables& t) {
    run(t,
        "INSERT INTO installation (\"only\", id, created_at, quorum, has_sole_owner, owners_revision)"
        " VALUES (1, ?, ?, 2, 1, 3)",
        "an-id", std::int64_t{1} << 53);
    run(t, "INSERT INTO log_head (\"only\", size, frontier, seal, row_root) VALUES (1, 2, ?, ?, ?)", ByteView(Bytes()),
        ByteView(bytes(0)), ByteView(bytes(3)));
    run(t, "INSERT INTO entry (seq, bytes, seal, workspace, identity) VALUES (1, ?, ?, ?, ?)", odd_text,
        ByteView(bytes(0xff)), "w", "i");
    run(t, "INSERT INTO entry (seq, bytes, seal, workspace, identity) VALUES (2, '', ?, ?, ?)", ByteView(bytes(0)),
        no_text, no_text);
    run(t, "INSERT INTO workspace (name, state, paused_until, created_at, revision) VALUES ('w', 'active', ?, -1, 1)",
        no_time);
    run(t, "INSERT INTO workspace (name, state, paused_until, created_at, revision) VALUES ('w-', 'paused', 0, 0, 1)");
    run(t,
        "INSERT INTO environment (workspace, name, is_protected, max_lifetime_us, state, paused_until, created_at,"
        " revision) VALUES ('w', 'e', 1, ?, 'active', ?, 0, 1)",
        no_time, no_time);
    run(t,
        "INSERT INTO identity (workspace, name, environment, kind, scopes, contact, labels, state, paused_until,"
        " created_at, revision) VALUES ('w', 'i', 'e', 'agent', 'a:b', ?, '', 'active', ?, 0, 1)",
        odd_text, no_time);
    for (const char* id : {"000000000000", "zzzzzzzzzzzz"})
        run(t,
            "INSERT INTO credential (id, workspace, identity, hash, scopes, state, created_at, expires_at, "
            "paused_until,"
            " retire_at, replaces, old_credential, overlap_us, revision)"
            " VALUES (?, 'w', 'i', ?, 'a:b', 'retiring', 0, ?, ?, 5, ?, 'retires_after_overlap', -7, 1)",
            id, ByteView(bytes(7)), no_time, no_time, no_text);
    run(t, "INSERT INTO operator (name, uid, is_removed, created_at, revision) VALUES ('ops', 4294967295, 0, 0, 1)");
    for (const char* permission : {"workspace:view", "workspace:manage"})
        run(t, "INSERT INTO permission (operator, workspace, permission, revision) VALUES ('ops', '*', ?, 1)",
            permission);
    run(t, "INSERT INTO owner (fingerprint, public_key, comment, operator, revision) VALUES ('f', 'k', '', ?, 1)",
        no_text);
    run(t,
        "INSERT INTO approval (id, nonce, text, plan, action, about, workspace, requester, requested_at, not_after,"
        " state, revision) VALUES ('12345678', 'n', ?, 'p', 'a', '{}', ?, 'ops', 1, 2, 'open', 1)",
        odd_text, no_text);
    run(t,
        "INSERT INTO approval_signature (approval, revision, fingerprint, signature, at)"
        " VALUES ('12345678', 9, 'f', 's', 3)");
    run(t, "INSERT INTO row_seal (bucket, place, seal) VALUES (65535, ?, ?)", odd_text,
        ByteView(bytes(0xfe)).first(16));
    run(t, "INSERT INTO row_tree (node, children) VALUES (0, ?)", ByteView(Bytes(512, 0x80)));
    run(t, "INSERT INTO last_use (credential, at, source, count) VALUES ('000000000000', 1, ?, 2)", odd_text);
    run(t,
        "INSERT INTO refused_use (credential, reason, since, at, source, count, untold, told_at)"
        " VALUES ('zzzzzzzzzzzz', 'r', 1, 2, 's', 3, 4, ?)",
        no_time);
    run(t, "UPDATE row_write SET count = 17, by_event = 16");
}

struct Kind {
    const char* name;
    std::unique_ptr<Tables> (*make)();
};
const Kind kinds[] = {
    {"sqlite", []() -> std::unique_ptr<Tables> { return std::make_unique<SqliteTables>(); }},
    {"postgres",
     []() -> std::unique_ptr<Tables> {
         if (!PostgresTables::is_there()) return nullptr;
         return std::make_unique<PostgresTables>();
     }},
};

class Copy : public testing::TestWithParam<Kind> {
 protected:
    void SetUp() override {
        if (!from) GTEST_SKIP() << "there is no PostgreSQL server: MARQUE_TEST_POSTGRES names no file";
    }
    std::unique_ptr<Tables> from = GetParam().make();
};
INSTANTIATE_TEST_SUITE_P(Stores, Copy, testing::ValuesIn(kinds), [](const auto& i) { return i.param.name; });

TEST_P(Copy, EveryTableAndColumnOfTheSchemaIsInTheList) {
    std::set<std::string> listed, there;
    for (const Table& table : tables())
        for (const std::string& names : {table.texts, table.numbers, table.bytes})
            for (const std::string_view part : split(names, ',')) {
                std::string name(part);
                std::erase_if(name, [](char c) { return c == ' ' || c == '"'; });
                if (!name.empty()) listed.insert(fmt::format("{}.{}", table.name, name));
            }
    Statement rows = from->connection().prepare(from->columns_sql()).release();
    while (rows.step().release()) there.insert(rows.text(0) + "." + rows.text(1));
    EXPECT_EQ(listed, there);
}

TEST_P(Copy, EveryRowArrivesInEveryKindOfStore) {
    fill(*from);
    for (const Kind& kind : kinds) {
        const auto to = kind.make();
        if (!to) continue;
        const auto sent = copy_rows(from->connection(), to->connection(), nobody);
        ASSERT_TRUE(sent) << kind.name << ": " << sent.error().message;
        const auto arrived = tally_rows(to->connection(), nobody);
        ASSERT_TRUE(arrived);
        EXPECT_TRUE(require_same(*sent, *arrived)) << kind.name;
        EXPECT_TRUE(require_same(*arrived, *tally_rows(from->connection(), nobody))) << kind.name;
        for (const Tally& tally : *arrived) EXPECT_GT(tally.rows, 0u) << tally.table << " is not tried";
        // And on from there: the same again.
        const auto back = GetParam().make();
        ASSERT_TRUE(copy_rows(to->connection(), back->connection(), nobody));
        EXPECT_TRUE(require_same(*sent, *tally_rows(back->connection(), nobody))) << kind.name;
    }
}

TEST_P(Copy, AnyNumberOfRows) {
    for (const int count : {0, 1, 99, 100, 101, 250}) {
        from->execute("DELETE FROM workspace");
        for (int i = 0; i < count; ++i)
            run(*from, "INSERT INTO workspace (name, state, created_at, revision) VALUES (?, 'active', 0, 1)",
                fmt::format("w{}", i));
        const auto to = GetParam().make();
        double part = 0;
        const auto sent = copy_rows(from->connection(), to->connection(), [&](double now) {
            EXPECT_GE(now, part);
            part = now;
        });
        ASSERT_TRUE(sent);
        EXPECT_EQ((*sent)[3].table, "workspace");
        EXPECT_EQ((*sent)[3].rows, static_cast<std::uint64_t>(count));
        EXPECT_EQ(part, 1.0);
        EXPECT_TRUE(require_same(*sent, *tally_rows(to->connection(), nobody)));
    }
}

// Each column of each table, one at a time.
TEST(CopyInSqlite, AnyDifferenceIsFoundAndTheTableNamed) {
    SqliteTables from, to;
    fill(from);
    const auto sent = *copy_rows(from.connection(), to.connection(), nobody);
    to.execute("PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON");
    std::size_t tried = 0;
    const auto differs = [&](const std::string& table, const std::string& change) {
        to.execute("BEGIN; " + change);
        const auto same = require_same(sent, *tally_rows(to.connection(), nobody));
        EXPECT_FALSE(same) << change;
        if (!same) {
            EXPECT_EQ(same.error().code, Code::Corrupt);
            EXPECT_NE(same.error().message.find(fmt::format("the table {} ", table)), std::string::npos)
                << change << ": " << same.error().message;
        }
        to.execute("ROLLBACK");
        ++tried;
    };
    for (const Table& table : tables()) {
        const std::string where = fmt::format(" WHERE ({0}) = (SELECT {0} FROM {1} LIMIT 1)", table.key, table.name);
        for (const auto& [names, change] :
             {std::pair(table.texts, "coalesce({0}, '') || 'x'"), std::pair(table.numbers, "coalesce({0}, -1) + 1000"),
              std::pair(table.bytes, "x'{1:064}'")})
            for (const std::string_view name : split(names, ',')) {
                if (name.empty()) continue;
                differs(table.name, fmt::format("UPDATE {} SET {} = {}{}", table.name, name,
                                                fmt::format(fmt::runtime(change), name, 1), where));
            }
        differs(table.name, fmt::format("DELETE FROM {}{}", table.name, where));
    }
    EXPECT_GT(tried, 90u);
    EXPECT_TRUE(require_same(sent, *tally_rows(to.connection(), nobody)));
}

// Where one value ends and the next begins is part of what is compared; and so is whether there is one.
TEST(CopyInSqlite, WhatLooksAlikeIsNotTheSame) {
    SqliteTables store;
    const auto tally_of = [&](const char* workspace, const char* identity) {
        store.execute(
            fmt::format("DELETE FROM entry; INSERT INTO entry (seq, bytes, seal, workspace, identity)"
                        " VALUES (1, 'b', x'{:064}', {}, {})",
                        0, workspace, identity));
        const auto all = *tally_rows(store.connection(), nobody);
        return *std::ranges::find(all, "entry", &Tally::table);
    };
    const std::vector<Tally> tallies = {tally_of("'ab'", "'c'"), tally_of("'a'", "'bc'"), tally_of("'abc'", "''"),
                                        tally_of("'abc'", "NULL"), tally_of("NULL", "'abc'")};
    for (std::size_t i = 0; i < tallies.size(); ++i)
        for (std::size_t k = 0; k < i; ++k) EXPECT_NE(tallies[i], tallies[k]) << i << " and " << k;
}

}  // namespace
}  // namespace marque::store::sql
