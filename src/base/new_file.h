// base/new_file.h: the one way in which files come into being.
//
// A file is written under a temporary name in its folder, with mode 0600, synced, and only then given its name: a file
// that is there is whole. Whatever of this a file system can't do has a fallback: NFS, 9p, FUSE and older ZFS don't
// know RENAME_NOREPLACE, some of them no hard links, and some can't sync a folder.
//
// A process that is killed leaves its temporary file behind; its name begins with `temporary_prefix`, and nothing that
// it holds was ever in force.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/file.h"
#include "base/result.h"

namespace marque {

inline constexpr std::string_view temporary_prefix = ".marque-";

// The account that a new file belongs to.
enum class FileOwner {
    Caller,
    // The folder's owner also when root makes it: a store's account could not use its store with a file of root's in
    // it.
    FolderOwner,
};

// Files that are to appear in one folder: all of them or, at a failure, none.
class NewFiles {
 public:
    // Errors: InvalidRequest (there is no such folder), PermissionDenied, Unavailable; with the system's reason.
    static Result<NewFiles> in(const std::string& folder, FileOwner owner);
    NewFiles(NewFiles&&) = default;
    NewFiles& operator=(NewFiles&&) = delete;
    // Removes the temporary files that were not published.
    ~NewFiles();

    // Makes a temporary file and removes it again, and looks for room for `count` small files: so that a folder that is
    // full, read-only or another account's is known before anything depends on it. Errors: PermissionDenied,
    // Unavailable.
    Result<void> try_out(std::size_t count) const;

    // Writes a file under a temporary name. Errors: PermissionDenied, Unavailable.
    Result<void> write(const std::string& name, ByteView content);
    // Makes an empty file for another library to write and to sync, and returns its temporary path.
    Result<std::string> reserve(const std::string& name);

    // Gives every file its name, unless a file has it already. When this returns, the files are durable. Errors:
    // StateRefuses (there is such a file), PermissionDenied, Unavailable; then none of them is there.
    Result<void> publish();

    // Gives the only file its name, also when another file has it. When this returns, the file is durable. Errors:
    // PermissionDenied, Unavailable.
    Result<void> replace();

 private:
    struct Part {
        std::string temporary, name;
    };
    NewFiles(std::string folder, FileOwner owner, File fd)
        : folder_(std::move(folder)), owner_(owner), fd_(std::move(fd)) {}
    std::string path_of(const std::string& name) const;
    Result<File> make_temporary(std::string& name) const;
    Result<void> sync_parts() const;

    std::string folder_;
    FileOwner owner_;
    File fd_;
    std::vector<Part> parts_;
};

// A file with `content` at `path`, durable when this returns, unless there is one already. Errors: as of
// NewFiles::publish.
Result<void> create_file(const std::string& path, ByteView content, FileOwner owner);
// A file with `content` at `path`, instead of the one that is there. Errors: PermissionDenied, Unavailable; then the
// old one is there.
Result<void> replace_file(const std::string& path, ByteView content, FileOwner owner);

// Renames a whole file within its folder, durably: unless there is a file `to` already, or instead of it. Errors:
// StateRefuses (there is one), PermissionDenied, Unavailable.
Result<void> rename_to_new(const std::string& from, const std::string& to);
Result<void> rename_over(const std::string& from, const std::string& to);

// Makes the names in the folder of `path` durable. Errors: Unavailable, PermissionDenied.
Result<void> sync_folder_of(const std::string& path);

// Creates an empty file of mode 0600 for a library that writes it in place, if there is none. Errors: PermissionDenied,
// Unavailable.
Result<void> ensure_private_file(const std::string& path);

// Checks that there is nothing at `path`, not even a link. Errors: StateRefuses, which says `what_is_never` of it, such
// as "a token file is never overwritten"; PermissionDenied, Unavailable.
Result<void> require_absent(const std::string& path, std::string_view what_is_never);

// The folder that `path` is in; "." if it names none.
std::string folder_of(const std::string& path);

}  // namespace marque
