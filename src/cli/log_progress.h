// cli/log_progress.h: how far the reading of a log is, for whoever waits.
#pragma once

#include <string>

#include "authority/log.h"
#include "cli/shell.h"

namespace marque::cli {

inline authority::LogProgress log_progress(Shell& shell, const std::string& what) {
    return [show = shell.progress(what)](std::uint64_t done, std::uint64_t all) mutable {
        show(all == 0 ? 1.0 : static_cast<double>(done) / static_cast<double>(all));
    };
}

}  // namespace marque::cli
