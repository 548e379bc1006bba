// expect: could not convert
#include <string_view>

#include "base/secret.h"

marque::Secret wrong(std::string_view text) {
    return text;
}
