#include "crypto/system_random.h"

#include <cerrno>
#include <cstring>
#include <sys/random.h>

namespace marque::crypto {

Result<void> SystemRandom::fill(std::span<std::uint8_t> out) {
    while (!out.empty()) {
        const ssize_t got = ::getrandom(out.data(), out.size(), 0);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0)
            return Error(Code::Unavailable, std::string("the kernel gives no random bytes: ") + std::strerror(errno));
        out = out.subspan(static_cast<std::size_t>(got));
    }
    return {};
}

}  // namespace marque::crypto
