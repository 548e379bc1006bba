// cli/delivery.h: handing a token over, so that success means it survives this process.
//
// To stdout: written and flushed, and synced where that means something. To a file: a new one,
// 0600, written under another name, synced, renamed without ever replacing anything, and the
// folder synced. Only then may the credential come into force (invariant 3).
#pragma once

#include <string>

#include "authority/authority.h"

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

// One token, one file.
class FileDelivery final : public authority::Delivery {
 public:
    explicit FileDelivery(std::string path) : path_(std::move(path)) {}
    Result<void> prepare(std::span<const domain::IdentityName> names) override;
    Result<void> deliver(std::span<const authority::IssuedToken> tokens) override;

 private:
    std::string path_;
};

// Many tokens into one existing folder, each in a file named after its identity.
class FolderDelivery final : public authority::Delivery {
 public:
    explicit FolderDelivery(std::string folder) : folder_(std::move(folder)) {}
    Result<void> prepare(std::span<const domain::IdentityName> names) override;
    Result<void> deliver(std::span<const authority::IssuedToken> tokens) override;

 private:
    std::string folder_;
};

// A token from standard input: one line, nothing else. On a terminal it is asked for, without
// echo. Errors: InvalidRequest, Unavailable.
Result<Secret> read_token_from_stdin();

}  // namespace marque::cli
