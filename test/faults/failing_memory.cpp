#include "test/faults/failing_memory.h"

#include <cstdlib>
#include <new>

namespace marque::faults {
namespace {

// No constructors, no allocations: this is beneath everything.
bool is_on = false, is_struck = false;
Scarcity kind = Scarcity::Once;
std::uint64_t failing = 0, count = 0;

bool is_refused() {
    if (!is_on) return false;
    ++count;
    const bool fails = failing != 0 && (kind == Scarcity::Once ? count == failing : count >= failing);
    is_struck |= fails;
    return fails;
}

void* allocate(std::size_t size, std::size_t alignment) {
    if (is_refused()) return nullptr;
    if (size == 0) size = 1;
    if (alignment <= __STDCPP_DEFAULT_NEW_ALIGNMENT__) return std::malloc(size);
    return std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

void* allocate_or_throw(std::size_t size, std::size_t alignment = 0) {
    void* const place = allocate(size, alignment);
    if (place == nullptr) throw std::bad_alloc();
    return place;
}

}  // namespace

void FailingMemory::begin(std::uint64_t n, Scarcity scarcity) {
    failing = n;
    kind = scarcity;
    count = 0;
    is_struck = false;
    is_on = true;
}

std::uint64_t FailingMemory::end() {
    is_on = false;
    return count;
}

void FailingMemory::suspend() {
    is_on = false;
}

void FailingMemory::resume() {
    is_on = true;
}

bool FailingMemory::has_struck() {
    return is_struck;
}

}  // namespace marque::faults

using marque::faults::allocate;
using marque::faults::allocate_or_throw;

void* operator new(std::size_t size) {
    return allocate_or_throw(size);
}
void* operator new[](std::size_t size) {
    return allocate_or_throw(size);
}
void* operator new(std::size_t size, std::align_val_t alignment) {
    return allocate_or_throw(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
    return allocate_or_throw(size, static_cast<std::size_t>(alignment));
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    return allocate(size, 0);
}
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
    return allocate(size, 0);
}
void operator delete(void* place) noexcept {
    std::free(place);
}
void operator delete[](void* place) noexcept {
    std::free(place);
}
void operator delete(void* place, std::size_t) noexcept {
    std::free(place);
}
void operator delete[](void* place, std::size_t) noexcept {
    std::free(place);
}
void operator delete(void* place, std::align_val_t) noexcept {
    std::free(place);
}
void operator delete[](void* place, std::align_val_t) noexcept {
    std::free(place);
}
void operator delete(void* place, std::size_t, std::align_val_t) noexcept {
    std::free(place);
}
void operator delete[](void* place, std::size_t, std::align_val_t) noexcept {
    std::free(place);
}
