#include "authority/keys.h"

#include <algorithm>

#include "base/check.h"
#include "crypto/digest.h"

namespace marque::authority {
namespace {

Secret derive(const Secret& root, std::string_view use) {
    const Secret own = Secret::copy_of(root.reveal().first(std::min(root.size(), root_key_bytes)));
    return crypto::hkdf_sha256(own, bytes_of("marque/1"), use, 32);
}

}  // namespace

Secret rotated_root_key(const Secret& root, const Secret& random_root) {
    CHECK(random_root.size() == root_key_bytes);
    const Secret tokens = token_key(root);
    Secret rotated(rotated_root_key_bytes);
    const auto rest = std::ranges::copy(random_root.reveal(), rotated.writable().begin()).out;
    std::ranges::copy(tokens.reveal(), rest);
    return rotated;
}

Secret token_key(const Secret& root) {
    if (root.size() == rotated_root_key_bytes) return Secret::copy_of(root.reveal().subspan(root_key_bytes));
    return derive(root, "token hash");
}

Secret log_seal_key(const Secret& root) {
    return derive(root, "log seal");
}

crypto::SigningKey checkpoint_key(const Secret& root) {
    return crypto::SigningKey(derive(root, "checkpoint signature"));
}

}  // namespace marque::authority
