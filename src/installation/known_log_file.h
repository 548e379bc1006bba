// installation/known_log_file.h: what is known of the log, in a file of the store's folder: `known_log`, 0600, one
// line.
#pragma once

#include <string>

#include "verify/known_log.h"

namespace marque::installation {

class KnownLogFile final : public verify::Memory {
 public:
    explicit KnownLogFile(const std::string& folder) : folder_(folder), path_(folder + "/known_log") {}

    // A lock of the store's folder, for which it waits a second.
    Result<std::unique_ptr<Hold>> hold() override;

    Result<std::optional<verify::KnownLog>> recall() override;
    // Durable when it returns: a change that was reported must be known after a power cut, too.
    Result<void> remember(const verify::KnownLog& known) override;

 private:
    std::string folder_, path_;
};

}  // namespace marque::installation
