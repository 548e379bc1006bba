// verify/chunked.h: a long array in pieces: it grows without being copied, so that ten million rows never need room
// for twenty, and never make a request wait for a move.
//
// Pieces are 2 MiB and aligned to it: one huge page each, where the system has them, and so one entry of the
// processor's address cache. The first is left in small pages: most uses are small.
//
// clear() keeps the pieces: what was held once can be held again, also when the address space has no room for more.
#pragma once

#include <bit>
#include <cstddef>
#include <memory>
#include <new>
#include <span>
#include <string_view>
#include <sys/mman.h>
#include <type_traits>
#include <vector>

namespace marque::verify {

template <class T>
class Chunked {
    static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);
    static constexpr std::size_t chunk_bytes = 2 * 1024 * 1024;

 public:
    static constexpr std::size_t per_chunk = std::bit_floor(chunk_bytes / sizeof(T));

    T& operator[](std::size_t at) { return chunks_[at / per_chunk].get()[at % per_chunk]; }
    const T& operator[](std::size_t at) const { return chunks_[at / per_chunk].get()[at % per_chunk]; }
    std::size_t size() const { return size_; }
    std::size_t bytes() const { return chunks_.size() * chunk_bytes; }

    void push_back(const T& value) {
        if (size_ == chunks_.size() * per_chunk) add_chunk();
        (*this)[size_++] = value;
    }

    // Forgets all values. Never fails, and gives no memory back.
    void clear() { size_ = 0; }
    // `size` zeros, in an array that never held anything: pieces that will be used whole are huge pages from the first
    // on.
    void resize_from_empty(std::size_t size) {
        while (chunks_.size() * per_chunk < size) add_chunk(size >= per_chunk);
        size_ = size;
    }

    // Puts `values` where they lie behind one another; returns where. At most per_chunk of them.
    std::size_t append(std::span<const T> values) {
        const std::size_t room = chunks_.size() * per_chunk - size_;
        if (room < values.size()) {
            size_ += room;
            add_chunk();
        }
        const std::size_t at = size_;
        for (const T& value : values) (*this)[size_++] = value;
        return at;
    }

 private:
    struct Unmap {
        void operator()(T* chunk) const { ::munmap(chunk, chunk_bytes); }
    };

    void add_chunk() { add_chunk(!chunks_.empty()); }
    void add_chunk(bool is_huge) {
        chunks_.reserve(chunks_.size() + 1);  // so that nothing fails once the pages are there
        // A huge page is aligned: twice the size is taken, and what lies around it is given back.
        const std::size_t size = is_huge ? 2 * chunk_bytes : chunk_bytes;
        void* const pages =
            ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (pages == MAP_FAILED) throw std::bad_alloc();
        auto* begin = static_cast<std::byte*>(pages);
        if (is_huge) {
            const std::size_t above = reinterpret_cast<std::uintptr_t>(begin) % chunk_bytes;
            const std::size_t before = above == 0 ? 0 : chunk_bytes - above;
            if (before > 0) ::munmap(begin, before);
            begin += before;
            ::munmap(begin + chunk_bytes, chunk_bytes - before);
            ::madvise(begin, chunk_bytes, MADV_HUGEPAGE);
        }
        chunks_.emplace_back(reinterpret_cast<T*>(begin));
    }

    std::vector<std::unique_ptr<T, Unmap>> chunks_;
    std::size_t size_ = 0;
};

}  // namespace marque::verify
