// Every answer of every route: nobody is accepted but the holder of a token that the request has in it, nothing is
// answered without a session, no answer holds the secret of a token, and each is one HTTP response that may not be
// stored.
//
// Input: a byte that picks what the text is (a body, a query, an Authorization field, a whole request), a byte of
// circumstances, the text; in it the bytes 1 to 5 stand for a token each.
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/parse.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <set>

#include "crypto/base64.h"
#include "fuzz.h"
#include "server/oauth.h"
#include "server/routes.h"
#include "store/memory/memory_store.h"
#include "test/fixed.h"
#include "verify/verify.h"

using namespace marque;
using namespace marque::domain;
using namespace marque::server;

namespace {

namespace http = boost::beast::http;

// A credential that there is, and its token, which is nowhere but in what the fuzzer makes.
struct Known {
    const char *workspace, *identity, *scopes;
    bool is_live;
    CredentialId id;
    std::string token;

    IdentityRef owner() const { return {*WorkspaceName::parse(workspace), *IdentityName::parse(identity)}; }
    std::string_view secret() const { return std::string_view(token).substr(22); }
};

Known known(std::uint64_t bits, const char* workspace, const char* identity, const char* scopes, bool is_live) {
    const auto id = CredentialId::from_bits(bits * 0x0123'4567'89AB'CDEFU);
    const Bytes entropy(token_entropy_bytes, static_cast<std::uint8_t>(bits * 37));
    return {workspace, identity, scopes,
            is_live,   id,       std::string(make_token(TokenClass::Test, id, entropy).reveal_text())};
}

// In the order of the bytes that stand for them.
const std::array all_known = {
    known(1, "default", "codex", "card:edit,card:view", true),
    known(2, "default", "gateway", "marque:introspect", true),
    known(3, "other", "codex", "card:edit", true),
    known(4, "default", "codex", "card:edit", false),
    known(5, "default", "stopped", "card:edit", false),
};
const Known& codex = all_known[0];
const Known& gateway = all_known[1];

Result<std::unique_ptr<store::Store>> open_store() {
    auto store = std::make_unique<store::memory::MemoryStore>(key(9));
    std::vector<audit::Event> events{audit::InstallationCreated{{"zj1ag1skkg2n4mac8rsbvkm3y4", t0}}};
    const auto dev = *EnvironmentName::parse("dev");
    for (const char* name : {"default", "other"}) {
        const auto workspace = *WorkspaceName::parse(name);
        events.emplace_back(audit::WorkspaceAdded{{workspace, {}, t0}});
        events.emplace_back(audit::EnvironmentAdded{{workspace, dev, Protection::Open, {}, {}, t0}});
    }
    std::set<IdentityRef> identities;
    for (const Known& one : all_known) {
        const IdentityRef owner = one.owner();
        const auto scopes = *ScopeSet::parse(one.scopes);
        if (identities.insert(owner).second)
            events.emplace_back(
                audit::IdentityCreated{{owner.workspace, owner.name, dev, MachineKind::Agent, scopes, "", {}, {}, t0}});
        const std::optional<Instant> ended = one.is_live ? std::nullopt : std::optional(t0 - std::chrono::hours(1));
        events.emplace_back(audit::CredentialIssued{{one.id,
                                                     owner.workspace,
                                                     owner.name,
                                                     verify::hash_token(key(1), one.token),
                                                     scopes,
                                                     CredentialStanding::Active,
                                                     t0 - std::chrono::hours(2),
                                                     one.identity == std::string("stopped") ? std::nullopt : ended,
                                                     {},
                                                     {},
                                                     {}}});
    }
    events.emplace_back(audit::Revoked{all_known[4].owner(), "active"});
    CHECK(store->change([&](const store::Reader&) -> Result<std::vector<audit::Draft>> {
        std::vector<audit::Draft> drafts;
        for (const audit::Event& event : events)
            drafts.push_back({event, audit::OperatorActor{}, t0, audit::Mode::Setup, "", "", ""});
        return drafts;
    }));
    return std::unique_ptr<store::Store>(std::move(store));
}

struct Circumstances {
    bool has_session = true, is_unix = false, is_local = false, has_issuer = false;
};

struct Outcome {
    Answer answer;
    std::string route;
    std::optional<Revocation> revocation;
};

Outcome answer_to(const Request& request, const Circumstances& circumstances) {
    static const FixedClock clock;
    static verify::Verifier verifier(open_store, key(9), clock, [](const verify::Notice&) {});
    static verify::TokenHasher hasher(key(1));
    static const std::span<const Route> table = routes([] { return std::string("marque_up 1\n"); });
    static Counters counters;
    static const std::string issuer = "https://marque.example.org", no_issuer;

    const auto session = verifier.session();
    CHECK(session);
    verify::Uses uses;
    const Peer peer{verify::AddressText("10.0.0.7"), circumstances.is_local, circumstances.is_unix};
    static const ListenerTerms terms{"X-Real-IP", {}};
    const Call call{request,  peer, circumstances.has_session ? &*session : nullptr, hasher,       t0,
                    counters, uses, circumstances.has_issuer ? issuer : no_issuer,   peer.address, terms,
                    true};
    Outcome outcome;
    std::size_t at = table.size();
    outcome.revocation = dispatch(table, call, outcome.answer, at);
    CHECK(at < table.size());
    outcome.route = table[at].path;
    return outcome;
}

// `text` as every reader of a request may have it: as it is, with its escapes of JSON or of a form resolved, or out of
// Base 64 and then those of a form.
std::string all_readings(std::string_view text) {
    const auto resolved = [](std::string_view from, std::string_view escape, std::size_t digits) {
        std::string out;
        for (std::size_t i = 0; i < from.size(); ++i) {
            unsigned code = 0;
            const std::string_view hex = from.substr(std::min(from.size(), i + escape.size()), digits);
            const auto [end, error] = std::from_chars(hex.data(), hex.data() + hex.size(), code, 16);
            if (!from.substr(i).starts_with(escape) || error != std::errc{} || end != hex.data() + digits) {
                out += from[i];
                continue;
            }
            out += static_cast<char>(code);
            i += escape.size() + digits - 1;
        }
        return out;
    };
    std::string form(text);
    std::ranges::replace(form, '+', ' ');
    std::string all = fmt::format("{}\n{}\n{}\n", text, resolved(text, "\\u", 4), resolved(form, "%", 2));
    for (std::size_t at = 0; (at = text.find(' ', at)) != std::string_view::npos; ++at) {
        const std::size_t begin = std::min(text.find_first_not_of(' ', at), text.size());
        const auto bytes = crypto::from_base64(text.substr(begin, text.find_first_of(" \t\r\n", begin) - begin));
        if (bytes) all += resolved(text_of(*bytes), "%", 2) + "\n";
    }
    return all;
}

bool holds(const std::string& readings, const Known& one) {
    return readings.find(one.token) != std::string::npos;
}

// Names of an object and nothing else.
struct Names {
    static constexpr std::size_t max_object_size = std::size_t(-1), max_array_size = std::size_t(-1),
                                 max_key_size = std::size_t(-1), max_string_size = std::size_t(-1);
    using Error = boost::json::error_code;
    using Text = boost::json::string_view;
    std::vector<std::string> names;
    std::string part;

    bool on_key_part(Text text, std::size_t, Error&) { return part += text, true; }
    bool on_key(Text text, std::size_t, Error&) {
        part += text;
        names.push_back(std::exchange(part, {}));
        return true;
    }
    bool on_document_begin(Error&) { return true; }
    bool on_document_end(Error&) { return true; }
    bool on_object_begin(Error&) { return true; }
    bool on_object_end(std::size_t, Error&) { return true; }
    bool on_array_begin(Error&) { return true; }
    bool on_array_end(std::size_t, Error&) { return true; }
    bool on_string_part(Text, std::size_t, Error&) { return true; }
    bool on_string(Text, std::size_t, Error&) { return true; }
    bool on_number_part(Text, Error&) { return true; }
    bool on_int64(std::int64_t, Text, Error&) { return true; }
    bool on_uint64(std::uint64_t, Text, Error&) { return true; }
    bool on_double(double, Text, Error&) { return true; }
    bool on_bool(bool, Error&) { return true; }
    bool on_null(Error&) { return true; }
    bool on_comment_part(Text, Error&) { return true; }
    bool on_comment(Text, Error&) { return true; }
};

// No reader, whichever of two members of one name it keeps, sees another token in it.
void check_unambiguous(std::string_view body) {
    boost::json::basic_parser<Names> parser{boost::json::parse_options{}};
    boost::json::error_code error;
    CHECK(parser.write_some(false, body.data(), body.size(), error) == body.size() && !error);
    std::vector<std::string> names = parser.handler().names;
    std::ranges::sort(names);
    CHECK(names == std::vector<std::string>{"token"} || names == std::vector<std::string>({"scope", "token"}));
}

using Response = http::response_parser<http::string_body>;

// As it is sent; another reader than ours takes it for the same, and to its last byte.
void check_written(const Answer& answer) {
    std::string text;
    write(text, answer, answer.close, "id-1", false);
    for (const Known& one : all_known) CHECK(text.find(one.secret()) == std::string::npos);
    CHECK(text.find(' ') != std::string::npos && text.starts_with(fmt::format("HTTP/1.1 {} ", answer.status)));

    Response parser;
    parser.eager(true);
    boost::beast::error_code error;
    CHECK(parser.put(boost::asio::buffer(text), error) == text.size() && !error && parser.is_done());
    const auto& response = parser.get();
    CHECK(response.result_int() == static_cast<unsigned>(answer.status) && response.body() == answer.body);
    CHECK(response.count(http::field::cache_control) == 1 && response[http::field::cache_control] == "no-store");
    CHECK(response.count(http::field::content_length) == 1 && response.keep_alive() == !answer.close);
    static const std::set<std::string, std::less<>> names = {
        "Cache-Control",       "X-Request-Id",         "Content-Type",
        "Connection",          "Content-Length",       "Allow",
        "Retry-After",         "WWW-Authenticate",     "X-Marque-Identity",
        "X-Marque-Workspace",  "X-Marque-Environment", "X-Marque-Scopes",
        "X-Marque-Credential", "X-Marque-Revision"};
    static const std::set<std::string, std::less<>> methods = {"", "GET, HEAD", "POST", "GET, HEAD, POST"};
    CHECK(methods.contains(std::string(response[http::field::allow])));
    for (const auto& field : response) CHECK(names.contains(std::string(field.name_string())));
}

// The credential that the answer accepts, if it accepts one.
std::optional<std::string> accepted_credential(const Outcome& outcome) {
    if (outcome.answer.status != 200) return std::nullopt;
    if (outcome.route == "/auth") {
        const std::string_view name = "X-Marque-Credential: ";
        const std::size_t at = outcome.answer.headers.find(name);
        CHECK(at != std::string::npos);
        return outcome.answer.headers.substr(at + name.size(), CredentialId::length);
    }
    const char* const type = outcome.answer.content_type;
    if (type == nullptr || std::string_view(type) != "application/json") return std::nullopt;
    const auto body = boost::json::parse(outcome.answer.body).as_object();
    const auto is_true = [&](const char* name) { return body.contains(name) && body.at(name).as_bool(); };
    if (outcome.route == "/v1/whoami" || is_true("accepted")) return std::string(body.at("credential").as_string());
    if (is_true("active")) return std::string(body.at("jti").as_string());
    CHECK(!body.contains("credential") && !body.contains("jti") && !body.contains("identity") && !body.contains("sub"));
    return std::nullopt;
}

void check_accepted(const Outcome& outcome, const std::string& credential, const Request& request,
                    const std::string& readings) {
    const auto found = std::ranges::find(all_known, credential, [](const Known& one) { return one.id.text(); });
    CHECK(found != all_known.end() && found->is_live && holds(readings, *found));
    if (outcome.route == "/oauth2/introspect") CHECK(holds(readings, gateway) && found->workspace == codex.workspace);
    if (outcome.route == "/v1/verify") check_unambiguous(request.body);
    const auto has_scope = [&](std::string_view scope) {
        return ScopeSet::parse(found->scopes)->contains(*Scope::parse(scope));
    };
    if (outcome.route == "/v1/verify") {
        const auto body = boost::json::parse(std::string(request.body)).as_object();
        if (body.contains("scope")) CHECK(has_scope(std::string(body.at("scope").as_string())));
    }
    if (outcome.route == "/auth" && request.query) {
        const auto parameters = parse_parameters(*request.query);
        CHECK(parameters && parameters->size() <= 1);
        for (const auto& [name, value] : *parameters) CHECK(name == "scope" && has_scope(value));
    }
}

// Who authenticates as `client` has a token of theirs; with Basic, and by its name.
void check_client(const Request& request, const IdentityRef& client, const std::string& readings) {
    const auto basic = basic_secret(*request.authorization);
    CHECK(std::ranges::any_of(all_known, [&](const Known& one) {
        const bool is_named = !basic || basic->id == one.identity || basic->id == one.id.text();
        return one.is_live && is_named && one.owner() == client && holds(readings, one);
    }));
}

void check_revocation(const Revocation& revocation, const Request& request, const std::string& readings) {
    CHECK(!revocation.token.empty() && readings.find(revocation.token.reveal_text()) != std::string::npos);
    CHECK(revocation.client.has_value() == request.authorization.has_value());
    if (revocation.client) check_client(request, *revocation.client, readings);
}

void check(const Request& request, std::string_view bytes, const Circumstances& circumstances, const Outcome& outcome) {
    const Answer& answer = outcome.answer;
    CHECK(std::ranges::find(statuses, answer.status) != statuses.end());
    check_written(answer);
    const std::string readings = all_readings(bytes);
    const auto credential = accepted_credential(outcome);
    if (credential) check_accepted(outcome, *credential, request, readings);
    if (outcome.revocation) {
        CHECK(outcome.route == "/oauth2/revoke" && answer.status == 200 && answer.body.empty());
        check_revocation(*outcome.revocation, request, readings);
    }
    if (answer.status == 200) {
        if (outcome.route == "/oauth2/introspect") check_client(request, gateway.owner(), readings);
        if (outcome.route == "/metrics") CHECK(circumstances.is_unix || circumstances.is_local);
        CHECK(request.method == "GET" || request.method == "POST");
    }
    if (!circumstances.has_session) {
        CHECK(!credential && (!outcome.revocation || !outcome.revocation->client));
        // It can't be told; but for whoever presents nothing that could be looked up, who is nobody at any time.
        const auto& presented = request.authorization;
        CHECK(answer.status != 403);
        CHECK(answer.status != 401 || !presented || (!bearer_token(*presented) && !basic_secret(*presented)));
        if (outcome.route == "/readyz") CHECK(answer.status != 200);
    }
}

std::string post(std::string_view path, std::string_view type, std::string_view body, std::string_view fields = {}) {
    return fmt::format("POST {} HTTP/1.1\r\nHost: m\r\nContent-Type: {}\r\n{}Content-Length: {}\r\n\r\n{}", path, type,
                       fields, body.size(), body);
}

std::string get(std::string_view target, std::string_view fields) {
    return fmt::format("GET {} HTTP/1.1\r\nHost: m\r\n{}\r\n", target, fields);
}

std::string request_of(unsigned kind, const std::string& text) {
    const char* const form = "application/x-www-form-urlencoded";
    const auto authorization = [](const std::string& value) { return "Authorization: " + value + "\r\n"; };
    switch (kind % 16) {
        case 0:
            return post("/v1/verify", "application/json", text);
        case 1:
            return post("/oauth2/introspect", form, text, authorization("Bearer " + gateway.token));
        case 2:
            return post("/oauth2/revoke", form, text);
        case 3:
            return get("/auth", authorization(text));
        case 4:
            return get("/auth?" + text, authorization("Bearer " + codex.token));
        case 5:
            return get("/v1/whoami", authorization(text));
        case 6:
            return post("/oauth2/introspect", form, "token=" + codex.token, authorization(text));
        case 7:
            return post("/oauth2/revoke", form, "token=" + codex.token, authorization(text));
        case 8:
            return get("/metrics", authorization(text));
        default:
            return text;
    }
}

std::optional<Outcome> serve(std::string_view input) {
    if (input.size() < 2) return std::nullopt;
    std::string text;
    for (const char c : input.substr(2))
        if (c >= 1 && c <= 5)
            text += all_known[static_cast<std::size_t>(c - 1)].token;
        else
            text += c;
    const std::string bytes = request_of(static_cast<unsigned char>(input[0]), text);
    Parser parser({}, "");
    std::size_t scanned = 0;
    const Parsed parsed = parser.parse(bytes, scanned);
    if (parsed.kind != Parsed::Kind::Complete) return std::nullopt;
    const auto bits = static_cast<unsigned char>(input[1]);
    const Circumstances circumstances{(bits & 1) == 0, (bits & 2) != 0, (bits & 4) != 0, (bits & 8) != 0};
    auto outcome = answer_to(parsed.request, circumstances);
    check(parsed.request, std::string_view(bytes).substr(0, parsed.consumed), circumstances, outcome);
    return outcome;
}

// Whether what is asserted below is reached at all: who is to be accepted is, each way there is.
bool check_reach() {
    for (const char* input : {"00{\"token\":\"\1\",\"scope\":\"card:edit\"}", "10token=\1", "30Bearer \1",
                              "40scope=card:view", "50bearer \3", "60Bearer \2"}) {
        const auto outcome = serve(input);
        CHECK(outcome && accepted_credential(*outcome));
    }
    for (const char* input : {"00{\"token\":\"\4\"}", "00{\"token\":\"\5\"}", "10token=\3", "10token=\4", "30Bearer \4",
                              "30Bearer \5", "50Bearer \4", "60Bearer \1", "70Bearer \5"}) {
        const auto outcome = serve(input);
        CHECK(outcome && !accepted_credential(*outcome) && !outcome->revocation);
    }
    CHECK(serve("20token=\1")->revocation && serve("70Bearer \1")->revocation->client);
    return true;
}

}  // namespace

void fuzz(std::string_view input) {
    [[maybe_unused]] static const bool is_reached = check_reach();
    serve(input);
}
