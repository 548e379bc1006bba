// crypto/tls.h: TLS 1.2 and 1.3 over a non-blocking socket, the server's side. All of it is OpenSSL's.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

struct ssl_ctx_st;
struct ssl_st;

namespace marque::crypto {

// What a read or a write came to. `bytes` counts only with Done.
struct Transfer {
    enum class Kind { Done, WantsRead, WantsWrite, Closed };
    Kind kind = Kind::Closed;
    std::size_t bytes = 0;
};

struct TlsFiles {
    std::string certificate;  // PEM, the chain
    std::string key;          // PEM
    std::string client_ca;    // PEM; not empty: clients have to present a certificate by it
};

// Immutable once made; sessions keep what they began with. Thread-safe.
class TlsContext {
 public:
    // Errors: InvalidRequest, naming the file.
    static Result<std::shared_ptr<const TlsContext>> load(const TlsFiles& files);
    ~TlsContext();

 private:
    friend class TlsSession;
    explicit TlsContext(ssl_ctx_st* context) : context_(context) {}
    ssl_ctx_st* context_;
};

// One connection's. For one thread.
class TlsSession {
 public:
    // `fd` outlives the session. The handshake takes place within the first reads and writes.
    TlsSession(std::shared_ptr<const TlsContext> context, int fd);
    ~TlsSession();
    TlsSession(const TlsSession&) = delete;
    TlsSession& operator=(const TlsSession&) = delete;

    Transfer read(std::span<char> into);
    Transfer write(std::string_view bytes);
    // Bytes that are decrypted and wait: the socket does not tell of them.
    bool has_pending() const;
    // Says goodbye, if that does not block.
    void shutdown();

 private:
    Transfer outcome(int result);
    std::shared_ptr<const TlsContext> context_;
    ssl_st* session_;
};

}  // namespace marque::crypto
