#include "server/answer.h"

#include <fmt/format.h>

namespace marque::server {
namespace {

const char* phrase(int status) {
    switch (status) {
        case 200:
            return "OK";
        case 400:
            return "Bad Request";
        case 401:
            return "Unauthorized";
        case 403:
            return "Forbidden";
        case 404:
            return "Not Found";
        case 405:
            return "Method Not Allowed";
        case 408:
            return "Request Timeout";
        case 413:
            return "Content Too Large";
        case 415:
            return "Unsupported Media Type";
        case 417:
            return "Expectation Failed";
        case 431:
            return "Request Header Fields Too Large";
        case 503:
            return "Service Unavailable";
        case 505:
            return "HTTP Version Not Supported";
        default:
            return "Internal Server Error";
    }
}

}  // namespace

void Answer::add(std::string_view name, std::string_view value) {
    headers += name;
    headers += ": ";
    headers += value;
    headers += "\r\n";
}

void Answer::json(int with_status, std::string text) {
    status = with_status;
    body = std::move(text);
    content_type = "application/json";
}

Answer refusal(int status) {
    Answer answer;
    answer.status = status;
    answer.close = true;
    answer.reason = "malformed_request";
    return answer;
}

void write(std::string& out, const Answer& answer, bool close, std::string_view request_id, bool has_no_body) {
    if (answer.status == 200) {
        out += "HTTP/1.1 200 OK\r\nCache-Control: no-store\r\n";
    } else {
        out += fmt::format("HTTP/1.1 {} {}\r\nCache-Control: no-store\r\n", answer.status, phrase(answer.status));
        if (!request_id.empty()) ((out += "X-Request-Id: ") += request_id) += "\r\n";
    }
    out += answer.headers;
    if (answer.content_type != nullptr) ((out += "Content-Type: ") += answer.content_type) += "\r\n";
    if (close) out += "Connection: close\r\n";
    ((out += "Content-Length: ") += fmt::format_int(answer.body.size()).c_str()) += "\r\n\r\n";
    if (!has_no_body) out += answer.body;
}

}  // namespace marque::server
