#include "crypto/tls.h"

#include <climits>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/small_file.h"
#include "base/text.h"

namespace marque::crypto {
namespace {

Error cannot_use(const char* what, const std::string& path) {
    const unsigned long code = ERR_get_error();
    ERR_clear_error();
    const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
    return Error(Code::InvalidRequest, std::string(what) + " " + quote(path, 200) + " can't be used" +
                                           (reason ? ": " : "") + (reason ? reason : ""));
}

constexpr std::size_t longest_pem_file = 512 * 1024;

// By the same rules as every other small file: OpenSSL would read a device without end.
Result<Secret> read_pem(const std::string& path) {
    return read_secret(path, {longest_pem_file});
}

struct Free {
    void operator()(BIO* bio) const { BIO_free(bio); }
    void operator()(X509* certificate) const { X509_free(certificate); }
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};

std::unique_ptr<BIO, Free> open_pem(const Secret& text) {
    std::string_view pem = text.reveal_text();
    if (pem.starts_with("\xEF\xBB\xBF")) pem.remove_prefix(3);  // a byte order mark, which OpenSSL does not know
    std::unique_ptr<BIO, Free> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    if (!bio) throw std::bad_alloc();
    return bio;
}

// A key that needs a passphrase is refused: nobody sits at the server's terminal.
int no_passphrase(char*, int, int, void*) {
    return -1;
}

// Calls `take` with each certificate; it returns false to stop. Returns false if it did, if there is none, or if one is
// broken.
template <class Take>
bool each_certificate(const Secret& text, const Take& take) {
    const auto pem = open_pem(text);
    bool has_any = false;
    while (const std::unique_ptr<X509, Free> one{PEM_read_bio_X509_AUX(pem.get(), nullptr, no_passphrase, nullptr)}) {
        if (!take(one.get())) return false;
        has_any = true;
    }
    const unsigned long why = ERR_peek_last_error();
    if (!has_any || ERR_GET_LIB(why) != ERR_LIB_PEM || ERR_GET_REASON(why) != PEM_R_NO_START_LINE) return false;
    ERR_clear_error();  // the end of the text
    return true;
}

bool use_chain(SSL_CTX* context, const Secret& text) {
    bool is_first = true;
    return each_certificate(text, [&](X509* one) {
        if (std::exchange(is_first, false)) return SSL_CTX_use_certificate(context, one) == 1;
        return SSL_CTX_add1_chain_cert(context, one) == 1;
    });
}

bool use_key(SSL_CTX* context, const Secret& text) {
    const auto pem = open_pem(text);
    const std::unique_ptr<EVP_PKEY, Free> key(PEM_read_bio_PrivateKey(pem.get(), nullptr, no_passphrase, nullptr));
    return key && SSL_CTX_use_PrivateKey(context, key.get()) == 1 && SSL_CTX_check_private_key(context) == 1;
}

bool trust(SSL_CTX* context, const Secret& text) {
    X509_STORE* const store = SSL_CTX_get_cert_store(context);
    return each_certificate(text, [&](X509* one) { return X509_STORE_add_cert(store, one) == 1; });
}

// The process begins without OpenSSL's tables of all algorithms (crypto/digest.cpp); judging a certificate looks the
// digest of its signature up there.
void add_signature_digests() {
    static const bool is_done = [] {
        for (const EVP_MD* digest : {EVP_sha256(), EVP_sha384(), EVP_sha512()}) CHECK(EVP_add_digest(digest) == 1);
        return true;
    }();
    CHECK(is_done);
}

}  // namespace

Result<std::shared_ptr<const TlsContext>> TlsContext::load(const TlsFiles& files) {
    add_signature_digests();
    SSL_CTX* const context = SSL_CTX_new(TLS_server_method());
    if (context == nullptr) throw std::bad_alloc();
    const std::shared_ptr<const TlsContext> owner(new TlsContext(context));
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(context,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    // Sessions are bound to this context, so that a client certificate is asked for again after a reload.
    static constexpr unsigned char session_context[] = "marque";
    SSL_CTX_set_session_id_context(context, session_context, sizeof session_context - 1);
    ERR_clear_error();
    const Secret chain = TRY(read_pem(files.certificate)), key = TRY(read_pem(files.key));
    if (!use_chain(context, chain)) return cannot_use("the certificate", files.certificate);
    if (!use_key(context, key)) return cannot_use("the key", files.key);
    if (!files.client_ca.empty()) {
        const Secret authorities = TRY(read_pem(files.client_ca));
        if (!trust(context, authorities)) return cannot_use("the client CA", files.client_ca);
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    }
    return owner;
}

TlsContext::~TlsContext() {
    SSL_CTX_free(context_);
}

TlsSession::TlsSession(std::shared_ptr<const TlsContext> context, int fd)
    : context_(std::move(context)), session_(SSL_new(context_->context_)) {
    if (session_ == nullptr || SSL_set_fd(session_, fd) != 1) {
        SSL_free(session_);
        throw std::bad_alloc();
    }
    SSL_set_accept_state(session_);
}

TlsSession::~TlsSession() {
    SSL_free(session_);
}

Transfer TlsSession::outcome(int result) {
    if (result > 0) return {Transfer::Kind::Done, static_cast<std::size_t>(result)};
    switch (SSL_get_error(session_, result)) {
        case SSL_ERROR_WANT_READ:
            return {Transfer::Kind::WantsRead};
        case SSL_ERROR_WANT_WRITE:
            return {Transfer::Kind::WantsWrite};
        default:
            ERR_clear_error();
            return {Transfer::Kind::Closed};
    }
}

Transfer TlsSession::read(std::span<char> into) {
    ERR_clear_error();
    return outcome(SSL_read(session_, into.data(), static_cast<int>(std::min<std::size_t>(into.size(), INT_MAX))));
}

Transfer TlsSession::write(std::string_view bytes) {
    ERR_clear_error();
    return outcome(SSL_write(session_, bytes.data(), static_cast<int>(std::min<std::size_t>(bytes.size(), INT_MAX))));
}

bool TlsSession::has_pending() const {
    return SSL_pending(session_) > 0;
}

void TlsSession::shutdown() {
    ERR_clear_error();
    SSL_shutdown(session_);
    ERR_clear_error();
}

}  // namespace marque::crypto
