#include "crypto/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>

#include <memory>
#include <vector>

#include "base/check.h"

namespace marque::crypto {
namespace {

struct Free {
    void operator()(EVP_MD* md) const { EVP_MD_free(md); }
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
    void operator()(EVP_MAC* mac) const { EVP_MAC_free(mac); }
    void operator()(EVP_MAC_CTX* context) const { EVP_MAC_CTX_free(context); }
    void operator()(EVP_KDF* kdf) const { EVP_KDF_free(kdf); }
    void operator()(EVP_KDF_CTX* context) const { EVP_KDF_CTX_free(context); }
};
template <class T>
using Handle = std::unique_ptr<T, Free>;

// Before OpenSSL's first use: without this it reads a configuration file, which costs more than all else a command
// does with it, and through which the environment could name modules to load.
const bool is_initialised = [] {
    return OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ADD_ALL_CIPHERS |
                                   OPENSSL_INIT_NO_ADD_ALL_DIGESTS | OPENSSL_INIT_NO_ATEXIT,
                               nullptr) == 1;
}();

// Fetched once: looking an algorithm up by name costs more than hashing a token.
const EVP_MD* sha256_algorithm() {
    static const Handle<EVP_MD> algorithm{EVP_MD_fetch(nullptr, "SHA256", nullptr)};
    CHECK(algorithm != nullptr);
    return algorithm.get();
}

EVP_MAC* hmac_algorithm() {
    static const Handle<EVP_MAC> algorithm{EVP_MAC_fetch(nullptr, "HMAC", nullptr)};
    CHECK(algorithm != nullptr);
    return algorithm.get();
}

char digest_name[] = "SHA256";

}  // namespace

Digest sha256(std::initializer_list<ByteView> parts) {
    thread_local const Handle<EVP_MD_CTX> context{EVP_MD_CTX_new()};
    CHECK(context && EVP_DigestInit_ex2(context.get(), sha256_algorithm(), nullptr) == 1);
    for (const ByteView part : parts) CHECK(EVP_DigestUpdate(context.get(), part.data(), part.size()) == 1);
    Digest digest;
    CHECK(EVP_DigestFinal_ex(context.get(), digest.data(), nullptr) == 1);
    return digest;
}

Digest hmac_sha256(const Secret& key, ByteView message) {
    const Handle<EVP_MAC_CTX> context{EVP_MAC_CTX_new(hmac_algorithm())};
    const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string("digest", digest_name, 0),
                                     OSSL_PARAM_construct_end()};
    Digest digest;
    std::size_t written = 0;
    CHECK(context && !key.empty());
    CHECK(EVP_MAC_init(context.get(), key.reveal().data(), key.size(), parameters) == 1);
    CHECK(EVP_MAC_update(context.get(), message.data(), message.size()) == 1);
    CHECK(EVP_MAC_final(context.get(), digest.data(), &written, digest.size()) == 1);
    CHECK(written == digest.size());
    return digest;
}

Secret hkdf_sha256(const Secret& input, ByteView salt, std::string_view info, std::size_t length) {
    const Handle<EVP_KDF> kdf{EVP_KDF_fetch(nullptr, "HKDF", nullptr)};
    const Handle<EVP_KDF_CTX> context{EVP_KDF_CTX_new(kdf.get())};
    std::vector<OSSL_PARAM> parameters{OSSL_PARAM_construct_utf8_string("digest", digest_name, 0)};
    const auto add = [&](const char* name, ByteView bytes) {
        if (bytes.empty()) return;  // left out means empty; OpenSSL takes no null pointer for it
        parameters.push_back(
            OSSL_PARAM_construct_octet_string(name, const_cast<std::uint8_t*>(bytes.data()), bytes.size()));
    };
    add("key", input.reveal());
    add("salt", salt);
    add("info", bytes_of(info));
    parameters.push_back(OSSL_PARAM_construct_end());
    Secret output(length);
    CHECK(context && EVP_KDF_derive(context.get(), output.writable().data(), length, parameters.data()) == 1);
    return output;
}

bool equal(const Digest& a, const Digest& b) {
    return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace marque::crypto
