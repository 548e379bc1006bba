// expect: Cannot format an argument
#include <fmt/format.h>

#include "base/secret.h"

std::string wrong(const marque::Secret& secret) {
    return fmt::format("{}", secret);
}
