// test/store/backends.h: each kind of store, new and empty, with a second handle on it and a way to write SQL around
// it.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <unistd.h>

#include "base/new_file.h"
#include "store/memory/memory_store.h"
#include "store/postgres/postgres_store.h"
#include "store/sqlite/sqlite_store.h"
#include "test/temporary_folder.h"

namespace marque::store {

inline Secret sealing_key() {
    return Secret::copy_of(Bytes(32, 7));
}

// Makes stores that share one state, for as long as the backend lives.
class Backend {
 public:
    virtual ~Backend() = default;
    virtual Store& store() = 0;
    // Whoever can write SQL. False: nobody can. What they want to keep for later has a place: the schema `kept`.
    virtual bool execute(const std::string&) { return false; }
    // To be called by what decides a change of `store`: that SQL is committed right behind the change, before anybody
    // reads what it left.
    virtual void execute_behind_commit(const std::string&) {}
    // A second handle, as another process would have; null when there can be none.
    virtual Store* other() { return nullptr; }
    // More of them, under whatever key. Null when there can be none.
    virtual std::unique_ptr<Store> open(const SealingKey::Make&) { return nullptr; }
    virtual std::unique_ptr<Maintenance> maintain() { return nullptr; }
    // Puts a database that is kept as SQL in place of this one. `store` and `other` are of no use then.
    virtual void replace_with(const std::string&) {}
};

class MemoryBackend final : public Backend {
 public:
    Store& store() override { return store_; }

 private:
    memory::MemoryStore store_{sealing_key()};
};

class SqliteBackend final : public Backend {
 public:
    SqliteBackend() {
        const std::string path = folder_ / "marque.db";
        EXPECT_TRUE(sqlite::SqliteStore::create(path));
        sqlite3_auto_extension(reinterpret_cast<void (*)()>(note_opened));
        store_ = sqlite::SqliteStore::open(path, SealingKey(sealing_key)).release();
        sqlite3_cancel_auto_extension(reinterpret_cast<void (*)()>(note_opened));
        handle_ = opened_;
        other_ = sqlite::SqliteStore::open(path, SealingKey(sealing_key)).release();
    }
    bool execute(const std::string& sql) override {
        auto database = sqlite::Database::open(folder_ / "marque.db").release();
        const std::string kept = folder_ / "kept.db";
        EXPECT_TRUE(ensure_private_file(kept));
        sqlite3_limit(database.handle(), SQLITE_LIMIT_ATTACHED, 1);
        sqlite3_db_config(database.handle(), SQLITE_DBCONFIG_DEFENSIVE, 0, nullptr);  // an attacker's tool is not
        EXPECT_TRUE(database.execute(("ATTACH '" + kept + "' AS kept").c_str()));
        EXPECT_TRUE(database.execute(sql.c_str())) << sql;
        return true;
    }
    // SQLite calls a hook when a commit is there and its lock is given back.
    void execute_behind_commit(const std::string& sql) override {
        behind_ = sql;
        const auto hook = [](void* self, sqlite3* handle, const char*, int) {
            sqlite3_wal_hook(handle, nullptr, nullptr);
            auto& backend = *static_cast<SqliteBackend*>(self);
            backend.execute(backend.behind_);
            return SQLITE_OK;
        };
        sqlite3_wal_hook(handle_, hook, this);
    }
    std::unique_ptr<Store> open(const SealingKey::Make& key) override {
        return sqlite::SqliteStore::open(folder_ / "marque.db", SealingKey(key)).release();
    }
    std::unique_ptr<Maintenance> maintain() override {
        return sqlite::open_maintenance(folder_ / "marque.db", SealingKey(sealing_key)).release();
    }
    void replace_with(const std::string& sql) override {
        const std::string path = folder_ / "marque.db";
        store_.reset();
        other_.reset();
        for (const char* beside : {"", "-wal", "-shm"}) std::filesystem::remove(path + beside);
        EXPECT_TRUE(ensure_private_file(path));
        auto database = sqlite::Database::open(path).release();
        EXPECT_TRUE(database.execute("PRAGMA foreign_keys = OFF"));
        EXPECT_TRUE(database.execute(sql.c_str()));
    }
    Store& store() override { return *store_; }
    Store* other() override { return other_.get(); }

 private:
    static int note_opened(sqlite3* handle, const char**, const sqlite3_api_routines*) {
        opened_ = handle;
        return SQLITE_OK;
    }
    static inline sqlite3* opened_ = nullptr;
    const TemporaryFolder folder_;
    std::unique_ptr<sqlite::SqliteStore> store_, other_;
    sqlite3* handle_ = nullptr;  // of store_
    std::string behind_;
};

// A database of its own in the server that the test run started (test/store/postgres).
class PostgresBackend final : public Backend {
 public:
    PostgresBackend() {
        std::ifstream file(std::getenv("MARQUE_TEST_POSTGRES"));
        std::getline(file, server_);
        name_ = fmt::format("contract_{}_{}", ::getpid(), ++made_);
        on_server("CREATE DATABASE " + name_);
        EXPECT_TRUE(postgres::PostgresStore::create(conninfo()));
        store_ = postgres::PostgresStore::open(conninfo(), SealingKey(sealing_key)).release();
        other_ = postgres::PostgresStore::open(conninfo(), SealingKey(sealing_key)).release();
    }
    ~PostgresBackend() override {
        store_.reset();
        other_.reset();
        on_server("DROP DATABASE " + name_);
    }
    static bool is_there() {
        const char* file = std::getenv("MARQUE_TEST_POSTGRES");
        return file != nullptr && std::filesystem::exists(file);
    }
    std::string conninfo() const { return server_ + " dbname=" + name_; }
    bool execute(const std::string& sql) override {
        const auto connection = postgres::Connection::open(conninfo(), {}).release();
        EXPECT_TRUE(connection->execute("CREATE SCHEMA IF NOT EXISTS kept"));
        EXPECT_TRUE(connection->execute(sql.c_str())) << sql;
        return true;
    }
    // Runs at the end of the change's transaction: a trigger that is made when the change has looked for such already.
    void execute_behind_commit(const std::string& sql) override {
        execute("CREATE FUNCTION kept.undo() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN " + sql +
                "; RETURN NULL; END $$;"
                "CREATE CONSTRAINT TRIGGER undo AFTER INSERT ON entry DEFERRABLE INITIALLY DEFERRED"
                " FOR EACH ROW EXECUTE FUNCTION kept.undo()");
    }
    std::unique_ptr<Store> open(const SealingKey::Make& key) override {
        return postgres::PostgresStore::open(conninfo(), SealingKey(key)).release();
    }
    std::unique_ptr<Maintenance> maintain() override {
        return postgres::open_maintenance(conninfo(), SealingKey(sealing_key)).release();
    }
    void replace_with(const std::string& sql) override {
        const auto connection = postgres::Connection::open(conninfo(), {}).release();
        EXPECT_TRUE(connection->execute("DROP SCHEMA marque CASCADE"));
        EXPECT_TRUE(connection->execute(sql.c_str()));
    }
    Store& store() override { return *store_; }
    Store* other() override { return other_.get(); }

 private:
    void on_server(const std::string& sql) {
        const auto connection = postgres::Connection::open(server_, {}).release();
        EXPECT_TRUE(connection->execute(sql.c_str()));
    }
    static inline int made_ = 0;
    std::string server_, name_;
    std::unique_ptr<postgres::PostgresStore> store_, other_;
};

struct Kind {
    const char* name;
    std::unique_ptr<Backend> (*make)();
};
inline const Kind kinds[] = {
    {"memory", []() -> std::unique_ptr<Backend> { return std::make_unique<MemoryBackend>(); }},
    {"sqlite", []() -> std::unique_ptr<Backend> { return std::make_unique<SqliteBackend>(); }},
    {"postgres",
     []() -> std::unique_ptr<Backend> {
         if (!PostgresBackend::is_there()) return nullptr;
         return std::make_unique<PostgresBackend>();
     }},
};

}  // namespace marque::store
