#include "store/sql/move.h"

#include <fmt/format.h>

#include "audit/entry.h"
#include "base/text.h"
#include "store/sql/copy.h"
#include "store/sql/reader.h"

namespace marque::store::sql {
namespace {

Error with_hint(const std::string& hint, const Error& error) {
    return Error(error.code, error.message, hint);
}

Error with_code(Code code, const Error& error) {
    return Error(code, error.message, error.hint);
}

// The new store is what the old one is: every row, the whole log, its head.
Result<void> compare(Source& source, Target& target, const Tallies& sent, const MoveSteps& steps) {
    TRY(target.begin_reading());
    TRY(require_same(sent, TRY(tally_rows(target.connection(), steps.checking))));
    const SqlReader from(source.connection(), source.sealing_key()), to(target.connection(), source.sealing_key());
    TRY(steps.verify(to, target.place().location));
    const StoredHead mine = TRY(from.head()), its = TRY(to.head());
    if (mine.frontier != its.frontier || mine.seal != its.seal)
        return Error(Code::Corrupt, "the log's head arrived as another");
    return {};
}

// Whether what is at the target was copied from this closed store: its last entry, made for that one copying, is there.
Result<bool> is_copy_of(Source& source, Target& target) {
    TRY(target.begin_reading());
    const SqlReader from(source.connection(), source.sealing_key()), to(target.connection(), source.sealing_key());
    const std::uint64_t size = TRY(from.head()).frontier.size();
    if (size == 0) return false;
    const auto mine = TRY(from.entries(size - 1, 1)), its = TRY(to.entries(size - 1, 1));
    return !mine.empty() && !its.empty() && mine.front().seq == its.front().seq &&
           mine.front().bytes == its.front().bytes && mine.front().seal == its.front().seal;
}

// The old store is closed, and the new one whole.
Result<void> finish(Source& source, Target& target, Moved& moved) {
    const auto open = [&]() -> Result<void> {
        TRY(source.read_back());
        TRY(source.await_verifiers());
        return target.open();
    };
    if (auto opened = open(); !opened)
        return Error(Code::OutcomeUnknown,
                     "the store is closed, and its whole copy is not open yet: " + opened.error().message,
                     "repeat the command: it goes on from there");
    if (auto away = source.put_away(); !away) moved.not_put_away = away.error().message;
    return {};
}

// Where the last entry of a closed store says that it went; empty if it does not.
Result<std::string> destination(const SqlReader& reader) {
    const std::uint64_t size = TRY(reader.head()).frontier.size();
    const auto entries = TRY(reader.entries(size == 0 ? 0 : size - 1, 1));
    if (entries.empty()) return std::string();
    const audit::Json body = TRY(audit::decode(entries.front().bytes)).body;
    boost::system::error_code ignored;
    const auto* location = body.find_pointer("/change/after/location", ignored);
    const auto* text = location == nullptr ? nullptr : location->if_string();
    return text == nullptr ? std::string() : std::string(*text);
}

Result<void> go_on(Source& source, Target& target, Target::State state, const MoveSteps& steps, Moved& moved) {
    const SqlReader from(source.connection(), source.sealing_key());
    if (state == Target::State::Nothing || !TRY(is_copy_of(source, target)))
        return Error(Code::StateRefuses,
                     fmt::format("the store at {} was moved to {}, and that is not there",
                                 quote(moved.from.location, 200), quote(TRY(destination(from)), 200)));
    TRY(steps.decide(from, moved.from, moved.to));
    moved.was_there = state == Target::State::Open;
    if (!moved.was_there) {
        TRY(steps.verify(from, moved.from.location));
        TRY(compare(source, target, TRY(tally_rows(source.connection(), steps.copying)), steps));
    }
    if (auto closed = source.close(); !closed)
        return with_hint("repeat the command: it goes on from there", closed.error());
    return finish(source, target, moved);
}

Result<void> fill(Source& source, Target& target, const MoveSteps& steps) {
    TRY(target.make());
    const Tallies sent = TRY(copy_rows(source.connection(), target.connection(), steps.copying));
    TRY(target.commit());
    return compare(source, target, sent, steps);
}

}  // namespace

Error not_closed() {
    return tampered("store", "the store was closed, and is open again");
}

Result<Moved> move(Source& source, Target& target, const MoveSteps& steps) {
    Moved moved{source.place(), target.place()};
    const bool was_closed = source.is_closed();
    TRY(source.begin(steps.purpose));
    const SqlReader from(source.connection(), source.sealing_key());
    const auto installation = TRY(from.installation());
    if (!installation) return Error(Code::Unavailable, "the store is empty", "run marque init");
    const auto state = TRY(target.state(installation->id));
    if (was_closed) {
        moved.revision = TRY(from.head()).frontier.size();
        TRY(go_on(source, target, state, steps, moved));
        return moved;
    }
    if (state == Target::State::Open)
        return Error(Code::StateRefuses, "there is a store at " + quote(moved.to.location, 200) + " already");
    TRY(steps.verify(from, moved.from.location));
    TRY(source.append(TRY(steps.decide(from, moved.from, moved.to))));
    moved.revision = TRY(from.head()).frontier.size();
    auto done = fill(source, target, steps);
    if (!done && done.error().code == Code::OutcomeUnknown) done = with_code(Code::Unavailable, done.error());
    if (done) done = source.close();
    if (!done && done.error().code == Code::OutcomeUnknown)
        return with_hint("repeat the command: it begins anew, or goes on if the store was closed", done.error());
    if (!done) {
        if (auto removed = target.remove(); !removed)
            done.error().message += "; and the copy is still there, unfinished";
        return std::move(done).error();
    }
    TRY(finish(source, target, moved));
    return moved;
}

}  // namespace marque::store::sql
