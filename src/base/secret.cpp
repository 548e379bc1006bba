// Small secrets (a token is 71 bytes, a key 32) share locked pages in cells of one size, so
// that ten thousand tokens in one bulk create are a few hundred pages, not ten thousand mappings. Larger ones have
// mappings of their own, and a few of these are kept for the next ones: a server whose address space is exhausted has
// to read its key again before it can open its store again, and can't get a new mapping for that.
#include "base/secret.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <mutex>
#include <new>
#include <sys/mman.h>
#include <utility>
#include <vector>

#include "base/check.h"

namespace marque {
namespace {

constexpr std::size_t cell_size = 128;
constexpr std::size_t slab_size = 64 * 1024;
constexpr std::size_t page_size = 4096;
constexpr std::size_t most_kept_bytes = 64 * 1024;  // of one mapping; larger ones are given back

std::atomic<bool> are_pages_locked{true};

std::uint8_t* map_guarded(std::size_t size) {
    void* pages = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) throw std::bad_alloc();
    if (::mlock(pages, size) != 0) are_pages_locked = false;  // they may swap: whoever runs for long says so
    ::madvise(pages, size, MADV_DONTDUMP);
    ::madvise(pages, size, MADV_WIPEONFORK);
    return static_cast<std::uint8_t*>(pages);
}

class Cells {
 public:
    std::uint8_t* take() {
        const std::lock_guard lock(mutex_);
        if (free_.empty()) {
            std::uint8_t* slab = map_guarded(slab_size);
            total_ += slab_size / cell_size;
            free_.reserve(total_);  // so that giving back never allocates
            for (std::size_t at = 0; at < slab_size; at += cell_size) free_.push_back(slab + at);
        }
        std::uint8_t* cell = free_.back();
        free_.pop_back();
        return cell;
    }
    void give_back(std::uint8_t* cell) noexcept {
        const std::lock_guard lock(mutex_);
        free_.push_back(cell);
    }

 private:
    std::mutex mutex_;
    std::vector<std::uint8_t*> free_;
    std::size_t total_ = 0;
};

Cells& cells() {
    static Cells* instance = new Cells;  // outlives every static Secret
    return *instance;
}

// Whole pages, wiped, that no secret has at the moment.
class Mappings {
 public:
    struct Mapping {
        std::uint8_t* data = nullptr;
        std::size_t size = 0;
    };
    // The smallest kept one that is large enough, or else a new one.
    Mapping take(std::size_t size) {
        {
            const std::lock_guard lock(mutex_);
            Mapping* best = nullptr;
            for (Mapping& one : kept_)
                if (one.size >= size && (best == nullptr || one.size < best->size)) best = &one;
            if (best != nullptr) return std::exchange(*best, {});
        }
        const std::size_t whole = (size + page_size - 1) / page_size * page_size;
        return {map_guarded(whole), whole};
    }
    void give_back(Mapping mapping) noexcept {
        {
            const std::lock_guard lock(mutex_);
            Mapping* const free = std::ranges::find(kept_, std::size_t{0}, &Mapping::size);
            if (mapping.size <= most_kept_bytes && free != kept_.end()) {
                *free = mapping;
                return;
            }
        }
        ::munmap(mapping.data, mapping.size);
    }

 private:
    std::mutex mutex_;
    std::array<Mapping, 8> kept_;
};

Mappings& mappings() {
    static Mappings* instance = new Mappings;  // outlives every static Secret
    return *instance;
}

}  // namespace

Secret::Secret(std::size_t size) : size_(size) {
    if (size == 0) return;
    if (size <= cell_size) {
        data_ = cells().take();
        capacity_ = cell_size;
    } else {
        const auto [data, whole] = mappings().take(size);
        data_ = data;
        capacity_ = whole;
    }
}

Secret Secret::copy_of(ByteView bytes) {
    Secret secret(bytes.size());
    std::copy(bytes.begin(), bytes.end(), secret.data_);
    return secret;
}

Secret::Secret(Secret&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      capacity_(std::exchange(other.capacity_, 0)) {}

Secret& Secret::operator=(Secret&& other) noexcept {
    if (this != &other) {
        release();
        data_ = std::exchange(other.data_, nullptr);
        size_ = std::exchange(other.size_, 0);
        capacity_ = std::exchange(other.capacity_, 0);
    }
    return *this;
}

Secret::~Secret() {
    release();
}

bool Secret::are_all_locked() {
    return are_pages_locked;
}

void Secret::truncate(std::size_t size) {
    CHECK(size <= size_);
    ::explicit_bzero(data_ + size, size_ - size);
    size_ = size;
}

void Secret::release() noexcept {
    if (data_ == nullptr) return;
    ::explicit_bzero(data_, capacity_);
    if (capacity_ == cell_size)
        cells().give_back(data_);
    else
        mappings().give_back({data_, capacity_});
    data_ = nullptr;
}

}  // namespace marque
