#include "store/sql/copy.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string>
#include <variant>

#include "base/overloaded.h"
#include "base/text.h"
#include "store/sql/sealed_table.h"

namespace marque::store::sql {
namespace {

// The columns of a sealed table, by what they hold.
Table table_of(SealedKind kind) {
    const SealedTable& sealed = sealed_table(kind);
    Table table{sealed.name,
                fmt::format("{}", fmt::join(std::span(sealed.columns).first(sealed.key_columns), ", ")),
                {},
                {},
                {}};
    const auto add = [](std::string& to, const std::string& column) { to += (to.empty() ? "" : ", ") + column; };
    if (sealed.key_columns == 0) {
        table.key = "\"only\"";
        add(table.numbers, table.key);
    }
    for (std::size_t i = 0; i < sealed.columns.size(); ++i)
        add(sealed.types[i] == 't'   ? table.texts
            : sealed.types[i] == 'n' ? table.numbers
                                     : table.bytes,
            sealed.columns[i]);
    return table;
}

// So many rows in one statement: more gain nothing.
constexpr int rows_at_a_time = 100;

enum class Kind : std::uint8_t { Text, Number, Bytes };

using Value = std::variant<std::monostate, std::string, std::int64_t, Bytes>;

// A table, and the statements about it: kept for ever, as prepared ones are known by their text's address.
struct Shape {
    std::string name;
    std::vector<Kind> kinds;
    std::string count, select, clear, insert_one, insert_some;
};

std::string repeated(const std::string& part, std::size_t times) {
    std::string text = part;
    for (std::size_t i = 1; i < times; ++i) text += "," + part;
    return text;
}

Shape shape_of(const Table& table) {
    Shape shape{table.name, {}, {}, {}, {}, {}, {}};
    std::string columns;
    for (const auto& [names, kind] : {std::pair(table.texts, Kind::Text), std::pair(table.numbers, Kind::Number),
                                      std::pair(table.bytes, Kind::Bytes)}) {
        if (names.empty()) continue;
        columns += (columns.empty() ? "" : ", ") + names;
        shape.kinds.insert(shape.kinds.end(), split(names, ',').size(), kind);
    }
    const std::string row = "(" + repeated("?", shape.kinds.size()) + ")";
    const std::string insert = fmt::format("INSERT INTO {} ({}) VALUES ", table.name, columns);
    shape.count = fmt::format("SELECT count(*) FROM {}", table.name);
    shape.select = fmt::format("SELECT {} FROM {} ORDER BY {}", columns, table.name, table.key);
    shape.clear = fmt::format("DELETE FROM {}", table.name);
    shape.insert_one = insert + row;
    shape.insert_some = insert + repeated(row, rows_at_a_time);
    return shape;
}

const std::vector<Shape>& shapes() {
    static const auto all = [] {
        std::vector<Shape> made;
        for (const Table& table : tables()) made.push_back(shape_of(table));
        return made;
    }();
    return all;
}

Value value_in(const Statement& row, int column, Kind kind) {
    if (row.is_null(column)) return {};
    switch (kind) {
        case Kind::Text:
            return std::string(row.view(column));
        case Kind::Number:
            return row.exact_number(column);
        case Kind::Bytes:
            return row.bytes(column);
    }
    return {};
}

void bind(Statement& statement, const Value& value) {
    std::visit(Overloaded{
                   [&](std::monostate) { statement.bind_null(); },
                   [&](const std::string& text) { statement.bind(std::string_view(text)); },
                   [&](std::int64_t number) { statement.bind(number); },
                   [&](const Bytes& bytes) { statement.bind(ByteView(bytes)); },
               },
               value);
}

void append_number(Bytes& to, std::uint64_t number) {
    for (int shift = 56; shift >= 0; shift -= 8) to.push_back(static_cast<std::uint8_t>(number >> shift));
}

// Appends an unambiguous encoding of `value` (type, length, bytes): different sequences of values give different
// bytes.
void append_canonical(Bytes& to, const Value& value) {
    to.push_back(static_cast<std::uint8_t>(value.index()));
    const auto append = [&](ByteView bytes) {
        append_number(to, bytes.size());
        to.insert(to.end(), bytes.begin(), bytes.end());
    };
    std::visit(Overloaded{
                   [](std::monostate) {},
                   [&](const std::string& text) { append(bytes_of(text)); },
                   [&](std::int64_t number) { append_number(to, static_cast<std::uint64_t>(number)); },
                   [&](const Bytes& bytes) { append(bytes); },
               },
               value);
}

class Meter {
 public:
    Meter(const Progress& progress, std::uint64_t all) : progress_(progress), all_(all) {}
    void add_row() {
        if (++done_ % 1000 == 0 || done_ == all_)
            progress_(static_cast<double>(done_) / static_cast<double>(std::max(done_, all_)));
    }

 private:
    const Progress& progress_;
    std::uint64_t all_, done_ = 0;
};

Result<Meter> meter(Connection& connection, const Progress& progress) {
    std::uint64_t all = 0;
    for (const Shape& shape : shapes()) all += static_cast<std::uint64_t>(TRY(connection.number(shape.count.c_str())));
    return Meter(progress, all);
}

// Every row, in the order of keys.
template <class Each>
Result<Tally> walk(Connection& connection, const Shape& shape, Meter& meter, const Each& each) {
    Tally tally{shape.name};
    Statement rows = TRY(connection.prepare_streaming(shape.select.c_str()));
    Bytes canonical;
    while (TRY(rows.step())) {
        std::vector<Value> row;
        canonical.assign(tally.digest.begin(), tally.digest.end());
        for (std::size_t i = 0; i < shape.kinds.size(); ++i) {
            row.push_back(value_in(rows, static_cast<int>(i), shape.kinds[i]));
            append_canonical(canonical, row.back());
        }
        tally.digest = crypto::sha256(canonical);
        ++tally.rows;
        meter.add_row();
        TRY(each(std::move(row)));
    }
    return tally;
}

Result<void> insert(Connection& connection, const std::string& sql, std::span<const std::vector<Value>> rows) {
    Statement statement = TRY(connection.prepare(sql.c_str()));
    for (const auto& row : rows)
        for (const Value& value : row) bind(statement, value);
    TRY(statement.run());
    return {};
}

Result<Tally> copy_table(Connection& from, Connection& to, const Shape& shape, Meter& meter) {
    {
        Statement clear = TRY(to.prepare(shape.clear.c_str()));
        TRY(clear.run());
    }
    std::vector<std::vector<Value>> waiting;
    const auto tally = TRY(walk(from, shape, meter, [&](std::vector<Value> row) -> Result<void> {
        waiting.push_back(std::move(row));
        if (waiting.size() < rows_at_a_time) return {};
        TRY(insert(to, shape.insert_some, waiting));
        waiting.clear();
        return {};
    }));
    for (const auto& row : waiting) TRY(insert(to, shape.insert_one, {&row, 1}));
    return tally;
}

}  // namespace

std::span<const Table> tables() {
    static const auto all = [] {
        std::vector<Table> made{{"log_head", "\"only\"", "", "\"only\", size", "frontier, seal, row_root"},
                                {"entry", "seq", "bytes, workspace, identity", "seq", "seal"}};
        // In an order that foreign keys allow.
        for (const SealedTable& sealed : sealed_tables()) made.push_back(table_of(sealed.kind));
        for (Table& other : std::vector<Table>{
                 {"row_seal", "bucket, place", "place", "bucket", "seal"},
                 {"row_tree", "node", "", "node", "children"},
                 {"last_use", "credential", "credential, source", "at, count", ""},
                 {"refused_use", "credential", "credential, reason, source", "since, at, count, untold, told_at", ""},
                 // After the tables whose writing it counts where triggers do.
                 {"row_write", "\"only\"", "", "\"only\", count, by_event", ""}})
            made.push_back(std::move(other));
        return made;
    }();
    return all;
}

Result<Tallies> copy_rows(Connection& from, Connection& to, const Progress& progress) {
    Tallies tallies;
    Meter rows = TRY(meter(from, progress));
    for (const Shape& shape : shapes()) tallies.push_back(TRY(copy_table(from, to, shape, rows)));
    return tallies;
}

Result<Tallies> tally_rows(Connection& connection, const Progress& progress) {
    Tallies tallies;
    Meter rows = TRY(meter(connection, progress));
    for (const Shape& shape : shapes())
        tallies.push_back(
            TRY(walk(connection, shape, rows, [](const std::vector<Value>&) -> Result<void> { return {}; })));
    return tallies;
}

Result<void> require_same(const Tallies& from, const Tallies& to) {
    for (std::size_t i = 0; i < from.size(); ++i)
        if (i >= to.size() || from[i] != to[i])
            return Error(Code::Corrupt,
                         fmt::format("the table {} arrived with other rows than it has (rows here {}, there {})",
                                     from[i].table, from[i].rows, i < to.size() ? to[i].rows : 0));
    return {};
}

}  // namespace marque::store::sql
