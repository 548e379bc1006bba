#include "server/routes.h"

#include <boost/beast/core/string.hpp>
#include <boost/json/monotonic_resource.hpp>
#include <boost/json/parse.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cstring>

#include "audit/json.h"
#include "base/text.h"
#include "server/callers.h"
#include "server/oauth.h"
#include "server/refusals.h"

namespace marque::server {

using namespace domain;
using audit::JsonArray;
using audit::JsonObject;
using verify::Holder;
using verify::Verdict;

namespace {

constexpr const char* json_type = "application/json";

// RFC 6750, section 3: no error code for who presented nothing.
void challenge(Answer& answer, bool was_token_given) {
    answer.status = 401;
    answer.add("WWW-Authenticate", was_token_given ? "Bearer error=\"invalid_token\"" : "Bearer");
}

void add_revision(const Call& call, Answer& answer) {
    answer.add("X-Marque-Revision", fmt::format_int(call.session->revision()).c_str());
}

JsonArray scopes_json(const ScopeSet& scopes) {
    JsonArray array;
    for (const Scope& scope : scopes.scopes()) array.emplace_back(scope.text());
    return array;
}

std::string spaced(const ScopeSet& scopes) {
    std::string text = scopes.text();
    std::ranges::replace(text, ',', ' ');
    return text;
}

JsonObject holder_json(const Holder& holder, Revision revision) {
    JsonObject object{{"identity", holder.identity},
                      {"workspace", holder.workspace},
                      {"environment", holder.environment},
                      {"credential", holder.credential.text()},
                      {"scopes", scopes_json(holder.scopes)},
                      {"revision", revision},
                      {"schema", "marque/1"}};
    if (holder.term.expires_at) object["expires_at"] = to_rfc3339(*holder.term.expires_at);
    return object;
}

// Adds the demand called `name`; queries and JSON objects use the same names. Returns false if there is no demand of
// that name, or if `value` has the wrong form.
bool add_to(Demand& demand, std::string_view name, std::string_view value) {
    const auto put = [](auto& member, auto parsed) {
        if (parsed) member = parsed.release();
        return member.has_value();
    };
    if (name == "scope") return put(demand.scope, Scope::parse(value));
    if (name == "environment") return put(demand.environment, EnvironmentName::parse(value));
    return false;
}

// `?scope=…&environment=…`, each once, nothing else; none: it is something else.
std::optional<Demand> demand_of(const std::optional<std::string_view>& query) {
    Demand demand;
    const auto parameters = parse_parameters(query.value_or(std::string_view()));
    if (!parameters) return std::nullopt;
    for (const auto& [name, value] : *parameters)
        if (!add_to(demand, name, value)) return std::nullopt;
    return demand;
}

// nginx drops its connection to us after an answer with a body, so there is none here, whatever the status.
std::optional<Revocation> auth(const Call& call, Answer& answer) {
    const auto demand = demand_of(call.request.query);
    if (!demand) {
        answer.status = 400;
        answer.reason = "invalid_request";
        return {};
    }
    const auto token = call.request.authorization ? bearer_token(*call.request.authorization) : std::nullopt;
    const auto verdict = call.verify(token.value_or(std::string_view()), *demand, answer);
    if (!verdict) {
        cannot_judge(answer);
        return {};
    }
    if (verdict->is_accepted()) {
        const Holder holder = call.session->index().holder(*verdict->line);
        answer.add("X-Marque-Identity", holder.identity);
        answer.add("X-Marque-Workspace", holder.workspace);
        answer.add("X-Marque-Environment", holder.environment);
        answer.headers += "X-Marque-Scopes:";
        for (const Scope& scope : holder.scopes.scopes()) (answer.headers += ' ') += scope.text();
        answer.headers += "\r\n";
        answer.add("X-Marque-Credential", holder.credential.text());
    } else if (verdict->reason == Reason::ScopeMissing) {
        answer.status = 403;
        answer.add("WWW-Authenticate",
                   fmt::format("Bearer error=\"insufficient_scope\", scope=\"{}\"", demand->scope->text()));
    } else {
        challenge(answer, call.request.authorization.has_value());
    }
    add_revision(call, answer);
    return {};
}

// Members of a well-formed object whose values are no objects or arrays: one more than the commas outside of strings.
std::size_t count_members(std::string_view object) {
    std::size_t commas = 0;
    bool is_in_string = false;
    for (std::size_t i = 0; i < object.size(); ++i) {
        if (is_in_string && object[i] == '\\')
            ++i;
        else if (object[i] == '"')
            is_in_string = !is_in_string;
        else if (object[i] == ',' && !is_in_string)
            ++commas;
    }
    return commas + 1;
}

// What a body is decoded into, a token in it: room for any that is right.
struct WipedMemory {
    std::array<unsigned char, 2048> bytes;
    ~WipedMemory() { ::explicit_bzero(bytes.data(), bytes.size()); }
};

std::optional<Revocation> v1_verify(const Call& call, Answer& answer) {
    boost::json::error_code error;
    boost::json::parse_options options;
    options.max_depth = 4;
    WipedMemory memory;
    boost::json::monotonic_resource resource(memory.bytes.data(), memory.bytes.size());
    const auto value =
        boost::json::parse({call.request.body.data(), call.request.body.size()}, error, &resource, options);
    const auto* object = error ? nullptr : value.if_object();
    // Boost.JSON keeps the last of two members of one name; another reader may not.
    bool is_good = object != nullptr && object->size() == count_members(call.request.body);
    const boost::json::string* token = nullptr;
    Demand demand;
    if (is_good)
        for (const auto& member : *object) {
            const auto* text = member.value().if_string();
            const std::string_view name(member.key().data(), member.key().size());
            if (text != nullptr && name == "token")
                token = text;
            else
                is_good = is_good && text != nullptr && add_to(demand, name, {text->data(), text->size()});
        }
    if (!is_good || token == nullptr) {
        refuse(
            answer, 400, "invalid_request",
            "the body is {\"token\":\"…\"}, with \"scope\":\"resource:verb\" and \"environment\":\"NAME\" if they are "
            "demanded");
        return {};
    }
    const auto verdict = call.verify({token->data(), token->size()}, std::move(demand), answer);
    if (!verdict) {
        cannot_tell(answer);
        return {};
    }
    JsonObject body{{"accepted", false},
                    {"error", verdict->reason == Reason::ScopeMissing ? "insufficient_scope" : "invalid_token"},
                    {"revision", call.session->revision()},
                    {"schema", "marque/1"}};
    if (verdict->is_accepted()) {
        body = holder_json(call.session->index().holder(*verdict->line), call.session->revision());
        body["accepted"] = true;
    }
    answer.json(200, audit::canonical(body));
    add_revision(call, answer);
    return {};
}

std::optional<Revocation> whoami(const Call& call, Answer& answer) {
    const auto token = call.request.authorization ? bearer_token(*call.request.authorization) : std::nullopt;
    const auto verdict = call.verify(token.value_or(std::string_view()), {}, answer);
    if (!verdict) {
        cannot_tell(answer);
        return {};
    }
    if (!verdict->is_accepted()) {
        challenge(answer, call.request.authorization.has_value());
        return {};
    }
    const Holder holder = call.session->index().holder(*verdict->line);
    JsonObject body = holder_json(holder, call.session->revision());
    body["state"] = name_of(state_at(holder.term, call.now));
    if (holder.term.stored == CredentialStanding::Retiring && holder.term.turns_at)
        body["retire_at"] = to_rfc3339(*holder.term.turns_at);
    answer.json(200, audit::canonical(body));
    add_revision(call, answer);
    return {};
}

// The form's parameter `token`; else the answer is written.
std::optional<WipedString> token_parameter(const Call& call, Answer& answer) {
    const auto parameters = parse_parameters(call.request.body);
    const WipedString* token = parameters ? find(*parameters, "token") : nullptr;
    if (token != nullptr && !token->empty()) return *token;
    refuse(answer, 400, "invalid_request", "the parameter token is missing, or one is there twice");
    return {};
}

std::optional<Revocation> introspect(const Call& call, Answer& answer) {
    const auto token = token_parameter(call, answer);
    if (!token) return {};
    const std::string_view workspace = call.session->index().holder(*call.caller).workspace;
    JsonObject body{{"active", false}};
    const auto verdict = call.verify(*token, {}, answer);
    if (!verdict) {
        cannot_tell(answer);
        return {};
    }
    if (verdict->is_accepted()) {
        const Holder holder = call.session->index().holder(*verdict->line);
        // What is another workspace's is nothing to this one.
        if (holder.workspace == workspace) {
            body = {{"active", true},
                    {"scope", spaced(holder.scopes)},
                    {"client_id", holder.identity},
                    {"sub", holder.identity},
                    {"token_type", "Bearer"},
                    {"jti", holder.credential.text()},
                    {"workspace", holder.workspace},
                    {"environment", holder.environment}};
            if (holder.term.expires_at)
                body["exp"] =
                    std::chrono::floor<std::chrono::seconds>(*holder.term.expires_at).time_since_epoch().count();
            if (!call.issuer.empty()) body["iss"] = call.issuer;
        }
    }
    answer.json(200, audit::canonical(body));
    add_revision(call, answer);
    return {};
}

std::optional<Revocation> revoke(const Call& call, Answer& answer) {
    const auto token = token_parameter(call, answer);
    if (!token) return {};
    std::optional<IdentityRef> client;
    if (call.request.authorization) {
        const auto caller = authenticate(call, {}, answer);
        if (!caller) {
            cannot_tell(answer);
            return {};
        }
        if (!caller->is_accepted()) {
            unknown_client(answer, caller->reason);
            return {};
        }
        const Holder holder = call.session->index().holder(*caller->line);
        client = IdentityRef{*WorkspaceName::parse(holder.workspace), *IdentityName::parse(holder.identity)};
    }
    return Revocation{Secret::copy_of(bytes_of(*token)), std::move(client)};
}

std::optional<Revocation> metadata(const Call& call, Answer& answer) {
    if (call.issuer.empty()) {
        refuse(answer, 404, "not_found", "no issuer is set");
        return {};
    }
    answer.json(200, audit::canonical(JsonObject{
                         {"issuer", call.issuer},
                         {"introspection_endpoint", call.issuer + "/oauth2/introspect"},
                         {"introspection_endpoint_auth_methods_supported", JsonArray{"client_secret_basic", "Bearer"}},
                         {"revocation_endpoint", call.issuer + "/oauth2/revoke"},
                         {"revocation_endpoint_auth_methods_supported", JsonArray{"none", "client_secret_basic"}},
                         {"response_types_supported", JsonArray{}},
                         {"grant_types_supported", JsonArray{}}}));
    return {};
}

std::optional<Revocation> healthz(const Call&, Answer& answer) {
    answer.body = "ok\n";
    answer.content_type = "text/plain";
    return {};
}

std::optional<Revocation> readyz(const Call& call, Answer& answer) {
    answer.status = call.session ? 200 : 503;
    answer.body = call.session ? "ready\n" : "not ready: the store can't be asked; the log says why\n";
    answer.content_type = "text/plain";
    return {};
}

bool has_type(std::string_view content_type, std::string_view wanted) {
    return boost::beast::iequals(content_type.substr(0, content_type.find_first_of("; ")), wanted);
}

bool has_right_body(const Route& route, const Call& call, Answer& answer) {
    if (route.body == Body::None) {
        if (!call.request.has_body) return true;
        answer.status = 413;
        answer.close = true;
        return false;
    }
    const bool is_json = route.body == Body::Json;
    if (has_type(call.request.content_type, is_json ? json_type : "application/x-www-form-urlencoded")) return true;
    refuse(answer, 415, "invalid_request", is_json ? "the body is application/json" : "the body is a form");
    return false;
}

// Returns whose credential was refused, for the log. The caller does not learn it.
JsonObject whose_json(const Holder& holder, const Demand& demand) {
    JsonObject whose{{"identity", holder.identity},
                     {"workspace", holder.workspace},
                     {"environment", holder.environment},
                     {"credential", holder.credential.text()}};
    if (demand.scope) whose["demanded_scope"] = demand.scope->text();
    if (demand.environment) whose["demanded_environment"] = demand.environment->text();
    if (demand.listener_environments.empty()) return whose;
    std::string names;
    for (const EnvironmentName& name : demand.listener_environments) names += (names.empty() ? "" : ",") + name.text();
    whose["listener_demands"] = names;
    return whose;
}

}  // namespace

std::optional<Verdict> Call::verify(std::string_view token, Demand demand, Answer& answer) const {
    answer.whose.clear();
    if (session == nullptr) return std::nullopt;
    demand.listener_environments = terms.environments;
    const verify::Index& index = session->index();
    const Verdict verdict = index.verify(hasher, token, demand, now);
    if (!session->may_answer()) return std::nullopt;
    counters.verdicts[static_cast<std::size_t>(verdict.reason)].add();
    answer.reason = name_of(verdict.reason);
    if (!verdict.line || verdict.reason == Reason::WrongSecret) return verdict;
    const Holder holder = index.holder(*verdict.line);
    uses.note(holder, verdict.reason, now, from);
    if (!verdict.is_accepted() || names_accepted) answer.whose = whose_json(holder, demand);
    return verdict;
}

std::span<const Route> routes(const std::function<std::string()>& metrics) {
    static const std::vector<Route> table = {
        {"GET", "/auth", Body::None, Caller::Anyone, auth},
        {"POST", "/v1/verify", Body::Json, Caller::Anyone, v1_verify},
        {"GET", "/v1/whoami", Body::None, Caller::Holder, whoami},
        {"POST", "/oauth2/introspect", Body::Form, Caller::Introspector, introspect},
        {"POST", "/oauth2/revoke", Body::Form, Caller::Anyone, revoke},
        {"GET", "/.well-known/oauth-authorization-server", Body::None, Caller::Anyone, metadata},
        {"GET", "/healthz", Body::None, Caller::Anyone, healthz},
        {"GET", "/readyz", Body::None, Caller::Anyone, readyz},
        {"GET", "/metrics", Body::None, Caller::LocalOrMetrics,
         [metrics](const Call&, Answer& answer) -> std::optional<Revocation> {
             answer.body = metrics();
             answer.content_type = "text/plain; version=0.0.4; charset=utf-8";
             return {};
         }},
        {"", "other", Body::None, Caller::Anyone, [](const Call&, Answer&) { return std::optional<Revocation>(); }},
    };
    return table;
}

std::optional<Revocation> dispatch(std::span<const Route> table, Call call, Answer& answer, std::size_t& at) {
    const auto found = std::ranges::find(table, call.request.path, &Route::path);
    at = static_cast<std::size_t>(found - table.begin());
    const std::string_view method = call.request.method == "HEAD" ? "GET" : call.request.method;
    const bool is_known_method = method == "GET" || method == "POST";
    answer.close = !is_known_method;
    if (at + 1 >= table.size()) {
        at = table.size() - 1;
        answer.status = is_known_method ? 404 : 405;
        if (!is_known_method) answer.add("Allow", "GET, HEAD, POST");
        return {};
    }
    const Route& route = *found;
    if (method != route.method) {
        answer.status = 405;
        answer.add("Allow", route.method == "GET" ? "GET, HEAD" : route.method);
        return {};
    }
    if (call.request.query && route.path != "/auth") {
        refuse(answer, 400, "invalid_request", "this path takes no query");
        return {};
    }
    if (!has_right_body(route, call, answer) || !is_admitted(route, call, answer)) return {};
    return route.handle(call, answer);
}

Answer revoked_answer(bool is_done, bool is_anothers) {
    Answer answer;
    if (is_anothers)
        refuse(answer, 400, "invalid_request", "the token is not this client's");
    else if (!is_done)
        cannot_tell(answer);
    return answer;
}

}  // namespace marque::server
