#include "installation/trusted_folder.h"

#include <fmt/format.h>

#include <cerrno>
#include <optional>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"

namespace marque::installation {
namespace {

enum class Kind {
    Secret,    // nobody else may read it either
    Database,  // a second name for it would make two stores of one, each with a write-ahead log of its own
    Data,
    Aside,  // not read to open a store, and so checked by itself when it is
};

struct KnownFile {
    const char* name;
    Kind kind;
};

constexpr KnownFile known_files[] = {{"root.key", Kind::Secret},
                                     {"root.key.next", Kind::Secret},
                                     {"root.key.command", Kind::Data},
                                     {"postgresql.conninfo", Kind::Data},
                                     {"postgresql.conninfo.moved", Kind::Data},
                                     {"known_log", Kind::Data},
                                     {"marque.db", Kind::Database},
                                     {"marque.db-wal", Kind::Database},
                                     {"marque.db-shm", Kind::Database},
                                     {"marque.db-journal", Kind::Database},
                                     {"marque.db.moved", Kind::Database},
                                     {"hooks.toml", Kind::Aside},
                                     {"notified.expiring_soon", Kind::Aside},
                                     {"notified.revoked_in_use", Kind::Aside}};

std::string run_as(uid_t owner) {
    return fmt::format("run marque as that account: sudo -u '#{}' marque …", owner);
}

// Returns the folder's owner, or nothing if the folder does not exist.
Result<std::optional<uid_t>> owner_of(const std::string& folder) {
    struct stat info{};
    if (::stat(folder.c_str(), &info) != 0) {
        if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
        return system_error("cannot look at " + quote(folder, 200));
    }
    if (!S_ISDIR(info.st_mode)) return Error(Code::InvalidRequest, quote(folder, 200) + " is not a folder");
    const uid_t caller = ::geteuid();
    if (info.st_uid != caller && info.st_uid != 0 && caller != 0)
        return Error(Code::PermissionDenied,
                     fmt::format("the folder {} belongs to uid {}", quote(folder, 200), info.st_uid),
                     run_as(info.st_uid));
    if ((info.st_mode & 022) != 0)
        return Error(Code::StateRefuses,
                     fmt::format("{} could be written by others (mode {:04o}), so no store in it is believed",
                                 quote(folder, 200), info.st_mode & 07777),
                     "chmod 700 it, and look at what is in it");
    return info.st_uid;
}

Result<void> check(const std::string& folder, const KnownFile& file, uid_t owner) {
    const std::string path = folder + "/" + file.name, name = quote(path, 200);
    struct stat info{};
    if (::lstat(path.c_str(), &info) != 0) {
        if (errno == ENOENT) return {};
        return system_error("cannot look at " + name);
    }
    if (S_ISLNK(info.st_mode))
        return Error(Code::Corrupt, name + " is a symbolic link, which is not followed", "put the file itself there");
    if (!S_ISREG(info.st_mode)) return Error(Code::Corrupt, name + " is not a regular file");
    if (info.st_uid != owner && info.st_uid != ::geteuid() && info.st_uid != 0)
        return Error(Code::StateRefuses,
                     fmt::format("{} belongs to uid {}, and its folder to uid {}", name, info.st_uid, owner),
                     "look at where it comes from; if it is yours, chown it");
    const mode_t mode = info.st_mode & 07777;
    if (file.kind == Kind::Secret && (mode & 077) != 0)
        return Error(Code::StateRefuses, fmt::format("{} can be used by others (mode {:04o})", name, mode),
                     "chmod 600 it, and think about who may have read it");
    if ((mode & 022) != 0)
        return Error(Code::StateRefuses, fmt::format("{} could be written by others (mode {:04o})", name, mode),
                     "chmod 600 it, and look at what is in it");
    if (file.kind == Kind::Database && info.st_nlink > 1)
        return Error(
            Code::StateRefuses,
            fmt::format("{} has {} names (hard links): each would be a store of its own over one file", name,
                        info.st_nlink),
            fmt::format("find the others with find / -xdev -samefile {}, and remove them or copy without -l", name));
    return {};
}

}  // namespace

Result<void> require_trusted(const std::string& folder) {
    const auto owner = TRY(owner_of(folder));
    if (!owner) return {};
    for (const KnownFile& file : known_files)
        if (file.kind != Kind::Aside) TRY(check(folder, file, *owner));
    return {};
}

std::vector<Error> distrusted(const std::string& folder) {
    const auto owner = owner_of(folder);
    if (!owner) return {owner.error()};
    std::vector<Error> found;
    for (const KnownFile& file : known_files)
        if (*owner)
            if (auto checked = check(folder, file, **owner); !checked) found.push_back(std::move(checked).error());
    return found;
}

}  // namespace marque::installation
