// server/answer.h: an answer, and how it is written. Each carries Cache-Control: no-store, without which a caching
// proxy would go on answering for us.
#pragma once

#include <string>
#include <string_view>

#include "audit/json.h"

namespace marque::server {

struct Answer {
    int status = 200;
    std::string headers;  // whole lines
    std::string body;
    const char* content_type = nullptr;
    bool close = false;
    // What the log is told: the reason of the refusal and, if the caller had the right secret, whose credential it is
    // and what was demanded.
    std::string_view reason;
    audit::JsonObject whose;

    void add(std::string_view name, std::string_view value);
    void json(int status, std::string body);
};

// The status line, headers and body as they are sent. `close` says so.
void write(std::string& out, const Answer& answer, bool close, std::string_view request_id, bool has_no_body);

// The answer for bytes that are no request.
Answer refusal(int status);

}  // namespace marque::server
