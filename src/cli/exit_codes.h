// cli/exit_codes.h: what each exit code means, for help and the man page. The code is the index.
#pragma once

#include <array>
#include <string_view>

namespace marque::cli {

inline constexpr std::array<std::string_view, 11> exit_codes = {
    "done, or nothing to do",
    "unexpected: a fault of Marque or of the machine",
    "usage: change what was typed",
    "refused by state; of marque verify: the token is not accepted",
    "permission denied",
    "not confirmed: the plan was shown, nothing changed",
    "an owner's approval is needed",
    "not found",
    "unavailable: the store, or where output goes",
    "outcome unknown: look before you repeat it",
    "corrupt, or tampered with",
};

}  // namespace marque::cli
