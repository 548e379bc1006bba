// marque/verifier.h: verify tokens within your own process: whose is it, and may it?
//
//     auto verifier = marque::Verifier::open("/var/lib/marque");          // std::expected<…, marque::Failure>
//     auto answer = (*verifier)->verify(token, {.scope = "card:edit", .environment = "production"});
//     if (answer && answer->is_accepted()) serve(answer->identity); else refuse();
//
// No answer is a denial. A revocation that has returned is seen by the next call: nothing is cached but the cost of
// looking. The process must be one that may open the store: its folder is 0700, its files 0600.
//
// Needs a C++23 compiler, and includes nothing of Marque's inside. `cmake --install` installs it as a static library, with
// a file for pkg-config and a package for CMake (docs/serve.md has what to type). Until version 1 it may change from one
// minor version to the next.
#pragma once

#include <chrono>
#include <concepts>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace marque {

// Why there is no verdict: the store is away, is not what it was, or can't be read. Deny, and tell the operator.
struct Failure {
    std::string message;  // for the operator; never a secret
    std::string hint;     // what to do about it; may be empty
};

// The caller's requirements of a token, besides that it is in force. An empty member requires nothing. A scope or a name
// of the wrong form fits no token.
struct Demand {
    std::string_view scope = {};        // resource:verb, which the token has to hold
    std::string_view environment = {};  // the name of the token's environment
};

enum class Outcome {
    Accepted,
    InvalidToken,       // malformed, unknown, expired, paused, revoked, of another environment: the caller is not told
    InsufficientScope,  // whose it is is known; what was demanded is not theirs
};

struct Verification {
    Outcome outcome = Outcome::InvalidToken;
    std::string reason;  // for the operator's log alone: accepted, expired, credential_revoked, …
    // With Accepted only:
    std::string identity, workspace, environment, credential;
    std::vector<std::string> scopes;
    std::optional<std::chrono::sys_time<std::chrono::microseconds>> expires_at;
    // The size of the audit log that the verdict rests on.
    std::uint64_t revision = 0;

    bool is_accepted() const { return outcome == Outcome::Accepted; }
};

class Verifier {
 public:
    // Opens the store in `folder` and reads all of it: about a microsecond and a hundred bytes for each credential.
    static std::expected<std::unique_ptr<Verifier>, Failure> open(const std::string& folder);
    ~Verifier();
    Verifier(const Verifier&) = delete;
    Verifier& operator=(const Verifier&) = delete;

    // `from`: where the request came from, for `marque inspect`; at most 47 bytes are kept.
    // Thread-safe. Writes nothing; a use is remembered until record_uses.
    std::expected<Verification, Failure> verify(std::string_view token, const Demand& demand = {},
                                                std::string_view from = "library");
    // Demands a scope alone. Any text will do for it; an empty one demands nothing.
    template <std::convertible_to<std::string_view> Text>
    std::expected<Verification, Failure> verify(std::string_view token, const Text& scope,
                                                std::string_view from = "library") {
        return verify(token, Demand{.scope = scope, .environment = {}}, from);
    }

    // Writes who was seen since the last call, and ends what a rotation kept until then. To be called every few
    // seconds, on a thread that may wait for the disk. What could not be written is kept for the next call.
    std::expected<void, Failure> record_uses();

 private:
    struct Inside;
    explicit Verifier(std::unique_ptr<Inside> inside);
    std::unique_ptr<Inside> inside_;
};

}  // namespace marque
