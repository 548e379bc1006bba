// server/log.h: what a running server says, one line an event, on standard error: text for people, or JSON.
//
//     2026-11-24T12:00:00.000000Z info  request route=/auth status=401 reason=credential_revoked …
//     {"at":"2026-11-24T12:00:00.000000Z","event":"request","level":"info",…}
//
// Values are escaped. No token gets here: of a request these are its route, its id, its client's address and what it
// demands, each of them checked for its form; of a token they are what the store says of its credential.
// Thread-safe.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <string>

#include "audit/json.h"
#include "base/time.h"

namespace spdlog {
class logger;
}

namespace marque::server {

enum class LogLevel { Debug, Info, Warning, Error };
enum class LogFormat { Text, Json };
// Lines that callers can cause at will have a share of a hundred a second each. Holders of a secret have one of their
// own, so that a flood of made-up tokens leaves out no line that says whose token was refused.
enum class LogShare { Anyone, Holders };

class Log {
 public:
    Log(LogLevel least, LogFormat format, const Clock& clock);
    ~Log();

    // A line for which there is no memory is left out.
    void say(LogLevel level, const char* event, audit::JsonObject fields = {});
    // Writes a line that callers can cause as often as they like, if `share` has room. The next line of the share says
    // how many were left out.
    void say_bounded(LogLevel level, const char* event, audit::JsonObject fields, LogShare share = LogShare::Anyone);

 private:
    void write(LogLevel level, const char* event, audit::JsonObject fields);

    const LogLevel least_;
    const LogFormat format_;
    const Clock& clock_;
    std::shared_ptr<spdlog::logger> out_;
    struct Share {
        std::atomic<std::int64_t> second{0};
        std::atomic<std::uint32_t> said{0};
        std::atomic<std::uint64_t> left_out{0};
    };
    std::array<Share, 2> shares_;
};

}  // namespace marque::server
