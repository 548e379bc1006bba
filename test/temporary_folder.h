// test/temporary_folder.h: a folder for one test, which is removed with all that is in it.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/check.h"

namespace marque {

// As a member, it stands before whatever has a file in it open.
class TemporaryFolder {
 public:
    TemporaryFolder() {
        std::string made = std::filesystem::temp_directory_path() / "marque-XXXXXX";
        CHECK(::mkdtemp(made.data()) != nullptr);
        path_ = made;
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    ~TemporaryFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }

    const std::filesystem::path& path() const { return path_; }
    std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
    std::filesystem::path path_;
};

}  // namespace marque
