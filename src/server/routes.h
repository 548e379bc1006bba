// server/routes.h: the table of all paths that the server answers. Each row gives the method, the kind of body, who may
// call, and the function that answers. Paths are compared byte for byte; a path that is not in the table gets 404.
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

// The parameters of a handler. The session lives as long as the round of requests that it was opened for.
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

    // Verifies `token` against `demand` and the listener's environments, counts the verdict and notes the use. Writes
    // to `answer` only the parts that the log shows. Returns nullopt if no verdict can be given now.
    std::optional<verify::Verdict> verify(std::string_view token, domain::Demand demand, Answer& answer) const;
};

// A revocation by the token's holder (RFC 7009). Another thread carries it out, because it waits for the disk.
struct Revocation {
    Secret token;
    std::optional<domain::IdentityRef> client;
};

enum class Body { None, Json, Form };
enum class Caller {
    Anyone,          // no authentication; the token in the request is the one that is judged
    Holder,          // the holder of an accepted token
    Introspector,    // the holder of an accepted token with the scope marque:introspect
    LocalOrMetrics,  // a process of this machine, or the holder of a token with the scope marque:metrics
};

struct Route {
    std::string method, path;
    Body body;
    Caller who;
    // Fills the answer; or returns a Revocation, and the thread that carries it out makes the answer.
    std::function<std::optional<Revocation>(const Call&, Answer&)> handle;
};
inline constexpr std::size_t body_limit = 4096;

// The whole table; its last entry is for whatever matches none (its path is "other").
std::span<const Route> routes(const std::function<std::string()>& metrics);

// Finds the route, checks method, body and caller, and calls its handler. Sets `route` to its index in the table. HEAD
// is answered like GET; the worker leaves out the body when it writes the answer.
std::optional<Revocation> dispatch(std::span<const Route> routes, Call call, Answer& answer, std::size_t& route);

// Makes the answer to a Revocation that was carried out.
Answer revoked_answer(bool is_done, bool is_anothers);

}  // namespace marque::server
