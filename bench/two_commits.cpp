// bench_two_commits FILE: opens an SQLite database like the store's (write-ahead log, synchronous=FULL), commits two
// rows in two transactions, and ends: the least that a create can cost.
#include <sqlite3.h>

int main(int argc, char** argv) {
    if (argc != 2) return 2;
    sqlite3* db = nullptr;
    if (sqlite3_open_v2(argv[1], &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nullptr) != SQLITE_OK) return 1;
    int persist = 1;
    sqlite3_file_control(db, nullptr, SQLITE_FCNTL_PERSIST_WAL, &persist);
    const char* const statements[] = {"PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL",
                                      "CREATE TABLE IF NOT EXISTS t (a INTEGER PRIMARY KEY, b TEXT)",
                                      "INSERT INTO t (b) VALUES (hex(randomblob(400)))",
                                      "INSERT INTO t (b) VALUES (hex(randomblob(400)))"};
    for (const char* sql : statements)
        if (sqlite3_exec(db, sql, nullptr, nullptr, nullptr) != SQLITE_OK) return 1;
    return sqlite3_close(db) == SQLITE_OK ? 0 : 1;
}
