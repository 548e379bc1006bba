// store/read_back.h: what is said when a change that was committed can't be found in the store afterwards.
#pragma once

#include <string>

#include "base/result.h"
#include "domain/entities.h"

namespace marque::store {

// `cause` kept the change that made `revision` from being read back. Corrupt, with `tampered`, when it is no longer
// there; else OutcomeUnknown.
inline Error not_read_back(domain::Revision revision, const Error& cause) {
    const std::string committed = "revision " + std::to_string(revision) + " was committed, and ";
    if (cause.code != Code::Corrupt)
        return Error(Code::OutcomeUnknown, committed + "could not be read back: " + cause.message,
                     "look with marque inspect or audit list before you repeat it");
    Error error(Code::Corrupt, committed + "is NOT in force: " + cause.message,
                "stop whoever else writes to the database, then repeat the command; marque audit verify and marque "
                "doctor name what was changed");
    error.tampered = cause.tampered.empty() ? "log_head" : cause.tampered;
    return error;
}

}  // namespace marque::store
