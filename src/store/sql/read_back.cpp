#include "store/sql/read_back.h"

#include <fmt/format.h>

#include <algorithm>

#include "audit/entry.h"
#include "store/append.h"

namespace marque::store::sql {
namespace {

constexpr std::size_t entries_at_a_time = 1000;

Error not_there(const std::string& what) {
    return tampered("log_head", what);
}

// Appends the log's entries up to `size` to `frontier`. Each has to carry our seal.
Result<void> extend(audit::Frontier& frontier, std::uint64_t size, const SqlReader& reader, const Secret& key) {
    while (frontier.size() < size) {
        const auto entries =
            TRY(reader.entries(frontier.size(), std::min<std::uint64_t>(entries_at_a_time, size - frontier.size())));
        if (entries.empty()) return tampered("entry", fmt::format("the log lacks entry {}", frontier.size() + 1));
        for (const StoredEntry& entry : entries) {
            const audit::Digest leaf = audit::leaf_hash(bytes_of(entry.bytes));
            if (entry.seq != frontier.size() + 1 ||
                !crypto::equal(entry.seal, audit::seal_of_entry(key, entry.seq, leaf)))
                return tampered("entry", fmt::format("audit entry {} is not sealed by this installation", entry.seq));
            frontier.append(leaf);
        }
    }
    return {};
}

Result<void> check_log(const SqlReader& reader, const StoredHead& head, const Written& written, const Secret& key,
                       Extent extent) {
    TRY(check_head(head, key));
    const std::uint64_t size = head.frontier.size();
    if (size < written.revision())
        return not_there(fmt::format("the log went back, from {} entries to {}", written.revision(), size));
    audit::Frontier frontier;
    if (extent == Extent::Everything) TRY(extend(frontier, written.revision(), reader, key));
    if (extent == Extent::Everything && frontier != written.head.frontier)
        return not_there("the log's entries are not those that were sealed");
    frontier = written.head.frontier;
    TRY(extend(frontier, size, reader, key));
    if (frontier != head.frontier) return not_there("the log is another than the one that was written");
    if (size == written.revision() && head.rows != written.head.rows)
        return not_there("the rows are not those that were written");
    return {};
}

Result<void> check_rows(const SqlReader& reader, const Written& written, Extent extent) {
    if (extent == Extent::Everything) return reader.require_complete();
    TRY(reader.seals().fetch(buckets_of(written.places)));
    for (const Place& place : written.places) TRY(reader.seals().check_as_it_is(place));
    return {};
}

}  // namespace

Result<void> read_back(const SqlReader& reader, const Written& written, const Secret& sealing_key, Extent extent) {
    const auto check = [&]() -> Result<void> {
        TRY(check_log(reader, TRY(reader.head()), written, sealing_key, extent));
        return check_rows(reader, written, extent);
    };
    const auto checked = check();
    if (!checked) return not_read_back(written.revision(), checked.error());
    return {};
}

}  // namespace marque::store::sql
