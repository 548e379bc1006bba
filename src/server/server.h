// server/server.h: `marque serve`: listeners, workers, the recorder, signals; from start to graceful stop.
#pragma once

#include <functional>

#include "audit/entry.h"
#include "base/secret.h"
#include "server/settings.h"
#include "verify/verifier.h"

namespace marque::server {

struct Installation {
    verify::Verifier::OpenStore open_store;
    Secret token_key;
    Secret sealing_key;
    verify::Memory* memory = nullptr;  // outlives the server
    audit::Process process;            // this one, for what it records
    // Gives up what the process has no need of once its files are open and its threads made. Errors: Unavailable.
    std::function<Result<void>()> confine;
};

// Serves until SIGTERM or SIGINT; SIGHUP reads the TLS files again. The store must be there and well when it begins.
// Errors: InvalidRequest (settings), and those of the store and of listening.
Result<void> serve(const Settings& settings, Installation installation, const Clock& clock);

// What of the settings is files: that the TLS ones can be used, before anything is listened on. Errors: InvalidRequest.
Result<void> check_files(const Settings& settings);

}  // namespace marque::server
