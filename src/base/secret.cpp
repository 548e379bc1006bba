// Small secrets (a token is 71 bytes, a key 32) share locked pages in cells of one size, so
// that ten thousand tokens in one bulk create are a few hundred pages, not ten thousand mappings.
#include "base/secret.h"

#include <algorithm>
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

}  // namespace

Secret::Secret(std::size_t size) : size_(size) {
    if (size == 0) return;
    if (size <= cell_size) {
        data_ = cells().take();
        capacity_ = cell_size;
    } else {
        data_ = map_guarded(size);
        capacity_ = size;
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
        ::munmap(data_, capacity_);
    data_ = nullptr;
}

}  // namespace marque
