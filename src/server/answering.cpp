// What a worker does with a request that has arrived: it is judged, answered and logged.
#include <fmt/format.h>

#include <algorithm>
#include <arpa/inet.h>

#include "server/connection.h"
#include "server/no_memory.h"

namespace marque::server {
namespace {

using namespace std::chrono_literals;

bool is_request_id(std::string_view text) {
    return !text.empty() && text.size() <= 64 && std::ranges::all_of(text, [](unsigned char c) {
        return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
    });
}

bool is_address(std::string_view text) {
    char copy[46] = {};
    if (text.empty() || text.size() >= sizeof copy) return false;
    std::ranges::copy(text, copy);
    in6_addr address{};
    return ::inet_pton(text.find(':') == std::string_view::npos ? AF_INET : AF_INET6, copy, &address) == 1;
}

}  // namespace

void Worker::process(Connection& c, const verify::Verifier::Session* session, Instant now) {
    std::size_t at = 0;
    bool needs_more = false;
    while (!c.is_waiting && !c.is_closing && at < c.in.size() && c.out.size() - c.sent < most_unsent) {
        const Parsed parsed = c.parser.parse(std::string_view(c.in).substr(at), c.scanned);
        if (parsed.kind == Parsed::Kind::NeedMore) {
            needs_more = true;
            break;
        }
        c.scanned = 0;
        if (parsed.kind == Parsed::Kind::Refused) {
            finish(c, refusal(parsed.status), {.route = service_.routes.size() - 1});
            at = c.in.size();
            break;
        }
        answer(c, parsed.request, session, now);
        at += parsed.consumed;
    }
    // Tokens do not stay.
    c.parser.forget();
    ::explicit_bzero(c.in.data(), at);
    c.in.erase(0, at);
    c.has_more = !needs_more && !c.is_waiting && !c.is_closing && !c.in.empty();
    if (at > 0) c.deadline = now_ + (c.in.empty() ? service_.settings.idle_timeout : service_.settings.request_timeout);
}

void Worker::answer(Connection& c, const Request& request, const verify::Verifier::Session* session, Instant now) {
    Answer answer;
    Asked asked{.route = 0, .is_head = request.method == "HEAD", .keep_alive = request.keep_alive};
    if (is_address(request.client_address)) asked.client = verify::AddressText(request.client_address);
    if (is_request_id(request.request_id)) asked.request_id = request.request_id;
    const verify::AddressText from = asked.client.text().empty() ? c.peer.address : asked.client;
    const Call call{request,
                    c.peer,
                    session,
                    hasher_,
                    now,
                    counters_,
                    uses_,
                    service_.settings.issuer,
                    from,
                    c.terms,
                    service_.settings.log_requests == "all"};
    auto revocation = dispatch(service_.routes, call, answer, asked.route);
    if (revocation)
        carry_out(c, std::move(*revocation), asked);
    else
        finish(c, answer, asked);
}

void Worker::finish(Connection& c, const Answer& answer, Asked asked) {
    std::string own_id;
    if (answer.status != 200 && asked.request_id.empty()) {
        own_id = id_prefix_ + std::to_string(++next_request_);
        asked.request_id = own_id;
    }
    const bool close_after = answer.close || !asked.keep_alive || is_draining_;
    write(c.out, answer, close_after, asked.request_id, asked.is_head);
    c.is_closing = c.is_closing || close_after;
    ++c.answered;
    counters_.count_request(asked.route, answer.status);
    log_request(answer, asked, c.peer);
}

void Worker::log_request(const Answer& answer, const Asked& asked, const Peer& peer) {
    const std::string& which = service_.settings.log_requests;
    const bool is_refused = answer.status != 200 || (answer.reason != "accepted" && !answer.reason.empty());
    if (which == "none" || (which == "refused" && !is_refused)) return;
    const LogShare share = answer.whose.empty() ? LogShare::Anyone : LogShare::Holders;
    audit::JsonObject fields{
        {"route", service_.routes[asked.route].path}, {"status", answer.status}, {"from", peer.address.text()}};
    if (!asked.client.text().empty()) fields["client"] = asked.client.text();
    if (!answer.reason.empty()) fields["reason"] = answer.reason;
    for (const auto& member : answer.whose) fields[member.key()] = member.value();
    if (!asked.request_id.empty()) fields["request"] = asked.request_id;
    service_.log.say_bounded(LogLevel::Info, "request", std::move(fields), share);
}

void Worker::carry_out(Connection& c, Revocation revocation, const Asked& asked) {
    c.is_waiting = true;
    c.deadline = now_ + service_.settings.request_timeout + 60s;  // the store's own wait is shorter
    service_.revoke(std::move(revocation),
                    [this, id = c.id, asked, request_id = std::string(asked.request_id)](Answer answer) {
                        post([this, id, asked, request_id, answer = std::move(answer)] {
                            const auto found = connections_.find(id);
                            if (found == connections_.end() || found->second->is_closed) return;
                            Connection& connection = *found->second;
                            connection.is_waiting = false;
                            connection.deadline = now_ + service_.settings.idle_timeout;
                            Asked now_answered = asked;
                            now_answered.request_id = request_id;
                            finish(connection, answer, now_answered);
                            flush(connection);
                            // What came behind it meanwhile.
                            if (!connection.is_closed && !connection.in.empty() && !connection.is_ready) {
                                connection.is_ready = true;
                                ready_.push_back(id);
                            }
                        });
                    });
}

}  // namespace marque::server
