// store/sql/copy.h: everything that a store holds, into an empty one of any kind that speaks SQL, and whether it
// arrived.
//
// The tables are listed once (copy.cpp), and a test holds the list against both schemas. Rows come as they are read and
// go out some at a time, so that the memory needed does not grow with the store.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/digest.h"
#include "store/sql/statement.h"

namespace marque::store::sql {

// A table's columns, by what they hold; names are separated by ", ".
struct Table {
    std::string name;
    std::string key;  // unique, and some of the columns
    std::string texts, numbers, bytes;
};

// What belongs to an installation, in an order in which it can be written. Not among them: the schema's version, and
// what is of running processes (the table `verifier`).
std::span<const Table> tables();

// How many rows a table has, and a digest over them in the order of their keys: the same wherever the rows are.
struct Tally {
    std::string_view table;
    std::uint64_t rows = 0;
    crypto::Digest digest{};
    bool operator==(const Tally&) const = default;
};
using Tallies = std::vector<Tally>;

// Is called with the share of the rows that has been processed, from 0 to 1.
using Progress = std::function<void(double)>;

// Copies all rows. Both connections are in a transaction. `to` has the tables; rows that its schema put into them are
// deleted first. The tallies are of the rows read from `from`. Errors: those of the stores.
Result<Tallies> copy_rows(Connection& from, Connection& to, const Progress& progress);

// Computes the tallies of the rows in the database.
Result<Tallies> tally_rows(Connection& connection, const Progress& progress);

// Checks that two lists of tallies are equal. Errors: Corrupt, which names the first table that differs.
Result<void> require_same(const Tallies& from, const Tallies& to);

}  // namespace marque::store::sql
