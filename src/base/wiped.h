// base/wiped.h: text that may hold a token for a moment and is wiped when its memory is given back, when it grows too.
//
// For what passes through in its thousands, where a Secret's own locked pages would cost more than the work. Nothing
// keeps it out of swap, and texts of 15 bytes and less, which lie within the object, are not wiped: a token has 71.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <string>

namespace marque {

template <class T>
struct WipingAllocator {
    using value_type = T;
    WipingAllocator() = default;
    template <class U>
    WipingAllocator(const WipingAllocator<U>&) {}

    T* allocate(std::size_t count) { return std::allocator<T>().allocate(count); }
    void deallocate(T* memory, std::size_t count) {
        ::explicit_bzero(memory, count * sizeof(T));
        std::allocator<T>().deallocate(memory, count);
    }
    bool operator==(const WipingAllocator&) const = default;
};

using WipedString = std::basic_string<char, std::char_traits<char>, WipingAllocator<char>>;

}  // namespace marque
