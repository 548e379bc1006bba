#include "authority/keys.h"

#include "crypto/digest.h"

namespace marque::authority {
namespace {

Secret derive(const Secret& root, std::string_view use) {
    return crypto::hkdf_sha256(root, bytes_of("marque/1"), use, 32);
}

}  // namespace

Secret token_key(const Secret& root) {
    return derive(root, "token hash");
}

Secret log_seal_key(const Secret& root) {
    return derive(root, "log seal");
}

crypto::SigningKey checkpoint_key(const Secret& root) {
    return crypto::SigningKey(derive(root, "checkpoint signature"));
}

}  // namespace marque::authority
