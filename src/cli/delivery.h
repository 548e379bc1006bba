// cli/delivery.h: handing a token over, so that success means it survives this process.
//
// To stdout: written and flushed, and synced where that means something. To a file: a new one,
// durable (base/new_file.h). Only then may the credential come into force (invariant 3).
#pragma once

#include <optional>
#include <string>

#include "authority/authority.h"
#include "base/new_file.h"

namespace marque::cli {

// The token alone on a line, or as the field `token` of a JSON document.
class StdoutDelivery final : public authority::Delivery {
 public:
    explicit StdoutDelivery(bool is_json) : is_json_(is_json) {}
    Result<void> prepare(std::span<const domain::IdentityName> names) override;
    Result<void> deliver(std::span<const authority::IssuedToken> tokens) override;

 private:
    bool is_json_;
};

// To new files of one folder, which is open and tried out before anything is committed.
class NewFileDelivery : public authority::Delivery {
 protected:
    Result<void> begin(const std::string& folder, std::size_t count);
    Result<void> write(const std::string& name, const authority::IssuedToken& issued);
    Result<void> publish() { return files_->publish(); }

 private:
    std::optional<NewFiles> files_;
};

// One token, one file.
class FileDelivery final : public NewFileDelivery {
 public:
    explicit FileDelivery(std::string path) : path_(std::move(path)) {}
    Result<void> prepare(std::span<const domain::IdentityName> names) override;
    Result<void> deliver(std::span<const authority::IssuedToken> tokens) override;

 private:
    std::string path_;
};

// Many tokens into one existing folder, each in a file named after its identity.
class FolderDelivery final : public NewFileDelivery {
 public:
    explicit FolderDelivery(std::string folder) : folder_(std::move(folder)) {}
    Result<void> prepare(std::span<const domain::IdentityName> names) override;
    Result<void> deliver(std::span<const authority::IssuedToken> tokens) override;

 private:
    std::string folder_;
};

// Returns true if `path` is how people write standard output where a file is expected.
bool names_standard_output(const std::string& path);

// A token from standard input. On a terminal it is asked for, without echo. What people paste around one is removed:
// blanks, ends of lines, quotes and "Bearer". Errors: InvalidRequest (there is none, or more than one), Unavailable.
Result<Secret> read_token_from_stdin();

}  // namespace marque::cli
