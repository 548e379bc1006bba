// base/error.h: what can go wrong, named by what the caller may do next.
//
// `Code` has the numbers of the command line's exit codes, so that there is one
// list of outcomes and not two (docs/commands.md prints it).
//
// Pure values; safe to share between threads as any value is.
#pragma once

#include <string>
#include <utility>

namespace marque {

enum class Code : int {
    Unexpected = 1,        // a fault of ours or of the machine; report it
    InvalidRequest = 2,    // change the request
    StateRefuses = 3,      // the thing is in a state in which this can't be done
    PermissionDenied = 4,  // ask somebody who may
    NotConfirmed = 5,      // the plan was shown; confirm it
    ApprovalNeeded = 6,    // an owner has to approve it
    NotFound = 7,          // it does not exist
    Unavailable = 8,       // nothing changed; retry when the cause is mended
    OutcomeUnknown = 9,    // it may or may not have happened: look before retrying
    Corrupt = 10,          // stored data contradicts itself: stop and look
};

// message: what happened, lower case, no full stop, never a secret.
// hint: the next command to type, or empty.
// tampered: with Corrupt, what of the store was written to by others, such as "identity/default/codex"; else empty.
struct Error {
    Code code = Code::Unexpected;
    std::string message;
    std::string hint;
    std::string tampered;

    Error(Code code_, std::string message_, std::string hint_ = {})
        : code(code_), message(std::move(message_)), hint(std::move(hint_)) {}
};

// The code's name in JSON output and in audit entries, such as "permission_denied".
const char* name_of(Code code);

}  // namespace marque
