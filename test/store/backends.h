// test/store/backends.h: each kind of store, new and empty, with a second handle on it and a way to write SQL around
// it.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <unistd.h>

#include "store/memory/memory_store.h"
#include "store/postgres/postgres_store.h"
#include "store/sqlite/sqlite_store.h"

namespace marque::store {

inline Secret sealing_key() {
    return Secret::copy_of(Bytes(32, 7));
}

// Makes stores that share one state, for as long as the backend lives.
class Backend {
 public:
    virtual ~Backend() = default;
    virtual Store& store() = 0;
    // Whoever can write SQL. False: nobody can.
    virtual bool execute(const std::string&) { return false; }
    // A second handle, as another process would have; null when there can be none.
    virtual Store* other() { return nullptr; }
    // More of them, under whatever key. Null when there can be none.
    virtual std::unique_ptr<Store> open(const SealingKey::Make&) { return nullptr; }
    virtual std::unique_ptr<Maintenance> maintain() { return nullptr; }
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
        std::string pattern = std::filesystem::temp_directory_path() / "marque-contract-XXXXXX";
        folder_ = ::mkdtemp(pattern.data());
        const std::string path = folder_ / "marque.db";
        EXPECT_TRUE(sqlite::SqliteStore::create(path));
        store_ = sqlite::SqliteStore::open(path, SealingKey(sealing_key)).release();
        other_ = sqlite::SqliteStore::open(path, SealingKey(sealing_key)).release();
    }
    ~SqliteBackend() override {
        store_.reset();
        other_.reset();
        std::filesystem::remove_all(folder_);
    }
    bool execute(const std::string& sql) override {
        auto database = sqlite::Database::open(folder_ / "marque.db").release();
        EXPECT_TRUE(database.execute(sql.c_str())) << sql;
        return true;
    }
    std::unique_ptr<Store> open(const SealingKey::Make& key) override {
        return sqlite::SqliteStore::open(folder_ / "marque.db", SealingKey(key)).release();
    }
    std::unique_ptr<Maintenance> maintain() override {
        return sqlite::open_maintenance(folder_ / "marque.db", SealingKey(sealing_key)).release();
    }
    Store& store() override { return *store_; }
    Store* other() override { return other_.get(); }

 private:
    std::filesystem::path folder_;
    std::unique_ptr<sqlite::SqliteStore> store_, other_;
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
        EXPECT_TRUE(connection->execute(sql.c_str())) << sql;
        return true;
    }
    std::unique_ptr<Store> open(const SealingKey::Make& key) override {
        return postgres::PostgresStore::open(conninfo(), SealingKey(key)).release();
    }
    std::unique_ptr<Maintenance> maintain() override {
        return postgres::open_maintenance(conninfo(), SealingKey(sealing_key)).release();
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
