// crypto/base64.h: Base 64 with padding, RFC 4648 section 4, in its one canonical form.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace marque::crypto {

std::string to_base64(ByteView bytes);

// Nothing for anything to_base64 would not have written: blanks, missing padding, spare bits.
std::optional<Bytes> from_base64(std::string_view text);

}  // namespace marque::crypto
