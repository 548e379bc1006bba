#include "crypto/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>

#include <algorithm>
#include <memory>
#include <new>
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

// For calls that can fail only because there is no memory.
void require(bool is_done) {
    if (!is_done) throw std::bad_alloc();
}

}  // namespace

Digest sha256(std::initializer_list<ByteView> parts) {
    thread_local Handle<EVP_MD_CTX> context;
    if (!context) context.reset(EVP_MD_CTX_new());
    require(context && EVP_DigestInit_ex2(context.get(), sha256_algorithm(), nullptr) == 1);
    for (const ByteView part : parts) require(EVP_DigestUpdate(context.get(), part.data(), part.size()) == 1);
    Digest digest;
    require(EVP_DigestFinal_ex(context.get(), digest.data(), nullptr) == 1);
    return digest;
}

Digest hmac_sha256(const Secret& key, ByteView message) {
    const Handle<EVP_MAC_CTX> context{EVP_MAC_CTX_new(hmac_algorithm())};
    const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string("digest", digest_name, 0),
                                     OSSL_PARAM_construct_end()};
    Digest digest;
    std::size_t written = 0;
    CHECK(!key.empty());
    require(context && EVP_MAC_init(context.get(), key.reveal().data(), key.size(), parameters) == 1);
    require(EVP_MAC_update(context.get(), message.data(), message.size()) == 1);
    require(EVP_MAC_final(context.get(), digest.data(), &written, digest.size()) == 1);
    CHECK(written == digest.size());
    return digest;
}

// RFC 2104: H(key ⊕ opad ‖ H(key ⊕ ipad ‖ message)). The two padded keys are a block each, so that their hashing is
// done once; copying the contexts costs less than OpenSSL's own reset of an HMAC.
struct HmacSha256::State {
    Handle<EVP_MD_CTX> inner{EVP_MD_CTX_new()};
    Handle<EVP_MD_CTX> outer{EVP_MD_CTX_new()};
    Handle<EVP_MD_CTX> work{EVP_MD_CTX_new()};
    Digest inner_digest{};
};

HmacSha256::HmacSha256(const Secret& key) : state_(std::make_unique<State>()) {
    constexpr std::size_t block = 64;
    CHECK(!key.empty() && key.size() <= block);
    require(state_->inner && state_->outer && state_->work);
    const auto begin = [&](EVP_MD_CTX* context, std::uint8_t pad) {
        Secret padded(block);
        std::ranges::fill(padded.writable(), pad);
        for (std::size_t i = 0; i < key.size(); ++i) padded.writable()[i] ^= key.reveal()[i];
        require(EVP_DigestInit_ex2(context, sha256_algorithm(), nullptr) == 1);
        require(EVP_DigestUpdate(context, padded.reveal().data(), block) == 1);
    };
    begin(state_->inner.get(), 0x36);
    begin(state_->outer.get(), 0x5c);
}
HmacSha256::HmacSha256(HmacSha256&&) noexcept = default;
HmacSha256& HmacSha256::operator=(HmacSha256&&) noexcept = default;
HmacSha256::~HmacSha256() = default;

void HmacSha256::begin(ByteView message) {
    EVP_MD_CTX* const work = state_->work.get();
    require(EVP_MD_CTX_copy_ex(work, state_->inner.get()) == 1);
    require(EVP_DigestUpdate(work, message.data(), message.size()) == 1);
    require(EVP_DigestFinal_ex(work, state_->inner_digest.data(), nullptr) == 1);
}

Digest HmacSha256::finish() {
    Digest digest;
    EVP_MD_CTX* const work = state_->work.get();
    require(EVP_MD_CTX_copy_ex(work, state_->outer.get()) == 1);
    require(EVP_DigestUpdate(work, state_->inner_digest.data(), state_->inner_digest.size()) == 1);
    require(EVP_DigestFinal_ex(work, digest.data(), nullptr) == 1);
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
    require(context && EVP_KDF_derive(context.get(), output.writable().data(), length, parameters.data()) == 1);
    return output;
}

bool equal(const Digest& a, const Digest& b) {
    return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace marque::crypto
