// server/routes.h: every path that is answered: method, body, who may call, and by what. Nothing has a default, and a
// path is matched byte for byte: what is not in the table is 404.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/answer.h"
#include "server/metrics.h"
#include "server/request.h"
#include "verify/uses.h"
#include "verify/verifier.h"

namespace marque::server {

// Where a request came from, as far as this machine knows.
struct Peer {
    verify::AddressText address;  // "unix socket", or an IP address
    bool is_local = false;        // a unix socket or a loopback address
    bool is_unix = false;
};

// The settings of a listener that concern its callers.
struct ListenerTerms {
    std::string client_address;                         // the name of the header that is trusted for it; empty: none
    std::vector<domain::EnvironmentName> environments;  // of each token that is to be accepted; empty: any
};

// What a handler may use. The session lives as long as the round of requests it was made for.
struct Call {
    const Request& request;
    const Peer& peer;
    const verify::Verifier::Session* session;  // none: nothing can be judged now
    verify::TokenHasher& hasher;
    Instant now;
    Counters& counters;
    verify::Uses& uses;
    const std::string& issuer;
    const verify::AddressText& from;  // what a trusted header says, or else the peer
    const ListenerTerms& terms;
    bool names_accepted;                       // the log has a line for what is accepted, too
    std::optional<std::uint32_t> caller = {};  // who was authenticated, where the route wants that: a line of the index

    // Judges by what the caller and the listener demand, counts, remembers the use, and leaves in `answer` what the log
    // says of it, and nothing else. None: it can't be told now.
    std::optional<verify::Verdict> verify(std::string_view token, domain::Demand demand, Answer& answer) const;
};

// A revocation by its holder: carried out beside the loop, because it waits for the disk.
struct Revocation {
    Secret token;
    std::optional<domain::IdentityRef> client;
};

enum class Body { None, Json, Form };
enum class Caller {
    Anyone,          // who presents nothing is judged by what they ask about
    Holder,          // of a token that is accepted
    Introspector,    // authenticated, with marque:introspect
    LocalOrMetrics,  // on this machine, or authenticated with marque:metrics
};

struct Route {
    std::string method, path;
    Body body;
    Caller who;
    // Fills the answer; or, with a Revocation, leaves it to whoever carries that out.
    std::function<std::optional<Revocation>(const Call&, Answer&)> handle;
};
inline constexpr std::size_t body_limit = 4096;

// The whole table; its last entry is for whatever matches none (its path is "other").
std::span<const Route> routes(const std::function<std::string()>& metrics);

// Finds the route, checks method, body and caller, calls it. `route`: its place in the table. HEAD is answered as GET
// is; the worker leaves out the body when it writes the answer.
std::optional<Revocation> dispatch(std::span<const Route> routes, Call call, Answer& answer, std::size_t& route);

// What a Revocation came to.
Answer revoked_answer(bool is_done, bool is_anothers);

}  // namespace marque::server
