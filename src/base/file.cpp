#include "base/file.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <unistd.h>

#include "base/text.h"

namespace marque {

File::~File() {
    if (fd_ >= 0) ::close(fd_);
}

Error system_error(const std::string& what) {
    const int cause = errno;
    return Error(cause == EACCES || cause == EPERM ? Code::PermissionDenied : Code::Unavailable,
                 what + ": " + std::strerror(cause));
}

Result<void> sync_folder_of(const std::string& path) {
    const std::string folder = std::filesystem::path(path).parent_path();
    const File file(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!file.is_open() || ::fsync(file.fd()) != 0) return system_error("cannot sync " + quote(folder, 200));
    return {};
}

}  // namespace marque
