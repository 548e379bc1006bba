#include "main/machine.h"

#include <climits>
#include <fmt/format.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fcntl.h>
#include <filesystem>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/decimal.h"
#include "base/file.h"
#include "base/small_file.h"
#include "base/text.h"
#include "crypto/system_random.h"
#include "installation/key_file.h"
#include "installation/known_log_file.h"
#include "installation/machine_clock.h"
#include "installation/open.h"
#include "installation/trusted_folder.h"
#include "main/hooks.h"
#include "main/move_store.h"
#include "main/sandbox.h"
#include "main/ssh_key.h"
#include "server/server.h"
#include "store/postgres/conninfo.h"
#include "store/postgres/postgres_store.h"
#include "store/sqlite/sqlite_store.h"

namespace marque {

using installation::database_in;

namespace {

std::string link_target(const std::string& path) {
    char target[PATH_MAX];
    const ssize_t length = ::readlink(path.c_str(), target, sizeof target);
    return length < 0 ? std::string() : std::string(target, static_cast<std::size_t>(length));
}

// Who logged in, before any su or sudo; unset is 2^32 − 1.
std::optional<std::uint32_t> login_uid() {
    const auto line = read_line("/proc/self/loginuid", {64, ReadRules::Origin::Regular});
    const auto uid = line ? parse_decimal(*line) : std::nullopt;
    if (!uid || *uid >= 0xFFFFFFFF) return std::nullopt;
    return static_cast<std::uint32_t>(*uid);
}

// Returns the map of uids if the process runs in a user namespace with uids of its own, else an empty string. /proc
// can't decide that, because the maker of a namespace can mount anything there. The kernel can: a namespace that lacks
// the machine's last uid answers EINVAL to chown(2) before it checks any permission.
std::string uid_map() {
    constexpr uid_t last_uid = 0xFFFFFFFE;
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return "unknown";
    const bool is_nameless = ::fchown(ends[0], last_uid, static_cast<gid_t>(-1)) != 0 && errno == EINVAL;
    for (const int end : ends) ::close(end);
    if (!is_nameless) return {};
    const auto lines = read_text("/proc/self/uid_map", {4096, ReadRules::Origin::Regular});
    std::string text;
    if (lines)
        for (const std::string_view line : split(*lines, '\n'))
            for (const std::string_view word : split(line, ' '))
                if (!word.empty()) text += (text.empty() ? "" : " ") + std::string(word);
    return text.empty() ? "unknown" : text;
}

std::string terminal() {
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        char name[128];
        if (::ttyname_r(fd, name, sizeof name) == 0) return name;
    }
    return {};
}

// The folder in which packaging/systemd keeps the service's store. It belongs to the service's account.
constexpr const char* installed_folder = "/var/lib/marque";
constexpr const char* installed_store = "/var/lib/marque/store";

bool is_there(const std::string& path) {
    std::error_code error;
    return std::filesystem::exists(path, error);
}

// The caller's own store, in their home folder.
std::string own_store() {
    // An XDG folder that is not absolute is to be ignored, says the specification.
    if (const char* data = std::getenv("XDG_DATA_HOME"); data != nullptr && *data == '/')
        return std::string(data) + "/marque";
    const char* home = std::getenv("HOME");
    if (home == nullptr || *home != '/') {
        const passwd* entry = ::getpwuid(::getuid());
        home = entry == nullptr ? "/" : entry->pw_dir;
    }
    return std::string(home) + "/.local/share/marque";
}

// Returns what to type when there is no store. Where the service has one, the hint leads to it, so that a user who
// follows the hint does not make a second store.
std::string hint_without_store() {
    struct stat info{};
    if (::stat(installed_folder, &info) != 0 || info.st_uid == 0 || info.st_uid == ::geteuid() || ::geteuid() == 0)
        return {};
    const passwd* entry = ::getpwuid(info.st_uid);
    const std::string account = entry == nullptr ? fmt::format("'#{}'", info.st_uid) : entry->pw_name;
    return fmt::format("this machine's store is {}: sudo -u {} marque …; another one is named with --store",
                       installed_store, account);
}

cli::FileFinding examine(const std::string& path, mode_t allowed) {
    struct stat info{};
    if (::stat(path.c_str(), &info) != 0) return {false, path + ": " + std::strerror(errno)};
    const mode_t mode = info.st_mode & 07777;
    if ((mode & ~allowed) != 0)
        return {false, fmt::format("{} has mode {:04o}; others may use it. chmod {:o} it", path, mode, allowed)};
    if (info.st_uid != ::geteuid() && ::geteuid() != 0)
        return {false, fmt::format("{} belongs to uid {}", path, info.st_uid)};
    return {true, fmt::format("{} is for its owner alone", path)};
}

// Makes the key and the database. A failure removes the key again, unless something may be sealed with it already.
Result<void> make_store_in(const std::string& folder, const std::string& conninfo, Random& random) {
    // Tables come first: a database that is in use is found before there is a key, and a file that names a database
    // names one that is there.
    if (!conninfo.empty()) TRY(store::postgres::PostgresStore::create(conninfo));
    const bool had_key = key_source_of(folder).has_value();
    TRY(ensure_root_key(folder, random));
    auto made = conninfo.empty() ? store::sqlite::SqliteStore::create(database_in(folder))
                                 : installation::write_conninfo(folder, conninfo);
    const bool has_store = is_there(database_in(folder)) || is_there(installation::conninfo_file_in(folder));
    if (!made && !had_key && !has_store) ::unlink(key_file_in(folder).c_str());
    return made;
}

}  // namespace

Machine::Machine()
    : clock_([]() -> const Clock& {
          static const installation::MachineClock clock;
          return clock;
      }()) {}

Machine::Machine(const Clock& clock) : clock_(clock) {}

Random& Machine::random() {
    static crypto::SystemRandom random;
    return random;
}

Result<audit::Process> Machine::caller() {
    if (::getuid() != ::geteuid() || ::getgid() != ::getegid())
        return Error(Code::PermissionDenied, "marque is not made to be set-user-id or set-group-id");
    audit::Process process;
    process.uid = ::getuid();
    process.login_uid = login_uid();
    process.pid = ::getpid();
    process.executable = escaped(link_target("/proc/self/exe"));
    process.parent_executable = escaped(link_target(fmt::format("/proc/{}/exe", ::getppid())));
    process.tty = terminal();
    process.uid_map = uid_map();
    return process;
}

bool Machine::owns(const std::string& folder) {
    struct stat info{};
    return ::stat(folder.c_str(), &info) == 0 && info.st_uid == ::getuid();
}

std::string Machine::login_name(std::uint32_t uid) {
    const passwd* entry = ::getpwuid(uid);
    return entry == nullptr ? std::string() : std::string(entry->pw_name);
}

Result<std::uint32_t> Machine::uid_of(const std::string& login_name) {
    const passwd* entry = ::getpwnam(login_name.c_str());
    if (entry == nullptr)
        return Error(Code::NotFound, "there is no user " + quote(login_name) + " on this machine",
                     "give --user a login name or a uid");
    return entry->pw_uid;
}

std::string Machine::default_store() {
    const std::string own = own_store();
    if (is_there(own)) return own;
    struct stat info{};
    const bool is_installed = ::stat(installed_folder, &info) == 0 && S_ISDIR(info.st_mode);
    if (!is_installed) return own;
    // The service's account makes its store where the service looks for it. Root finds the one that is there.
    const bool is_ours = info.st_uid == ::geteuid() && info.st_uid != 0;
    return is_ours || (::geteuid() == 0 && is_there(installed_store)) ? installed_store : own;
}

Result<std::unique_ptr<store::Store>> Machine::open_store(const std::string& folder, store::SealingKey sealing_key,
                                                          const std::function<void(const std::string&)>& tell) {
    return installation::open_store(folder, std::move(sealing_key), store::sqlite::default_longest_wait, tell);
}

Result<void> Machine::check_folder(const std::string& folder) {
    struct stat info{};
    if (::stat(folder.c_str(), &info) != 0) return {};
    if (!S_ISDIR(info.st_mode)) return Error(Code::InvalidRequest, quote(folder, 200) + " is not a folder");
    if ((info.st_mode & 077) != 0)
        return Error(Code::StateRefuses,
                     fmt::format("{} is open to others (mode {:04o})", quote(folder, 200), info.st_mode & 07777),
                     "chmod 700 it, or choose another folder with --store");
    TRY(installation::require_trusted(folder));
    TRY(installation::require_no_move(folder));
    // The key is made before the database: a database without one has lost it, and a new key would not fit.
    const bool is_made = is_there(database_in(folder)) || is_there(installation::conninfo_file_in(folder));
    if (is_made && !key_source_of(folder))
        return Error(Code::StateRefuses, "there is a store in " + quote(folder, 200) + ", but its root.key is gone",
                     "put root.key back; a new one could not check a single token");
    return {};
}

Result<void> Machine::create_store(const std::string& folder, const std::string& conninfo) {
    if (!conninfo.empty()) TRY(store::postgres::check_conninfo(conninfo));
    const std::filesystem::path path = folder;
    std::error_code error;
    if (path.has_parent_path()) std::filesystem::create_directories(path.parent_path(), error);
    const bool is_folder_new = ::mkdir(path.c_str(), 0700) == 0;
    if (!is_folder_new && errno != EEXIST) return system_error("cannot create " + quote(folder, 200));
    TRY(check_folder(folder));
    auto made = make_store_in(folder, conninfo, random());
    if (!made && is_folder_new) ::rmdir(path.c_str());  // unless something is in it
    return made;
}

Result<std::unique_ptr<store::Maintenance>> Machine::open_maintenance(const std::string& folder,
                                                                      store::SealingKey sealing_key) {
    TRY(installation::require_trusted(folder));
    if (const auto conninfo = TRY(installation::conninfo_in(folder)))
        return store::postgres::open_maintenance(*conninfo, std::move(sealing_key));
    TRY(installation::require_no_move(folder));
    return store::sqlite::open_maintenance(database_in(folder), std::move(sealing_key));
}

Result<std::unique_ptr<store::Store>> Machine::open_backup(const std::string& file, store::SealingKey sealing_key) {
    return store::sqlite::open_backup(file, std::move(sealing_key));
}

Result<std::unique_ptr<store::Maintenance>> Machine::check_backup(const std::string& file) {
    return store::sqlite::open_maintenance(file, store::SealingKey([] { return Secret(); }));
}

Result<store::Moved> Machine::move_store(const cli::MoveRequest& request, store::SealingKey sealing_key,
                                         const store::MoveSteps& steps) {
    return marque::move_store(request, std::move(sealing_key), steps);
}

Result<Secret> Machine::read_root_key(const std::string& folder) {
    auto key = marque::read_root_key(folder);
    if (!key && !key_source_of(folder) && folder == own_store())
        if (std::string hint = hint_without_store(); !hint.empty()) key.error().hint = std::move(hint);
    return key;
}

Result<Secret> Machine::next_root_key(const std::string& folder) {
    return marque::next_root_key(folder, random());
}

Result<void> Machine::adopt_next_root_key(const std::string& folder) {
    return marque::adopt_next_root_key(folder);
}

std::vector<cli::FileFinding> Machine::examine_files(const std::string& folder) {
    const std::string conninfo = installation::conninfo_file_in(folder);
    const std::string store = is_there(conninfo) ? conninfo : database_in(folder);
    std::vector<cli::FileFinding> findings{examine(folder, 0700), examine(store, 0600)};
    const auto key = key_source_of(folder);
    if (key && key->kind == KeySource::Kind::Credential)
        findings.push_back({true, "the root key is a credential of the service manager"});
    else
        findings.push_back(examine(key ? key->path : key_file_in(folder), 0600));
    if (const std::string next = key_file_in(folder) + ".next"; is_there(next))
        findings.push_back({false, next + " is there: a rotation of the key was cut short; marque store rotate-key "
                                          "finishes it"});
    for (const Error& error : installation::distrusted(folder))
        findings.push_back({false, error.message + "; " + error.hint});
    return findings;
}

Result<std::string> Machine::check_settings(const cli::ServeRequest& request, const std::string& folder) {
    const server::Settings settings = TRY(server::read_settings(request.config, request.overrides, folder));
    TRY(server::check_files(settings));
    return server::to_toml(settings);
}

Result<void> Machine::serve(const cli::ServeRequest& request, const std::string& folder) {
    const server::Settings settings = TRY(server::read_settings(request.config, request.overrides, folder));
    TRY(give_up_privileges());
    installation::Keys keys = TRY(installation::read_keys(folder));
    installation::KnownLogFile memory(folder);
    const audit::Process process = TRY(caller());
    return server::serve(settings,
                         {installation::opener(folder, keys), std::move(keys.token_key), std::move(keys.sealing_key),
                          &memory, process, confine_process},
                         clock_);
}

Result<domain::Owner> Machine::read_owner_key(const std::string& path) {
    return read_ssh_public_key(path);
}

Result<std::string> Machine::sign_as_owner(std::string_view text, const std::string& key,
                                           std::span<const domain::Owner> owners) {
    return sign_with_ssh_key(text, key, owners);
}

Result<bool> Machine::has_hook(const std::string& folder, const std::string& event) {
    return !TRY(hook_for(folder, event)).empty();
}

Result<bool> Machine::run_hook(const std::string& folder, const std::string& event, const std::string& json) {
    return marque::run_hook(folder, event, json);
}

Result<std::optional<verify::KnownLog>> Machine::known_log(const std::string& folder) {
    return installation::KnownLogFile(folder).recall();
}

Result<void> Machine::set_known_log(const std::string& folder, const verify::KnownLog& known) {
    return installation::KnownLogFile(folder).remember(known);
}

Result<std::optional<Instant>> Machine::last_notice(const std::string& folder, const std::string& event) {
    return marque::last_notice(folder, event);
}

Result<void> Machine::set_last_notice(const std::string& folder, const std::string& event, Instant at) {
    return marque::set_last_notice(folder, event, at);
}

void harden_process() {
    ::umask(077);
    // Libraries print to stdio's stream by themselves: libpq what a server says while a connection is made, and about
    // password files. Standard error is for this program's words, and may be a log in JSON: those are written to the
    // descriptor.
    if (std::FILE* const nowhere = ::fopencookie(nullptr, "w", {})) stderr = nowhere;
    std::set_terminate([] { check_failed("?", 0, "an exception that nobody caught"); });
    ::prctl(PR_SET_DUMPABLE, 0);
    const rlimit none{0, 0};
    ::setrlimit(RLIMIT_CORE, &none);
    std::signal(SIGPIPE, SIG_IGN);
    std::signal(SIGXFSZ, SIG_IGN);  // a file at its limit is an error, as a full disk is
    store::postgres::forget_environment_of_libpq();
    // A closed stdin, stdout or stderr must not become the number of the next file opened.
    // Opened the wrong way round, so that using them still fails.
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
        if (::fcntl(fd, F_GETFD) < 0 && errno == EBADF)
            if (::open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd) std::abort();
}

}  // namespace marque
