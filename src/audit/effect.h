// audit/effect.h: what an event does to the records, said once.
//
// A store takes an event, finds the records that the event names, asks here what they become, and writes that. So the
// memory store, the SQL stores and the seals can't differ in what an event means. A new event is a row in
// `effects_of`; the compiler asks for it.
//
// Pure: nothing here reads or writes a store. Safe to call from any thread.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "audit/event.h"
#include "audit/record.h"
#include "base/result.h"

namespace marque::audit {

// The effect of one event on one record.
struct Effect {
    RecordName name;
    // Returns the record after the event, or none when the event removes it. `before` is the record as it is now, or
    // none when there is no such record. Errors: StateRefuses when the event may not start from `before`.
    std::function<Result<std::optional<Record>>(std::optional<Record> before)> apply;
};

// Returns the effects of `event`, which is entry number `revision` of the log, in an order in which a database with
// foreign keys can write them. An event that changes no record has none. The effects refer to `event`, which must
// outlive them.
std::vector<Effect> effects_of(const Event& event, domain::Revision revision);

}  // namespace marque::audit
