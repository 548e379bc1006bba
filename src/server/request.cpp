#include "server/request.h"

#include <boost/beast/http/basic_parser.hpp>

#include <algorithm>
#include <cstring>

#include "base/decimal.h"

namespace marque::server {
namespace {

namespace http = boost::beast::http;
using boost::beast::string_view;
using ErrorCode = boost::beast::error_code;

std::string_view view(string_view text) {
    return {text.data(), text.size()};
}

// Where the head ends, behind its empty line; nothing while it is not all there. `bad` for a line end that is not
// CR LF, a CR elsewhere, a NUL, and a line that begins with a blank.
std::optional<std::size_t> find_end_of_head(std::string_view bytes, std::size_t& scanned, bool& bad) {
    std::size_t at = scanned;
    while (at < bytes.size()) {
        const std::size_t found = bytes.find('\n', at);
        const std::size_t end = found == std::string_view::npos ? bytes.size() : found;
        const std::string_view line = bytes.substr(at, end - at);
        const std::size_t cr = line.find('\r');
        if (line.find('\0') != std::string_view::npos || (cr != std::string_view::npos && cr + 1 != line.size()) ||
            (at > 0 && !line.empty() && (line[0] == ' ' || line[0] == '\t'))) {
            bad = true;
            return std::nullopt;
        }
        if (found == std::string_view::npos) return std::nullopt;  // this line again, when there is more of it
        if (cr == std::string_view::npos || (at == 0 && line.size() == 1)) {
            bad = true;
            return std::nullopt;
        }
        at = found + 1;
        if (line.size() == 1) return at;
        scanned = at;
    }
    return std::nullopt;
}

// Beast's callbacks; each refusal is a status.
class Callbacks final : public http::basic_parser<true> {
 public:
    Callbacks(const HttpLimits& limits, std::string_view client_address, WipedString& chunked_body)
        : limits_(limits), client_address_(client_address), chunked_body_(chunked_body) {
        header_limit(static_cast<std::uint32_t>(limits.head_bytes));
        body_limit(limits.body_bytes);
        eager(true);
    }

    Request request;
    int status = 0;

 private:
    void refuse(int with, ErrorCode& ec) {
        if (status == 0) status = with;
        ec = http::error::bad_value;
    }

    void on_request_impl(http::verb, string_view method, string_view target, int version, ErrorCode& ec) override {
        version_ = version;
        request.method = view(method);
        const std::string_view whole = view(target);
        if (whole.empty() || whole[0] != '/' || whole.find('#') != std::string_view::npos) return refuse(400, ec);
        const std::size_t question = whole.find('?');
        request.path = whole.substr(0, question);
        if (question != std::string_view::npos) request.query = whole.substr(question + 1);
    }
    void on_response_impl(int, string_view, int, ErrorCode& ec) override { refuse(400, ec); }

    void on_field_impl(http::field name, string_view name_text, string_view value_text, ErrorCode& ec) override {
        if (is_head_done_) return refuse(400, ec);  // a trailer
        if (++fields_ > limits_.fields) return refuse(431, ec);
        if (name_text.empty()) return refuse(400, ec);
        const std::string_view value = view(value_text);
        const auto once = [&](bool& seen) {
            if (seen) refuse(400, ec);
            seen = true;
        };
        switch (name) {
            case http::field::host:
                once(has_host_);
                request.host = value;
                break;
            case http::field::authorization:
                once(has_authorization_);
                request.authorization = value;
                break;
            case http::field::content_length:
                once(has_length_);
                if (!parse_decimal(value)) refuse(400, ec);
                break;
            case http::field::transfer_encoding:
                once(has_encoding_);
                if (value != "chunked" || version_ != 11) refuse(400, ec);
                break;
            case http::field::expect:
                refuse(417, ec);
                break;
            case http::field::content_type:
                request.content_type = value;
                break;
            case http::field::trailer:
            case http::field::upgrade:
                break;
            default:
                if (boost::beast::iequals(name_text, "x-request-id"))
                    request.request_id = value;
                else if (!client_address_.empty() && boost::beast::iequals(name_text, client_address_))
                    request.client_address = has_client_address_ ? std::string_view() : value;
                has_client_address_ = has_client_address_ || !request.client_address.empty();
        }
    }
    void on_header_impl(ErrorCode& ec) override {
        is_head_done_ = true;
        if (has_length_ && has_encoding_) return refuse(400, ec);
        if (version_ == 11 && !has_host_) return refuse(400, ec);
        request.keep_alive = version_ == 11 && keep_alive();
        request.has_body = has_encoding_;
    }
    void on_body_init_impl(const boost::optional<std::uint64_t>& length, ErrorCode& ec) override {
        request.has_body = !length || *length > 0;
        if (length && *length > limits_.body_bytes) refuse(413, ec);
    }
    std::size_t on_body_impl(string_view body, ErrorCode&) override {
        request.body = view(body);  // all of it is there, so it comes in one piece
        return body.size();
    }
    void on_chunk_header_impl(std::uint64_t size, string_view extensions, ErrorCode& ec) override {
        if (!extensions.empty()) return refuse(400, ec);
        if (size > limits_.body_bytes) return refuse(413, ec);
    }
    std::size_t on_chunk_body_impl(std::uint64_t, string_view body, ErrorCode& ec) override {
        if (chunked_body_.size() + body.size() > limits_.body_bytes) {
            refuse(413, ec);
            return 0;
        }
        chunked_body_.append(body.data(), body.size());
        request.body = chunked_body_;
        return body.size();
    }
    void on_finish_impl(ErrorCode&) override {}

    const HttpLimits& limits_;
    std::string_view client_address_;
    WipedString& chunked_body_;
    int version_ = 0;
    std::size_t fields_ = 0;
    bool is_head_done_ = false, has_host_ = false, has_authorization_ = false, has_length_ = false,
         has_encoding_ = false, has_client_address_ = false;
};

int status_of(const ErrorCode& error) {
    if (error == http::error::header_limit) return 431;
    if (error == http::error::body_limit) return 413;
    if (error == http::error::bad_version) return 505;
    return 400;
}

Parsed refused(int status) {
    return {Parsed::Kind::Refused, status, 0, {}};
}

// METHOD TARGET VERSION with one blank between, all visible ASCII; HTTP/1.0 and 1.1 only. Else the status.
std::optional<int> first_line_refusal(std::string_view first_line) {
    const std::size_t blank = first_line.rfind(' ');
    if (std::ranges::count(first_line, ' ') != 2 ||
        !std::ranges::all_of(first_line, [](char c) { return c >= ' ' && c < 0x7F; }))
        return 400;
    const std::string_view version = first_line.substr(blank + 1);
    if (version == "HTTP/1.1" || version == "HTTP/1.0") return std::nullopt;
    const bool has_form = version.size() == 8 && version.starts_with("HTTP/") && version[6] == '.' &&
                          std::isdigit(static_cast<unsigned char>(version[5])) != 0 &&
                          std::isdigit(static_cast<unsigned char>(version[7])) != 0;
    return has_form ? 505 : 400;
}

}  // namespace

Parsed Parser::parse(std::string_view bytes, std::size_t& scanned) {
    bool is_bad = false;
    const auto head = find_end_of_head(bytes.substr(0, limits_.head_bytes), scanned, is_bad);
    if (is_bad) return refused(400);
    if (!head) return bytes.size() > limits_.head_bytes ? refused(431) : Parsed{};
    if (const auto refusal = first_line_refusal(bytes.substr(0, bytes.find('\r')))) return refused(*refusal);

    // Bodies are small, and the framing of their chunks is not much: what is longer than both is none of ours. It is
    // not looked at either, or the answer would be another when more of it had arrived.
    const std::string_view ours = bytes.substr(0, *head + 4 * limits_.body_bytes);
    forget();
    Callbacks callbacks(limits_, client_address_, chunked_body_);
    ErrorCode error;
    std::size_t consumed = callbacks.put(boost::asio::buffer(ours.data(), *head), error);
    while (!error && !callbacks.is_done() && consumed < ours.size()) {
        // Until all of a body with a length is there, none of it is looked at.
        const auto remaining = callbacks.content_length_remaining();
        if (remaining && *remaining > ours.size() - consumed) return {};
        const std::size_t more =
            callbacks.put(boost::asio::buffer(ours.data() + consumed, ours.size() - consumed), error);
        consumed += more;
        if (more == 0) break;
    }
    if (callbacks.status != 0) return refused(callbacks.status);
    if (error && error != http::error::need_more) return refused(status_of(error));
    if (!callbacks.is_done()) return bytes.size() > ours.size() ? refused(413) : Parsed{};
    return {Parsed::Kind::Complete, 0, consumed, callbacks.request};
}

}  // namespace marque::server
