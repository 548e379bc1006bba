#include "main/move_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/new_file.h"
#include "base/text.h"
#include "installation/key_file.h"
#include "installation/open.h"
#include "store/postgres/move.h"
#include "store/sqlite/move.h"

namespace marque {
namespace {

using installation::conninfo_file_in;
using installation::database_in;
using installation::moved_conninfo_file_in;

// The folder that the store is to be in: new, or empty, or with what an earlier call left.
class NewFolder {
 public:
    NewFolder(const cli::MoveRequest& request) : request_(request), path_(request.to) {}

    // Errors: StateRefuses when it is somebody's, InvalidRequest.
    Result<void> check(bool is_finished_elsewhere) const {
        struct stat info{};
        if (::stat(path_.c_str(), &info) != 0) {
            if (errno == ENOENT) return {};
            return system_error("cannot look at " + quote(path_, 200));
        }
        if (!S_ISDIR(info.st_mode)) return Error(Code::InvalidRequest, quote(path_, 200) + " is not a folder");
        if ((info.st_mode & 077) != 0)
            return Error(Code::StateRefuses,
                         fmt::format("{} is open to others (mode {:04o})", quote(path_, 200), info.st_mode & 07777),
                         "chmod 700 it, or name a new folder");
        if (is_finished_elsewhere) return {};
        const auto known = leftovers();
        std::error_code error;
        for (const auto& entry : std::filesystem::directory_iterator(path_, error))
            if (std::ranges::find(known, entry.path().string()) == known.end() && !is_temporary(entry.path()))
                return Error(Code::StateRefuses,
                             fmt::format("{} is not empty: there is {}", quote(path_, 200),
                                         quote(entry.path().filename().string())),
                             "name a new folder");
        if (error) return Error(Code::Unavailable, "cannot read " + quote(path_, 200) + ": " + error.message());
        return check_conninfo();
    }

    // Durable before this returns: the folder and what is in it.
    Result<void> prepare() {
        is_prepared_ = true;
        if (::mkdir(path_.c_str(), 0700) == 0) {
            is_made_ = true;
            TRY(sync_folder_of(path_));
        } else if (errno != EEXIST) {
            return system_error("cannot create " + quote(path_, 200));
        }
        TRY(copy_root_key(request_.from, path_));
        if (request_.conninfo.empty()) return {};
        TRY(check_conninfo());
        return installation::write_conninfo(path_, request_.conninfo);
    }

    // What `prepare` made.
    void remove() const {
        if (!is_prepared_) return;
        for (const std::string& file : leftovers()) ::unlink(file.c_str());
        std::error_code error;
        for (const auto& entry : std::filesystem::directory_iterator(path_, error))
            if (is_temporary(entry.path())) ::unlink(entry.path().c_str());
        if (is_made_) ::rmdir(path_.c_str());
    }

 private:
    std::vector<std::string> leftovers() const {
        const std::string key = key_file_in(path_), conninfo = conninfo_file_in(path_);
        if (!request_.conninfo.empty()) return {key, conninfo};
        const std::string part = store::sqlite::part_path(database_in(path_));
        return {key, part, part + "-journal"};
    }
    // Returns true for a temporary file, which a process leaves that is killed while it makes a file.
    static bool is_temporary(const std::filesystem::path& path) {
        return path.filename().string().starts_with(temporary_prefix);
    }
    // One that is there names the same database.
    Result<void> check_conninfo() const {
        const auto there = TRY(installation::conninfo_in(path_));
        if (!there || *there == request_.conninfo) return {};
        return Error(Code::StateRefuses, quote(conninfo_file_in(path_), 200) + " names another database");
    }

    const cli::MoveRequest& request_;
    std::string path_;
    bool is_prepared_ = false, is_made_ = false;
};

Result<std::unique_ptr<store::sql::Source>> open_source(const std::string& folder, store::SealingKey sealing_key) {
    using store::postgres::Which;
    if (const auto conninfo = TRY(installation::conninfo_in(folder)))
        return store::postgres::open_source(*conninfo, std::move(sealing_key), Which::OpenOrMoved);
    if (const auto conninfo = TRY(installation::read_conninfo(moved_conninfo_file_in(folder))))
        return store::postgres::open_source(*conninfo, std::move(sealing_key), Which::Moved);
    return store::sqlite::open_source(database_in(folder), std::move(sealing_key));
}

Result<std::unique_ptr<store::sql::Target>> open_target(const cli::MoveRequest& request) {
    if (!request.conninfo.empty()) return store::postgres::open_target(request.conninfo);
    return store::sqlite::make_target(database_in(request.to));
}

// The old folder no longer says where its store was.
Result<void> put_away_conninfo(const std::string& folder) {
    const std::string from = conninfo_file_in(folder), to = moved_conninfo_file_in(folder);
    if (::access(from.c_str(), F_OK) != 0 && errno == ENOENT) return {};
    return rename_over(from, to);
}

}  // namespace

Result<store::Moved> move_store(const cli::MoveRequest& request, store::SealingKey sealing_key,
                                const store::MoveSteps& steps) {
    const auto source = TRY(open_source(request.from, std::move(sealing_key)));
    NewFolder folder(request);
    TRY(folder.check(source->is_closed()));
    const auto target = TRY(open_target(request));
    store::MoveSteps with_folder = steps;
    with_folder.decide = [&](const auto& reader, const auto& from,
                             const auto& to) -> Result<std::vector<audit::Draft>> {
        auto drafts = TRY(steps.decide(reader, from, to));
        TRY(folder.prepare());
        return drafts;
    };
    auto moved = store::sql::move(*source, *target, with_folder);
    if (!moved && !source->is_closed() && moved.error().code != Code::OutcomeUnknown) folder.remove();
    if (!moved) return moved;
    if (auto away = put_away_conninfo(request.from); !away) moved->not_put_away = away.error().message;
    return moved;
}

}  // namespace marque
