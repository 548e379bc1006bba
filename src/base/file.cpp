#include "base/file.h"

#include <cerrno>
#include <cstring>
#include <unistd.h>

namespace marque {

File::~File() {
    if (fd_ >= 0) ::close(fd_);
}

Error system_error(const std::string& what) {
    const int cause = errno;
    return Error(cause == EACCES || cause == EPERM ? Code::PermissionDenied : Code::Unavailable,
                 what + ": " + std::strerror(cause));
}

}  // namespace marque
