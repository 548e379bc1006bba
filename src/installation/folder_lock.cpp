// The lock under which known_log is written: flock(2) of the store's folder, so that no file of its own is needed.
#include <cerrno>
#include <fcntl.h>
#include <sys/file.h>
#include <time.h>

#include "base/file.h"
#include "base/text.h"
#include "installation/known_log_file.h"

namespace marque::installation {
namespace {

constexpr int most_tries = 500;
constexpr timespec pause{0, 2'000'000};

class FolderLock final : public verify::Memory::Hold {
 public:
    explicit FolderLock(File folder) : folder_(std::move(folder)) {}

 private:
    File folder_;  // the kernel gives the lock back when it is closed
};

}  // namespace

Result<std::unique_ptr<verify::Memory::Hold>> KnownLogFile::hold() {
    File folder(::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!folder.is_open()) return system_error("cannot open " + quote(folder_, 200));
    for (int tries = 0; ::flock(folder.fd(), LOCK_EX | LOCK_NB) != 0; ++tries) {
        if (errno != EWOULDBLOCK && errno != EINTR) return system_error("cannot lock " + quote(folder_, 200));
        if (tries == most_tries)
            return Error(Code::Unavailable, "another process keeps " + quote(folder_, 200) + " locked");
        ::nanosleep(&pause, nullptr);
    }
    return std::unique_ptr<verify::Memory::Hold>(std::make_unique<FolderLock>(std::move(folder)));
}

}  // namespace marque::installation
