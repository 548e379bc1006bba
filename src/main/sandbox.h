// main/sandbox.h: what `marque serve` gives up for good once it is ready, so that whoever takes it over gets nowhere.
//
// A call of the kernel is one of three:
//
//     a server needs it                   answered as ever, some only with harmless arguments: no memory that may be
//                                         executed, no signal to another process, no exotic socket
//     no part of a server ever makes it   the process is killed at once (SIGSYS): a program started, another process
//                                         made, looked into or written to, another user, the kernel changed
//     all else                            fails, as in a kernel that hasn't it (ENOSYS): a library's attempt at
//                                         something newer or better costs no life, and C libraries have another way
//
// The second are those alone that no library of a server makes for reasons of its own. Keyrings are not among them:
// Kerberos, which libpq asks for credentials, may keep them there, and has to be told that there are none.
#pragma once

#include "base/result.h"

namespace marque {

// From here on no program started by this process has more rights than it (no_new_privs).
Result<void> give_up_privileges();

// Puts the filter into force for every thread there is; no thread can be made from then on, and no library loaded.
// Errors: Unavailable, when the kernel, or whoever confined this process before, does not let us.
Result<void> confine_process();

}  // namespace marque
