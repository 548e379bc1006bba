#include "crypto/signature.h"

#include <openssl/evp.h>

#include <memory>

#include "base/check.h"

namespace marque::crypto {
namespace {

struct Free {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
using Key = std::unique_ptr<EVP_PKEY, Free>;
using Context = std::unique_ptr<EVP_MD_CTX, Free>;

Key private_key(const Secret& seed) {
    Key key{EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, seed.reveal().data(), seed.size())};
    CHECK(key != nullptr);
    return key;
}

}  // namespace

SigningKey::SigningKey(Secret seed) : seed_(std::move(seed)), public_key_{} {
    CHECK(seed_.size() == 32);
    std::size_t size = public_key_.size();
    CHECK(EVP_PKEY_get_raw_public_key(private_key(seed_).get(), public_key_.data(), &size) == 1);
}

Signature SigningKey::sign(ByteView message) const {
    const Key key = private_key(seed_);
    const Context context{EVP_MD_CTX_new()};
    Signature signature{};
    std::size_t size = signature.size();
    CHECK(context && EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1);
    CHECK(EVP_DigestSign(context.get(), signature.data(), &size, message.data(), message.size()) == 1);
    CHECK(size == signature.size());
    return signature;
}

bool is_valid_signature(const PublicKey& public_key, ByteView message, ByteView signature) {
    const Key key{EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, public_key.data(), public_key.size())};
    const Context context{EVP_MD_CTX_new()};
    return key && context && signature.size() == Signature{}.size() &&
           EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
           EVP_DigestVerify(context.get(), signature.data(), signature.size(), message.data(), message.size()) == 1;
}

}  // namespace marque::crypto
