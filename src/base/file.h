// base/file.h: an open file descriptor that is closed when it goes, and what a failed system call means.
#pragma once

#include <string>
#include <utility>

#include "base/result.h"

namespace marque {

class File {
 public:
    // Takes over `fd`; a negative one is no file.
    explicit File(int fd) : fd_(fd) {}
    File(File&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    ~File();

    int fd() const { return fd_; }
    bool is_open() const { return fd_ >= 0; }

 private:
    int fd_;
};

// `what`, and why, from errno: PermissionDenied when the system refused, Unavailable otherwise.
Error system_error(const std::string& what);

}  // namespace marque
