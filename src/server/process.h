// server/process.h: what the server asks of its process: its signals, and how many descriptors it may have.
#pragma once

#include <cstdint>
#include <memory>

#include "base/file.h"
#include "base/result.h"

namespace marque::server {

// Returns a descriptor that SIGTERM, SIGINT and SIGHUP are read from, and blocks them elsewhere: call it before a
// thread is started, because threads inherit the mask. Errors: Unavailable.
Result<std::unique_ptr<File>> take_signals();

// Raises the limit of open descriptors as far as it goes.
void raise_descriptor_limit();

// Returns how many descriptors connections may have, now that all else is open.
std::uint64_t descriptors_for_connections();

}  // namespace marque::server
