#include "server/callers.h"

#include <arpa/inet.h>

#include "server/oauth.h"
#include "server/refusals.h"

namespace marque::server {

using namespace domain;
using verify::Holder;
using verify::Verdict;

namespace {

// A browser on this machine can be made to ask a loopback address by another name; it then sends that name.
bool has_loopback_host(std::string_view host) {
    if (host.starts_with("[::1]")) return host.size() == 5 || host[5] == ':';
    const std::string_view name = host.substr(0, host.find(':'));
    in_addr v4{};
    return name == "localhost" ||
           (::inet_pton(AF_INET, std::string(name).c_str(), &v4) == 1 && name.starts_with("127."));
}

}  // namespace

std::optional<Verdict> authenticate(const Call& call, Demand demand, Answer& answer) {
    if (!call.request.authorization) return Verdict{};
    if (const auto token = bearer_token(*call.request.authorization))
        return call.verify(*token, std::move(demand), answer);
    const auto secret = basic_secret(*call.request.authorization);
    if (!secret) return Verdict{Reason::Malformed, std::nullopt};
    const auto verdict = call.verify(secret->secret, std::move(demand), answer);
    if (verdict && verdict->line) {
        const Holder holder = call.session->index().holder(*verdict->line);
        if (secret->id != holder.identity && secret->id != holder.credential.text()) {
            answer.whose.clear();
            return Verdict{};
        }
    }
    return verdict;
}

void unknown_client(Answer& answer, Reason reason) {
    refuse(answer, 401, "invalid_client");
    answer.reason = name_of(reason);
    answer.add("WWW-Authenticate", "Basic realm=\"marque\"");
    answer.add("WWW-Authenticate", "Bearer error=\"invalid_token\"");
}

bool is_admitted(const Route& route, Call& call, Answer& answer) {
    const auto demand_scope = [&](const char* scope) {
        Demand demand;
        demand.scope = *Scope::parse(scope);
        const auto caller = authenticate(call, std::move(demand), answer);
        if (!caller || !call.session) {
            cannot_tell(answer);
            return false;
        }
        call.caller = caller->line;
        if (caller->is_accepted()) return true;
        if (caller->reason == Reason::ScopeMissing) {
            refuse(answer, 403, "insufficient_scope", scope);
            answer.reason = name_of(caller->reason);
        } else {
            unknown_client(answer, caller->reason);
        }
        return false;
    };
    switch (route.who) {
        case Caller::Anyone:
            return true;
        case Caller::Holder:
            if (!call.session) cannot_tell(answer);
            return call.session != nullptr;  // the handler judges the token once
        case Caller::Introspector:
            return demand_scope("marque:introspect");
        case Caller::LocalOrMetrics:
            if (call.peer.is_unix || (call.peer.is_local && has_loopback_host(call.request.host))) return true;
            return demand_scope("marque:metrics");
    }
    return false;
}

}  // namespace marque::server
