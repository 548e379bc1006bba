#include "main/hooks.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <sys/stat.h>
#include <toml++/toml.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/file.h"
#include "base/new_file.h"
#include "base/small_file.h"
#include "base/text.h"
#include "installation/subprocess.h"

namespace marque {
namespace {

constexpr std::size_t longest_file = 64 * 1024;

// Whoever may write it could have anything run in the operator's name.
Result<void> require_ours(const std::string& path, const struct stat& info) {
    const bool is_ours = info.st_uid == ::geteuid() || info.st_uid == 0;
    // In a sticky folder, such as /tmp, nobody can put their own in the place of ours.
    const bool is_shared_safely = S_ISDIR(info.st_mode) && (info.st_mode & S_ISVTX) != 0 && info.st_uid == 0;
    if (is_ours && ((info.st_mode & 022) == 0 || is_shared_safely)) return {};
    return Error(Code::StateRefuses, quote(path, 200) + " could be written by others, so it is not used",
                 "it has to belong to you or to root, and be writable to nobody else");
}

// Itself and every folder above it, links followed to where they lead.
Result<std::string> require_ours_all_the_way(const std::string& path) {
    std::error_code failed;
    const std::filesystem::path real = std::filesystem::canonical(path, failed);
    if (failed)
        return Error(Code::Unavailable, fmt::format("cannot run the hook {}: {}", quote(path, 200), failed.message()));
    for (std::filesystem::path part = real;; part = part.parent_path()) {
        struct stat info{};
        if (::stat(part.c_str(), &info) != 0) return system_error("cannot look at " + quote(part.string(), 200));
        TRY(require_ours(part, info));
        if (part == part.root_path()) return real.string();
    }
}

}  // namespace

Result<std::string> hook_for(const std::string& folder, const std::string& event) {
    const std::string path = folder + "/hooks.toml";
    const auto wrong = [&](const std::string& what) {
        return Error(Code::InvalidRequest, fmt::format("{}: {}", quote(path, 200), what));
    };
    // An account that can write this file can run any program in the operator's name.
    const ReadRules rules{longest_file, ReadRules::Origin::Own, 022, ReadRules::Writer::UsOrRoot};
    const auto text = TRY(read_text_if_there(path, rules));
    if (!text) return std::string();
    std::string program;
    try {
        const toml::table file = toml::parse(*text);
        for (const auto& [name, node] : file)
            if (name != "hooks" || !node.is_table()) return wrong(quote(name.str()) + " is no table of it; [hooks] is");
        const toml::table* hooks = file["hooks"].as_table();
        if (hooks == nullptr) return std::string();
        for (const auto& [name, node] : *hooks) {
            if (std::ranges::find(known_hooks, name.str()) == std::end(known_hooks))
                return wrong(quote(name.str()) + " is no hook");
            const auto* value = node.as_string();
            if (value == nullptr || !value->get().starts_with('/'))
                return wrong(fmt::format("{} is not the absolute path of a program", name.str()));
            if (name == event) program = value->get();
        }
    } catch (const toml::parse_error& error) {
        return wrong(escaped(error.description()));
    }
    if (program.empty()) return program;
    return require_ours_all_the_way(program);
}

Result<bool> run_hook(const std::string& folder, const std::string& event, const std::string& json) {
    const std::string program = TRY(hook_for(folder, event));
    if (program.empty()) return false;
    Subprocess hook{program, {event}, {"PATH=/usr/local/bin:/usr/bin:/bin"}, json + "\n", {}};
    hook.folder = "/";
    const Ended ended = TRY(run(hook));
    const std::string name = "the hook " + quote(program, 200);
    if (ended.is_out_of_time)
        return Error(Code::Unavailable, name + " did not end within ten seconds, and was stopped");
    if (ended.status != 0)
        return Error(
            Code::Unavailable,
            fmt::format(
                "{} failed{}", name,
                ended.errors.empty() ? "" : ": " + quote(ended.errors.substr(0, ended.errors.find('\n')), 200)));
    return true;
}

Result<std::optional<Instant>> last_notice(const std::string& folder, const std::string& event) {
    const std::string path = folder + "/notified." + event;
    const auto line = TRY(read_line_if_there(path, {512, ReadRules::Origin::Own, 022}));
    if (!line) return std::nullopt;
    const auto at = parse_rfc3339(*line);
    if (!at) return Error(Code::Corrupt, quote(path, 200) + " makes no sense", "remove it; all is told again");
    return *at;
}

Result<void> set_last_notice(const std::string& folder, const std::string& event, Instant at) {
    return replace_file(folder + "/notified." + event, bytes_of(to_rfc3339(at) + "\n"), FileOwner::FolderOwner);
}

}  // namespace marque
