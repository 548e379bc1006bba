// server/no_memory.h: when nothing more can be allocated, whoever asked is refused, and the server lives.
//
// Each thread ends what it was about at one place of its own, and goes on with the next: a connection is closed, a turn
// of the keeper or the recorder is left out. What was half done to a store is undone by closing it.
#pragma once

#include <new>

#include "base/result.h"

namespace marque::server {

// Short enough to need no memory itself.
inline Error no_memory(Code code = Code::Unavailable) {
    return {code, "no memory left"};
}

// `body`, or `otherwise` when memory ends within it.
template <class Body, class Otherwise>
auto unless_no_memory(const Body& body, const Otherwise& otherwise) -> decltype(body()) {
    try {
        return body();
    } catch (const std::bad_alloc&) {
        return otherwise();
    }
}

}  // namespace marque::server
