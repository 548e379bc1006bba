// main/hooks.h: programs that the installation's keeper wants run when somebody should hear of something.
//
//     STORE/hooks.toml:   [hooks]
//                         approval_requested = "/usr/local/bin/tell-the-owners"
//
// A hook gets one JSON document on its standard input, an almost empty environment, and ten seconds. It can neither
// change nor stop what it is told of.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "base/time.h"

namespace marque {

inline constexpr const char* known_hooks[] = {"approval_requested", "expiring_soon", "revoked_in_use"};

// The program for `event`; empty when there is none. Errors: InvalidRequest (the file makes no sense), StateRefuses
// (others could write to the file, and so have their program run by us), Unavailable.
Result<std::string> hook_for(const std::string& folder, const std::string& event);

// Runs it; false when there is none. Errors: those of hook_for; Unavailable when it could not be run, did not end in
// time or ended with anything but 0.
Result<bool> run_hook(const std::string& folder, const std::string& event, const std::string& json);

// STORE/notified.EVENT: up to when `marque notify` has told of `event`. Errors: StateRefuses, Unavailable; Corrupt.
Result<std::optional<Instant>> last_notice(const std::string& folder, const std::string& event);
Result<void> set_last_notice(const std::string& folder, const std::string& event, Instant at);

}  // namespace marque
