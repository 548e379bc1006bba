// cli/version.h: the version, from the build.
#pragma once

namespace marque::cli {

inline constexpr const char* version = MARQUE_VERSION;

}  // namespace marque::cli
