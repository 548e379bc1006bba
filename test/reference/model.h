// test/reference/model.h: what Marque promises, said a second time and as simply as it can be: maps, strings and
// integers, written from docs/concepts.md, docs/commands.md and docs/approvals.md. No line of src/ is in here, and no
// idea of it: no store, no events, no hashes, no plans but their name.
//
//     product ──▶ answer ─┐
//                         ├─ the same? (life.cpp)
//     model   ──▶ answer ─┘
//
// What only the product can know is told to the model: the ids it drew, and how far an operation came that was cut off.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace marque::reference {

using Time = std::int64_t;  // microseconds
inline constexpr Time second = 1'000'000, minute = 60 * second, hour = 60 * minute, day = 24 * hour;
using Names = std::set<std::string>;

// When something ends, as it is typed.
struct End {
    enum class Kind { Unsaid, Never, After, At } kind = Kind::Unsaid;
    Time value = 0;
};

struct NewIdentity {
    std::string name, environment, kind = "agent";
    Names scopes;
    End expires;
    std::map<std::string, std::string> labels;
};

// With all its options, whether the kind uses them or not.
struct Command {
    enum class Kind {
        Create,
        Issue,
        Rotate,
        Activate,
        Pause,
        Resume,
        Revoke,
        WorkspaceAdd,
        WorkspaceRemove,
        EnvironmentAdd,
        EnvironmentRemove,
        Protect,
        Unprotect,
        OperatorAdd,
        OperatorRemove,
        Grant,
        Withdraw,
        OwnerAdd,
        OwnerRemove,
        Policy,
        Sign,
        Deny,
        WithdrawRequest
    } kind{};
    std::uint32_t uid = 0;
    std::string workspace;  // empty: not said
    enum class Confirm { None, DryRun, Yes, Count, Digest } confirm = Confirm::Yes;
    std::size_t count = 0;                // that was confirmed
    std::string digest, plan;             // that was confirmed, and the model's name for it
    std::string reason, approval;         // approval: an id
    std::vector<NewIdentity> identities;  // create
    std::string name;                     // of whatever it is about: identity, environment, operator, key, request …
    enum class Target { NameOrId, Token, Environment, Workspace, Filter } target = Target::NameOrId;
    std::map<std::string, std::string> filter;  // env, kind, state, label.x
    std::optional<Names> scopes;                // issue
    End expires, until;                         // until: pause
    std::string mode = "overlap";               // rotate; until-used, compromised
    std::optional<Time> overlap;
    bool is_protected = false;  // environment add
    std::optional<Time> max_lifetime;
    std::uint32_t new_uid = 0;                             // operator add
    std::set<std::pair<std::string, std::string>> grants;  // workspace (empty: all), "view" or "manage"
    std::string holder;                                    // owner add: an operator's name, or empty
    std::optional<std::uint32_t> quorum;
    std::optional<bool> sole_owner;
    std::string signer;          // sign: a fingerprint; empty: no signature at all
    std::string signed_request;  // over whose text
};

enum class Exit {
    Done,
    AlreadySo,
    Shown,
    Asked,  // 0, 0, 5, 6
    Invalid,
    RefusedByState,
    PermissionDenied,
    ApprovalNeeded,
    NotFound,
    Undelivered
};

struct Answer {
    Exit exit = Exit::Done;
    std::string plan;  // a name for it; empty when there is none
    bool is_request_new = false;
};

struct Verdict {
    std::string reason;
    std::string workspace, environment, identity;  // when there is such a credential
    Names scopes;
};

class Model {
 public:
    Model(const std::string& operator_name, std::uint32_t uid, const std::map<std::string, std::string>& owners,
          bool has_sole_owner);

    // `made`: ids of the credentials, or of the request, that the product made in it, in order. What is to be delivered
    // is pending after it.
    Answer run(const Command& command, Time now, const std::vector<std::string>& made);
    // The second half of create, issue and rotate.
    Exit finish(std::uint32_t uid, const std::vector<std::string>& credentials, bool is_delivered, Time now);

    // `credential` is the one the token names; `is_right`: and it is that one's.
    Verdict verify(const std::string& credential, bool is_right, const std::string& demand, Time now) const;
    bool tells_why(std::uint32_t uid, const std::string& credential) const;
    // `count` accepted verifications, the last `at`, are noted.
    void note_use(const std::string& credential, std::uint64_t count, Time at, Time now);

    // Everything that is listed, a line each.
    std::string listing(Time now) const;
    // The moments at which something changes by itself.
    std::vector<Time> moments() const;

    struct Condition {
        std::string stored = "active";
        std::optional<Time> until;
        int version = 0;
    };
    struct Environment {
        bool is_protected = false;
        std::optional<Time> max_lifetime;
        Condition condition;
    };
    struct Identity {
        std::string environment, kind;
        Names scopes;
        std::map<std::string, std::string> labels;
        Condition condition;
    };
    struct Credential {
        std::string workspace, identity;
        Names scopes;
        std::string stored = "pending";
        Time created = 0;
        std::optional<Time> expires, until, retires;
        std::string replaces, mode;
        Time overlap = 0;
        bool was_made_protected = false;
        int version = 0;
        std::uint64_t uses = 0;
        Time last_use = 0;
    };
    struct Operator {
        std::uint32_t uid = 0;
        bool is_removed = false;
        std::set<std::pair<std::string, std::string>> grants;
        int version = 0;
    };
    struct Owner {
        std::string holder;
        int since = 0;
    };
    struct Request {
        std::string plan, requester, workspace;  // workspace empty: the installation's
        Time asked = 0, not_after = 0;
        std::string stored = "open";
        std::vector<std::pair<std::string, int>> signatures;  // fingerprint, when
        int version = 0;
    };
    using Place = std::pair<std::string, std::string>;  // workspace and a name in it

    // For whoever thinks up commands.
    std::map<std::string, Condition> workspaces;
    std::map<Place, Environment> environments;
    std::map<Place, Identity> identities;
    std::map<std::string, Credential> credentials;
    std::map<std::string, Operator> operators;
    std::map<std::string, Owner> owners;
    std::map<std::string, Request> requests;
    std::uint32_t quorum = 1;
    bool has_sole_owner = false;

 private:
    struct Draft;
    using Refusal = std::optional<Exit>;
    const std::pair<const std::string, Operator>* operator_of(std::uint32_t uid) const;
    Refusal authorise(const Command& command, bool is_wide, const std::string& permission, Draft& draft) const;
    Refusal plan(const Command& command, Time now, Draft& draft);
    Refusal plan_new_credential(const Command& command, Time now, Draft& draft);
    Refusal plan_state(const Command& command, Time now, Draft& draft);
    Refusal plan_place(const Command& command, Time now, Draft& draft);
    Refusal plan_operator(const Command& command, Draft& draft);
    Refusal plan_owner(const Command& command, Draft& draft);
    Refusal plan_request(const Command& command, Time now, Draft& draft);
    Refusal plan_activation(const std::string& id, Time now, Draft& draft);
    Refusal pass_gate(const Command& command, Time now, Draft& draft);
    Refusal ask(const std::string& id, Time now, const Draft& draft, bool& is_new);
    void add_workspace(const std::string& name);
    bool may_issue_under(const std::string& workspace, const std::string& environment, const Identity* identity,
                         Time now) const;
    Refusal lifetime(const End& asked, const End& otherwise, const Environment& environment, Time now,
                     End& result) const;
    bool matches(const Command& command, const Place& place, const Identity& identity, Time now) const;
    bool has_quorum(const std::map<std::string, Owner>& owners, std::uint32_t quorum) const;
    std::string person(const std::string& holder) const;
    std::size_t signers(const Request& request) const;
    enum class Counts { Yes, NoKey, Requesters, Twice };
    Counts counts(const Request& request, const std::string& key, int when, std::set<std::string>& seen) const;
    std::string state_of(const Request& request, Time now) const;

    int now_version_ = 0;
    int owners_version_ = 0;
};

// As of now: active, paused or revoked.
std::string state_of(const Model::Condition& condition, Time now);
// pending, lapsed, active, paused, retiring, retired, expired or revoked.
std::string state_of(const Model::Credential& credential, Time now);

}  // namespace marque::reference
