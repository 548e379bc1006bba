// server/request.h: bytes to an HTTP/1.1 request (RFC 9112), or to the reason why not.
//
// Boost.Beast's parser does the grammar. It lets some things through that two parties may read differently, which is
// how a request is smuggled past a proxy; those are refused before and beside it: folded lines, bare line ends, NUL, a
// missing Host, a second Host, Authorization, Content-Length or Transfer-Encoding, chunk extensions, trailer fields,
// and targets that are not a path. Whoever gets such a status is not read on: the rest of the connection is not
// trusted to begin where it seems to.
//
// Pure: the same bytes give the same answer, however they were cut up on their way.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/wiped.h"

namespace marque::server {

struct HttpLimits {
    std::size_t head_bytes = 16 * 1024;
    std::size_t fields = 100;
    std::size_t body_bytes = 4096;
};

// The views point into the bytes that were parsed. Only the body of a chunked request points into the Parser, and is
// valid until its next parse() or forget().
struct Request {
    std::string_view method;
    std::string_view path;                  // of the target, as it was sent
    std::optional<std::string_view> query;  // behind the question mark
    std::string_view host;
    std::optional<std::string_view> authorization;
    std::string_view content_type;
    std::string_view client_address;  // of the field that the listener trusts for it
    std::string_view request_id;
    std::string_view body;
    bool has_body = false;  // or says it has: a length that is not 0, or chunks, however few
    bool keep_alive = false;
};

struct Parsed {
    enum class Kind { NeedMore, Refused, Complete };
    Kind kind = Kind::NeedMore;
    int status = 0;            // with Refused
    std::size_t consumed = 0;  // with Complete
    Request request;
};

class Parser {
 public:
    // `client_address`: the field's name, or empty; outlives the parser.
    Parser(const HttpLimits& limits, std::string_view client_address)
        : limits_(limits), client_address_(client_address) {}

    // The request at the beginning of `bytes`. `scanned` is how far the search for the head's end has come: 0 for a
    // new request, and kept by the caller while more is needed.
    Parsed parse(std::string_view bytes, std::size_t& scanned);
    // Wipes what of a request lies here and not in the bytes: once it is answered.
    void forget() { WipedString().swap(chunked_body_); }

 private:
    HttpLimits limits_;
    std::string_view client_address_;
    WipedString chunked_body_;
};

}  // namespace marque::server
