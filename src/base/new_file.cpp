#include "base/new_file.h"

#include <fmt/format.h>

#include <atomic>
#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <limits>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/text.h"

namespace marque {
namespace {

// Returns true if `cause` is how a file system or a sandbox answers a call that it does not have.
bool is_not_supported(int cause) {
    return cause == EINVAL || cause == ENOSYS || cause == EOPNOTSUPP || cause == EPERM;
}

Result<void> write_all(int fd, ByteView content, const std::string& what) {
    while (!content.empty()) {
        const ssize_t written = ::write(fd, content.data(), content.size());
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return system_error("cannot write " + what);
        content = content.subspan(static_cast<std::size_t>(written));
    }
    return {};
}

// The folder's owner gets what root makes in it.
Result<void> give_to_owner_of(int folder, int file, const std::string& what) {
    struct stat info{};
    if (::geteuid() != 0) return {};
    if (::fstat(folder, &info) != 0 || (info.st_uid != 0 && ::fchown(file, info.st_uid, info.st_gid) != 0))
        return system_error("cannot give " + what + " to the folder's owner");
    return {};
}

Result<void> sync_folder(int fd, const std::string& folder) {
    if (::fsync(fd) == 0 || is_not_supported(errno)) return {};  // some file systems sync names by themselves
    return system_error("cannot sync " + quote(folder, 200));
}

Result<File> open_folder(const std::string& folder) {
    File fd(::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd.is_open()) return fd;
    if (errno == ENOENT) return Error(Code::InvalidRequest, quote(folder, 200) + " is not a folder: it is not there");
    if (errno == ENOTDIR) return Error(Code::InvalidRequest, quote(folder, 200) + " is not a folder");
    return system_error("cannot open the folder " + quote(folder, 200));
}

// As if by a link: for file systems that can neither rename without replacing nor link. Until it is whole, its name
// leads to a part of it; a failure removes it.
Result<void> copy_to_new(int folder, const char* from, const char* to, const std::string& what) {
    const File source(::openat(folder, from, O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    struct stat info{};
    if (!source.is_open() || ::fstat(source.fd(), &info) != 0) return system_error("cannot create " + what);
    const File target(::openat(folder, to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!target.is_open() && errno == EEXIST) return Error(Code::StateRefuses, what + " exists");
    if (!target.is_open()) return system_error("cannot create " + what);
    std::uint8_t buffer[16 * 1024];
    const auto copy = [&]() -> Result<void> {
        for (;;) {
            const ssize_t got = ::read(source.fd(), buffer, sizeof buffer);
            if (got < 0 && errno == EINTR) continue;
            if (got < 0) return system_error("cannot write " + what);
            if (got == 0) break;
            TRY(write_all(target.fd(), {buffer, static_cast<std::size_t>(got)}, what));
        }
        if (::geteuid() == 0 && ::fchown(target.fd(), info.st_uid, info.st_gid) != 0)
            return system_error("cannot write " + what);
        if (::fsync(target.fd()) != 0) return system_error("cannot sync " + what);
        return {};
    };
    auto copied = copy();
    ::explicit_bzero(buffer, sizeof buffer);
    ::unlinkat(folder, copied ? from : to, 0);
    return copied;
}

// Renames within a folder, unless there is a file `to`.
Result<void> rename_at_to_new(int folder, const char* from, const char* to, const std::string& what) {
    if (::renameat2(folder, from, folder, to, RENAME_NOREPLACE) == 0) return {};
    if (is_not_supported(errno)) {
        if (::linkat(folder, from, folder, to, 0) == 0) {
            ::unlinkat(folder, from, 0);
            return {};
        }
        if (is_not_supported(errno) || errno == EMLINK) return copy_to_new(folder, from, to, what);
    }
    if (errno == EEXIST) return Error(Code::StateRefuses, what + " exists");
    return system_error("cannot create " + what);
}

std::string name_in(const std::string& path) {
    return std::filesystem::path(path).filename();
}

}  // namespace

NewFiles::~NewFiles() {
    for (const Part& part : parts_) ::unlinkat(fd_.fd(), part.temporary.c_str(), 0);
}

Result<NewFiles> NewFiles::in(const std::string& folder, FileOwner owner) {
    return NewFiles(folder, owner, TRY(open_folder(folder)));
}

std::string NewFiles::path_of(const std::string& name) const {
    return quote(folder_.empty() || folder_ == "." ? name : folder_ + "/" + name, 200);
}

Result<File> NewFiles::make_temporary(std::string& name) const {
    static std::atomic<unsigned> count{0};
    // Another machine on the same network folder may have a process of the same number.
    for (int tries = 0; tries < 1000; ++tries) {
        name = fmt::format("{}{}-{}", temporary_prefix, ::getpid(), count++);
        File file(::openat(fd_.fd(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
        if (!file.is_open() && errno == EEXIST) continue;
        if (!file.is_open()) break;
        const std::string what = path_of(name);
        auto made = owner_ == FileOwner::FolderOwner ? give_to_owner_of(fd_.fd(), file.fd(), what) : Result<void>();
        if (made && ::fchmod(file.fd(), 0600) != 0 && !is_not_supported(errno))  // whatever the umask left
            made = system_error("cannot create " + what);
        if (made) return file;
        ::unlinkat(fd_.fd(), name.c_str(), 0);
        return made.error();
    }
    return system_error("cannot create a file in " + quote(folder_, 200));
}

Result<void> NewFiles::try_out(std::size_t count) const {
    constexpr std::uint8_t some[128] = {};
    std::string name;
    auto tried = [&]() -> Result<void> {
        const File file = TRY(make_temporary(name));
        auto written = write_all(file.fd(), some, "a file in " + quote(folder_, 200));
        ::unlinkat(fd_.fd(), name.c_str(), 0);
        return written;
    }();
    if (!tried) return tried;
    struct statvfs room{};
    if (count < 2 || ::fstatvfs(fd_.fd(), &room) != 0) return {};
    // A file system that says 0 of 0 does not count them.
    const bool has_files = room.f_files == 0 || room.f_favail >= count;
    const bool has_blocks = room.f_blocks == 0 || room.f_bavail >= count;
    if (has_files && has_blocks) return {};
    return Error(Code::Unavailable, fmt::format("there is no room for {} files in {}", count, quote(folder_, 200)));
}

Result<void> NewFiles::write(const std::string& name, ByteView content) {
    std::string temporary;
    const File file = TRY(make_temporary(temporary));
    parts_.push_back({std::move(temporary), name});
    return write_all(file.fd(), content, path_of(name));
}

Result<std::string> NewFiles::reserve(const std::string& name) {
    std::string temporary;
    TRY(make_temporary(temporary));
    parts_.push_back({temporary, name});
    return (folder_.empty() ? std::string() : folder_ + "/") + temporary;
}

// Many files are synced by one call for their file system, where there is one.
Result<void> NewFiles::sync_parts() const {
    if (parts_.size() > 1) {
        if (::syncfs(fd_.fd()) == 0) return {};
        if (!is_not_supported(errno)) return system_error("cannot sync " + quote(folder_, 200));
    }
    for (const Part& part : parts_) {
        const File file(::openat(fd_.fd(), part.temporary.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
        if (!file.is_open() || ::fsync(file.fd()) != 0) return system_error("cannot sync " + path_of(part.name));
    }
    return {};
}

Result<void> NewFiles::publish() {
    TRY(sync_parts());
    std::size_t done = 0;
    const auto name_all = [&]() -> Result<void> {
        for (; done < parts_.size(); ++done) {
            const Part& part = parts_[done];
            TRY(rename_at_to_new(fd_.fd(), part.temporary.c_str(), part.name.c_str(), path_of(part.name)));
        }
        return sync_folder(fd_.fd(), folder_);
    };
    auto named = name_all();
    if (!named) {
        for (std::size_t i = 0; i < done; ++i) ::unlinkat(fd_.fd(), parts_[i].name.c_str(), 0);
        return named;
    }
    parts_.clear();
    return {};
}

Result<void> NewFiles::replace() {
    const Part& part = parts_.front();
    TRY(sync_parts());
    if (::renameat(fd_.fd(), part.temporary.c_str(), fd_.fd(), part.name.c_str()) != 0)
        return system_error("cannot create " + path_of(part.name));
    parts_.clear();
    return sync_folder(fd_.fd(), folder_);
}

Result<void> create_file(const std::string& path, ByteView content, FileOwner owner) {
    NewFiles files = TRY(NewFiles::in(folder_of(path), owner));
    TRY(files.write(name_in(path), content));
    return files.publish();
}

Result<void> replace_file(const std::string& path, ByteView content, FileOwner owner) {
    NewFiles files = TRY(NewFiles::in(folder_of(path), owner));
    TRY(files.write(name_in(path), content));
    return files.replace();
}

Result<void> rename_to_new(const std::string& from, const std::string& to) {
    const std::string folder = folder_of(to);
    const File fd = TRY(open_folder(folder));
    TRY(rename_at_to_new(fd.fd(), name_in(from).c_str(), name_in(to).c_str(), quote(to, 200)));
    return sync_folder(fd.fd(), folder);
}

Result<void> rename_over(const std::string& from, const std::string& to) {
    if (::rename(from.c_str(), to.c_str()) != 0)
        return system_error("cannot rename " + quote(from, 200) + " to " + quote(to, 200));
    return sync_folder_of(to);
}

Result<void> ensure_private_file(const std::string& path) {
    constexpr int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW;
    File file(::open(path.c_str(), flags | O_CREAT | O_EXCL, 0600));
    if (file.is_open()) {
        const std::string folder = folder_of(path);
        const File folder_fd = TRY(open_folder(folder));
        return give_to_owner_of(folder_fd.fd(), file.fd(), quote(path, 200));
    }
    if (errno == EEXIST && File(::open(path.c_str(), flags)).is_open()) return {};
    return system_error("cannot create " + quote(path, 200));
}

Result<void> require_absent(const std::string& path, std::string_view what_is_never) {
    struct stat info{};
    if (::lstat(path.c_str(), &info) == 0)
        return Error(Code::StateRefuses, fmt::format("{} exists; {}", quote(path, 200), what_is_never));
    if (errno != ENOENT) return system_error("cannot create " + quote(path, 200));
    return {};
}

std::string folder_of(const std::string& path) {
    const std::string folder = std::filesystem::path(path).parent_path();
    return folder.empty() ? "." : folder;
}

Result<void> sync_folder_of(const std::string& path) {
    const std::string folder = folder_of(path);
    const File fd = TRY(open_folder(folder));
    return sync_folder(fd.fd(), folder);
}

}  // namespace marque
