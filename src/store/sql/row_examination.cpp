// What is wrong with which rows, in words: for audit verify and doctor.
#include <fmt/format.h>

#include <algorithm>

#include "audit/entry.h"
#include "base/text.h"
#include "store/append.h"
#include "store/sql/reader.h"

namespace marque::store::sql {
namespace {

using audit::RowSeal;

// The revision of a row, or the largest number where it has none or is never written again.
std::uint64_t revision_of(const SealedTable& table, const Statement& row) {
    if (table.revision_column < 0 || table.kind == SealedKind::ApprovalSignature) return ~std::uint64_t{0};
    return row.count(table.revision_column);
}

// A row that is what its seal says, in a bucket that is not what the tree says.
struct Suspect {
    std::string name;
    std::uint64_t revision;
    std::uint64_t newest = 0;  // entry about it
};
using Suspects = std::map<std::string, Suspect>;

// The log's revision of a subject gives an older row away.
Result<void> find_newest_entries(const SqlReader& reader, Suspects& suspects) {
    constexpr std::size_t at_a_time = 1000;
    for (std::uint64_t after = 0;;) {
        const auto entries = TRY(reader.entries(after, at_a_time));
        for (const StoredEntry& entry : entries) {
            after = entry.seq;
            const auto decoded = audit::decode(entry.bytes);
            if (!decoded || decoded->outcome == name_of(audit::Outcome::Refused)) continue;
            if (const auto place = place_of(decoded->subject))
                if (const auto found = suspects.find(place->text()); found != suspects.end())
                    found->second.newest = entry.seq;
        }
        if (entries.size() < at_a_time) return {};
    }
}

Result<void> for_each_seal(Connection& connection,
                           const std::function<Result<void>(std::string_view place, const RowSeal&)>& each) {
    Statement statement = TRY(connection.prepare("SELECT place, seal FROM row_seal ORDER BY bucket, place"));
    while (TRY(statement.step())) TRY(each(statement.view(0), TRY(seal_from(statement.bytes(1)))));
    return {};
}

}  // namespace

// By three ways: the rows, the seals that are stored, and the tree over them.
Result<bool> RowSeals::is_sound() {
    Whole whole(*this);
    TRY(whole.finish({}));
    audit::RowSet stored;
    TRY(for_each_seal(connection_, [&](std::string_view place, const RowSeal& seal) -> Result<void> {
        stored.add(place, seal);
        return {};
    }));
    for (const auto& [bucket, hash] : stored.buckets())
        if (TRY(seals_in(bucket)) == nullptr) return false;
    return stored.root() == TRY(root());
}

Result<void> RowSeals::require_whole() {
    auto whole = Whole(*this).finish({});
    if (whole || whole.error().tampered.empty()) return whole;
    const auto findings = TRY(examine());
    if (findings.empty()) return whole;
    return tampered(whole.error().tampered, findings.front());
}

Result<std::vector<std::string>> RowSeals::examine() {
    const auto is_well = is_sound();
    if (is_well && *is_well) return std::vector<std::string>();
    if (!is_well && is_well.error().tampered.empty()) return is_well.error();
    std::vector<std::string> findings;
    std::map<std::string, RowSeal, std::less<>> stored;
    TRY(for_each_seal(connection_, [&](std::string_view place, const RowSeal& seal) -> Result<void> {
        stored.emplace(place, seal);
        return {};
    }));
    Suspects suspects;
    TRY(for_each_row(connection_, tables_, [&](const SealedTable& table, const Statement& row) -> Result<void> {
        const Place place = place_of(table, row);
        const std::string text = place.text();
        const auto found = stored.find(text);
        if (found == stored.end()) {
            findings.push_back(named(place) + " was not written by this installation");
            return {};
        }
        const bool is_as_sealed = found->second == TRY(seal_of(table, text, row));
        stored.erase(found);
        if (!is_as_sealed) {
            findings.push_back(named(place) + " is not as it was written");
            return {};
        }
        const auto seals = seals_in(audit::bucket_of(text));
        if (!seals && seals.error().tampered.empty()) return seals.error();
        if (!seals || *seals == nullptr) suspects.emplace(text, Suspect{named(place), revision_of(table, row)});
        return {};
    }));
    for (const auto& [text, seal] : stored)
        findings.push_back(escaped(text) + " was taken away, and its seal is there");
    // The installation's row comes first, and its seal covers the seals of all operators and owners: when one of those
    // is wrong, so is this, and what is wrong is to be named first.
    if (!findings.empty() && findings.front().starts_with("installation"))
        std::ranges::rotate(findings, std::next(findings.begin()));
    TRY(find_newest_entries(SqlReader(connection_, key_), suspects));
    std::string others;
    for (const auto& [text, suspect] : suspects) {
        if (suspect.newest > suspect.revision)
            findings.push_back(fmt::format("{} is as it was at entry {}: entry {} wrote it since", suspect.name,
                                           suspect.revision, suspect.newest));
        else
            others += (others.empty() ? "" : ", ") + suspect.name;
    }
    if (findings.empty())
        findings.push_back("the seals are not those that the log's head is sealed over" +
                           (others.empty() ? "" : "; those of " + quote(others, 400)));
    return findings;
}

}  // namespace marque::store::sql
