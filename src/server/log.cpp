#include "server/log.h"

#include <cstdio>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include "base/text.h"
#include "server/no_memory.h"

namespace marque::server {
namespace {

constexpr std::uint32_t most_a_second = 100;
// Returns a stream of the log's own on standard error. The program leads stdio's stream nowhere, so that libraries
// can't print into the log.
std::FILE* standard_error() {
    std::FILE* const stream = ::fdopen(STDERR_FILENO, "a");
    if (stream == nullptr) return stderr;
    std::setvbuf(stream, nullptr, _IONBF, 0);
    return stream;
}

using Sink = spdlog::sinks::stdout_sink_base<spdlog::details::console_mutex>;

constexpr const char* names[] = {"debug", "info", "warning", "error"};

}  // namespace

Log::Log(LogLevel least, LogFormat format, const Clock& clock)
    : least_(least),
      format_(format),
      clock_(clock),
      out_(std::make_shared<spdlog::logger>("marque", std::make_shared<Sink>(standard_error()))) {
    out_->set_pattern("%v");
    out_->set_level(spdlog::level::trace);
    out_->flush_on(spdlog::level::trace);
}

Log::~Log() = default;

void Log::say(LogLevel level, const char* event, audit::JsonObject fields) {
    if (level < least_) return;
    unless_no_memory([&] { write(level, event, std::move(fields)); }, [&] { ++shares_.front().left_out; });
}

void Log::write(LogLevel level, const char* event, audit::JsonObject fields) {
    const std::string at = to_rfc3339(clock_.now());
    const char* const name = names[static_cast<std::size_t>(level)];
    if (format_ == LogFormat::Json) {
        fields["at"] = at;
        fields["level"] = name;
        fields["event"] = event;
        out_->info("{}", audit::canonical(fields));
        return;
    }
    std::string line = fmt::format("{} {:<7} {}", at, name, event);
    for (const auto& member : fields) {
        const auto* text = member.value().if_string();
        line += fmt::format(" {}={}", std::string(member.key()),
                            text == nullptr ? audit::canonical(member.value()) : escaped(std::string(*text)));
    }
    out_->info("{}", line);
}

void Log::say_bounded(LogLevel level, const char* event, audit::JsonObject fields, LogShare share) {
    Share& its = shares_[static_cast<std::size_t>(share)];
    const std::int64_t second = std::chrono::floor<std::chrono::seconds>(clock_.now()).time_since_epoch().count();
    if (its.second.exchange(second) != second) its.said = 0;
    if (its.said.fetch_add(1) >= most_a_second) {
        ++its.left_out;
        return;
    }
    unless_no_memory(
        [&] {
            if (const std::uint64_t left_out = its.left_out.exchange(0)) fields["left_out"] = left_out;
            say(level, event, std::move(fields));
        },
        [&] { ++its.left_out; });
}

}  // namespace marque::server
