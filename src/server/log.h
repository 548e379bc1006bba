// server/log.h: what a running server says, one line an event, on standard error: text for people, or JSON.
//
//     2026-11-24T12:00:00.000000Z info  request route=/auth status=401 reason=credential_revoked …
//     {"at":"2026-11-24T12:00:00.000000Z","event":"request","level":"info",…}
//
// Values are escaped; there is no way to hand it a token, because nothing of a request but its route and id gets here.
// Thread-safe.
#pragma once

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

class Log {
 public:
    Log(LogLevel least, LogFormat format, const Clock& clock);
    ~Log();

    // A line for which there is no memory is left out.
    void say(LogLevel level, const char* event, audit::JsonObject fields = {});
    // For what callers can cause at will: at most a hundred a second; how many were left out is said in the next.
    void say_bounded(LogLevel level, const char* event, audit::JsonObject fields);

 private:
    void write(LogLevel level, const char* event, audit::JsonObject fields);

    const LogLevel least_;
    const LogFormat format_;
    const Clock& clock_;
    std::shared_ptr<spdlog::logger> out_;
    std::atomic<std::int64_t> second_{0};
    std::atomic<std::uint32_t> said_{0};
    std::atomic<std::uint64_t> left_out_{0};
};

}  // namespace marque::server
