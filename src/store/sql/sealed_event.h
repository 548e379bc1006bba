// store/sql/sealed_event.h: what an event makes of the sealed rows, without asking the database.
//
// `apply` (apply.h) changes the rows by SQL; this says what they have to be then. What is sealed is this, made of the
// row as it was, whose seal was looked at, and of the event: whatever else happens to the row meanwhile, by a trigger
// say, is sealed by nobody.
#pragma once

#include "audit/event.h"
#include "domain/entities.h"
#include "store/sql/sealed_table.h"

namespace marque::store::sql {

// The rows that applying `event` as entry `revision` writes or removes.
std::vector<Place> places_of(const audit::Event& event, domain::Revision revision);

// One of those, which was `before` (none: there was no row), after the event; none: there is none any more.
std::optional<Row> after(const audit::Event& event, domain::Revision revision, const Place& place,
                         std::optional<Row> before);

}  // namespace marque::store::sql
