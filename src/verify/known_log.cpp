#include "verify/known_log.h"

#include <fmt/format.h>

#include "audit/entry.h"

namespace marque::verify {

Error not_the_log_that_was(const std::string& what) {
    return Error(Code::Corrupt, what,
                 "verdicts stay refused until the log continues the one that was known; look at it with marque audit "
                 "verify and a checkpoint saved elsewhere, and see marque store accept");
}

Result<KnownLog> known_log_of(const store::Reader& reader, domain::Revision size) {
    const auto installation = TRY(reader.installation());
    const auto entries = size == 0 ? std::vector<store::StoredEntry>() : TRY(reader.entries(size - 1, 1));
    if (!installation || entries.empty()) return Error(Code::Unavailable, "the log is empty");
    const auto decoded = TRY(audit::decode(entries.front().bytes));
    return KnownLog{installation->id, size, audit::leaf_hash(bytes_of(entries.front().bytes)), decoded.at};
}

Result<void> advance(Memory& memory, const KnownLog& known, const std::optional<KnownLog>& given_up) {
    const auto hold = TRY(memory.hold());
    const auto current = TRY(memory.recall());
    const bool is_known = current && current->installation == known.installation && current->size >= known.size;
    if (is_known && current != given_up) return {};
    return memory.remember(known);
}

Result<void> require_log_continues(const store::Reader& reader, const KnownLog& known) {
    const auto size = TRY(reader.head()).frontier.size();
    if (size < known.size)
        return not_the_log_that_was(fmt::format("the log went back, from {} entries to {}", known.size, size));
    const auto entries = known.size == 0 ? std::vector<store::StoredEntry>() : TRY(reader.entries(known.size - 1, 1));
    if (!entries.empty() && audit::leaf_hash(bytes_of(entries.front().bytes)) == known.leaf) return {};
    return not_the_log_that_was(
        fmt::format("the log is not the one that was known: its entry {} is another", known.size));
}

Result<void> require_continues(const store::Reader& reader, const KnownLog& known) {
    const auto installation = TRY(reader.installation());
    if (!installation || installation->id != known.installation)
        return not_the_log_that_was(fmt::format("the store is of installation {}, not of {}",
                                                installation ? installation->id : "none", known.installation));
    return require_log_continues(reader, known);
}

}  // namespace marque::verify
