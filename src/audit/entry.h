// audit/entry.h: one line of the log: who did what to whom, when, why, and from what to what.
//
//     {"action":"identity.revoke","actor":{…},"at":"2026-11-23T20:43:00.000000Z","change":{…},
//      "mode":"setup","outcome":"done","plan":"3f9a…","reason":"laptop lost","request":"…",
//      "seq":42,"target":{…}}
//
// Its canonical bytes are the leaf that the Merkle tree hashes (audit/merkle.h). `seq` counts
// from 1 and is the size of the log with this entry in it: the revision it made.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "audit/event.h"
#include "audit/json.h"
#include "domain/subject.h"

namespace marque::audit {

// `Setup`: an operator's management action. `Runtime`: what the running system recorded.
enum class Mode { Setup, Runtime };

// The calling process, as the kernel tells it.
struct Process {
    std::uint32_t uid = 0;
    std::optional<std::uint32_t> login_uid;  // who logged in, before any su or sudo
    int pid = 0;
    std::string executable;
    std::string parent_executable;
    std::string tty;  // empty: none
    // The kernel's map of uids, from /proc/self/uid_map, when the process runs in a user namespace of its own: the
    // maker of the namespace chooses the uids there. Empty when the uid is the machine's own.
    std::string uid_map;
    bool owns_store = false;  // the folder of the store belongs to `uid`; no part of an entry
};

// A person; `name` is empty when the uid is no operator's.
struct OperatorActor {
    std::optional<domain::OperatorName> name;
    Process process;
};
struct IdentityActor {
    domain::CredentialRef credential;
};
using Actor = std::variant<OperatorActor, IdentityActor>;

// An event with its circumstances, on its way into the log. The store adds `seq`.
struct Draft {
    Event event;
    Actor actor;
    Instant at;
    Mode mode = Mode::Setup;
    std::string reason;                               // the operator's words
    std::string plan;                                 // digest of the plan it is part of, hexadecimal
    std::string request;                              // the same for all events of one command
    std::optional<domain::ApprovalId> approval = {};  // that was to allow it
};

// An audit entry as decode() reads it from its canonical bytes.
struct Entry {
    std::uint64_t seq = 0;
    Instant at;
    std::string action;
    std::string outcome;
    std::string actor;   // operator's or identity's name, or "uid 1000"
    std::string target;  // for people: "identity codex"
    domain::Subject subject;
    std::string reason;
    JsonObject body;  // all of it
};

// The canonical bytes of the draft as entry `seq`.
std::string encode(const Draft& draft, std::uint64_t seq);

// Errors: Corrupt.
Result<Entry> decode(std::string_view bytes);

// Entries about an identity or one of its credentials are found by it.
std::optional<domain::IdentityRef> identity_of(const domain::Subject& subject);

}  // namespace marque::audit
