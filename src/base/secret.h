// base/secret.h: bytes that must not travel.
//
// A Secret lives in pages of its own: locked where the system allows, left out of core
// dumps, empty in a forked child, wiped when done. It can't be copied, formatted, printed or
// compared with ==; test/must_not_compile keeps it so. The one way in is `reveal`, named so
// that every use can be found by searching for the word.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ostream>
#include <span>
#include <string_view>

#include "base/bytes.h"

namespace marque {

class Secret {
 public:
    Secret() = default;
    // `size` zero bytes, to be filled through `writable`.
    explicit Secret(std::size_t size);
    static Secret copy_of(ByteView bytes);

    Secret(Secret&& other) noexcept;
    Secret& operator=(Secret&& other) noexcept;
    Secret(const Secret&) = delete;
    Secret& operator=(const Secret&) = delete;
    ~Secret();

    std::size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }

    // The bytes. Valid while this object lives and is not moved from.
    ByteView reveal() const { return {data_, size_}; }
    std::string_view reveal_text() const { return text_of(reveal()); }
    std::span<std::uint8_t> writable() { return {data_, size_}; }

    // Whether every page that secrets have had until now could be locked; RLIMIT_MEMLOCK decides. Thread-safe.
    static bool are_all_locked();

    // Keeps the first `size` bytes and wipes the rest.
    void truncate(std::size_t size);

 private:
    void release() noexcept;

    std::uint8_t* data_ = nullptr;
    std::size_t size_ = 0;
    std::size_t capacity_ = 0;
};

// To compare secrets, compare their digests in constant time (`equal`, crypto/digest.h). There is no way to print one.
bool operator==(const Secret&, const Secret&) = delete;
std::ostream& operator<<(std::ostream&, const Secret&) = delete;

}  // namespace marque
