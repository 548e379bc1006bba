// authority/authority.h: the use cases: authorise, plan, gate, confirm, commit, deliver, answer.
//
// Every change runs through one path, `Authority::run` (authority/engine.cpp):
//
//     in one transaction:  who asks? ─▶ plan ─▶ owner's gate ─▶ confirmed? ─▶ events
//                             │           │           │
//                             └───────────┴───────────┴─▶ or one `refused` event, and with it,
//                                                         at the gate, a request to the owners
//
// and everything with a secret goes on (authority/issuing.cpp):
//
//     commit pending ─▶ deliver ─▶ commit active (and retire what it replaces)
//
// so that whatever moment the process dies at leaves nothing usable that nobody received, and
// never costs the old credential (invariants 3 and 4).
//
// An Authority is for one thread and one caller.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "audit/entry.h"
#include "authority/barrier.h"
#include "authority/filter.h"
#include "authority/owner_signatures.h"
#include "authority/plan.h"
#include "base/random.h"
#include "base/secret.h"
#include "domain/span_of_time.h"
#include "store/store.h"
#include "verify/known_log.h"
#include "verify/verify.h"

namespace marque::authority {

// What is common to all changes.
struct Order {
    std::optional<domain::WorkspaceName> workspace;  // none: the only one the caller can see
    Confirmation confirmation = Confirmation::none();
    std::string reason;
    std::optional<domain::ApprovalId> approval = {};  // that the owners gave for it
    Awaiting awaiting = Awaiting::Yes;                // until it is in force everywhere
};

struct CreateRequest {
    domain::IdentityName name;
    domain::EnvironmentName environment;
    domain::MachineKind kind = domain::MachineKind::Agent;
    domain::ScopeSet scopes;
    std::optional<domain::Ending> expires;  // none: default_lifetime, or less where policy says so
    std::string contact;
    domain::Labels labels;
    std::string description = {};

    // Returns the identity that is asked for.
    domain::Identity identity_in(const domain::WorkspaceName& workspace, Instant now) const {
        return {.workspace = workspace,
                .name = name,
                .environment = environment,
                .kind = kind,
                .scopes = scopes,
                .contact = contact,
                .labels = labels,
                .condition = {},
                .created_at = now,
                .description = description};
    }
};
inline constexpr Duration default_lifetime = std::chrono::days(90);

struct IssueRequest {
    domain::IdentityName name;
    std::optional<domain::ScopeSet> scopes;  // none: all the identity may hold
    std::optional<domain::Ending> expires;
};

struct RotateRequest {
    std::string target;  // an identity's name or a credential's id
    domain::OldCredential old_credential = domain::OldCredential::RetiresAfterOverlap;
    std::optional<Duration> overlap;        // none: default_overlap, or default_overlap_until_used
    std::optional<domain::Ending> expires;  // none: as long as the old one was made for
};
inline constexpr Duration default_overlap = std::chrono::hours(1);
inline constexpr Duration default_overlap_until_used = std::chrono::days(7);

// What pause, resume and revoke are about.
struct ByNameOrId {
    std::string text;
};
struct ByToken {
    Secret token;
};
using Target = std::variant<ByNameOrId, ByToken, domain::EnvironmentName, domain::WorkspaceName, Filter>;

struct IssuedToken {
    domain::CredentialRef credential;
    Secret token;
};

// Where tokens go. Called between the two commits, at most once.
class Delivery {
 public:
    virtual ~Delivery() = default;
    // Before anything is committed: what can already be seen to go wrong.
    virtual Result<void> prepare(std::span<const domain::IdentityName> names) = 0;
    // Success means: every token is where it survives this process. Errors: any; then none of
    // them comes into force.
    virtual Result<void> deliver(std::span<const IssuedToken> tokens) = 0;
};

// AwaitsApproval: all is well but for the owners' approval; when the order was confirmed, it was asked for.
enum class Progress { Shown, Applied, AlreadySo, AwaitsApproval };

struct Done {
    Progress progress = Progress::Shown;
    Plan plan;
    domain::Revision revision = 0;  // after it, when applied
    std::vector<domain::CredentialRef> issued;
    std::optional<domain::Approval> approval;  // the request that now waits, when it awaits one
    bool is_asked_anew = false;                // and it was not there before
    std::optional<Receipt> receipt;            // of a change that verdicts rest on, or a repeat of one
};

// Requests to the owners for each operator: open at once, and in a day.
inline constexpr std::size_t most_open_approvals = 100;
inline constexpr std::size_t most_approvals_a_day = 300;
// Identities that one approval can be for: more nobody reads.
inline constexpr std::size_t most_in_one_approval = 200;

struct InitRequest {
    domain::OperatorName operator_name;
    domain::WorkspaceName workspace;
    std::vector<domain::Owner> owners;
    bool has_sole_owner = false;
};

struct PolicyRequest {
    std::optional<std::uint32_t> quorum;  // none: as it is
    std::optional<bool> has_sole_owner;
};

struct EnvironmentRequest {
    domain::EnvironmentName name;
    domain::Protection protection = domain::Protection::Open;
    std::optional<Duration> max_lifetime;
};

class Authority {
 public:
    // All outlive the authority. `root_key` is the installation's.
    Authority(store::Store& store, const Clock& clock, Random& random, const Secret& root_key,
              const OwnerSignatures& signatures, audit::Process caller);

    // Errors of every change, beside its own: PermissionDenied, NotConfirmed, ApprovalNeeded (there
    // is no owner, or the approval given is not good for it), NotFound, StateRefuses, and those of
    // the store. A refusal by permission, state or the gate leaves a `refused` event, except in a
    // dry run. What is behind the gate and comes without an approval ends as AwaitsApproval.

    // The first change: makes the installation, its first operator, workspace and environments.
    // Errors: StateRefuses when there is an installation.
    Result<Done> init(const InitRequest& request, const Confirmation& confirmation);

    Result<Done> create(std::span<const CreateRequest> requests, const Order& order, Delivery& delivery);
    Result<Done> issue(const IssueRequest& request, const Order& order, Delivery& delivery);
    Result<Done> rotate(const RotateRequest& request, const Order& order, Delivery& delivery);
    // Finishes a create, issue or rotate that was cut off after delivery. The token proves it.
    Result<Done> activate(const Secret& token, const Order& order);

    Result<Done> pause(const Target& target, const std::optional<domain::Ending>& until, const Order& order);
    Result<Done> resume(const Target& target, const Order& order);
    // Idempotent: what is revoked already is AlreadySo.
    Result<Done> revoke(const Target& target, const Order& order);

    Result<Done> add_workspace(const domain::WorkspaceName& name, const Order& order);
    Result<Done> remove_workspace(const domain::WorkspaceName& name, const Order& order);
    Result<Done> add_environment(const EnvironmentRequest& request, const Order& order);
    Result<Done> remove_environment(const domain::EnvironmentName& name, const Order& order);
    // Always needs an owner.
    Result<Done> set_protection(const domain::EnvironmentName& name, domain::Protection protection, const Order& order);
    Result<Done> add_operator(const domain::OperatorName& name, std::uint32_t uid,
                              const std::vector<domain::Grant>& grants, const Order& order);
    Result<Done> remove_operator(const domain::OperatorName& name, const Order& order);
    // Gives an operator another uid; needs an owner where there are any. On a machine where the store was restored, and
    // where no operator has the caller's uid, the account that owns the store's folder may ask for its own uid: as the
    // operator that it is to become, so that their key does not approve it. Without an owner it has to give a reason.
    Result<Done> reassign_operator(const domain::OperatorName& name, std::uint32_t uid, const Order& order);
    Result<Done> grant(const domain::OperatorName& name, const domain::Grant& grant, const Order& order);
    Result<Done> withdraw(const domain::OperatorName& name, const domain::Grant& grant, const Order& order);
    // Needs an owner, but for the first key of an installation that has none. Errors of the two others: StateRefuses
    // when fewer than a quorum would be left.
    Result<Done> add_owner(const domain::Owner& owner, const Order& order);
    Result<Done> remove_owner(const std::string& fingerprint, const Order& order);
    Result<Done> set_policy(const PolicyRequest& request, const Order& order);

    // Adds a signature that one of the owners made over the approval's text, on whatever machine. Who brings it needs
    // workspace:view only: the signature speaks for itself. Errors: PermissionDenied when it does not count, with why.
    Result<Done> sign_approval(const domain::ApprovalId& id, const std::string& signature, const Order& order);
    Result<Done> deny_approval(const domain::ApprovalId& id, const Order& order);
    // For whoever asked.
    Result<Done> withdraw_approval(const domain::ApprovalId& id, const Order& order);

    // For what is done to the store itself: refused, and recorded as `event`, without workspace:manage everywhere.
    Result<void> require_manager(const std::string& event, const Order& order);
    // That verifiers go on with a log that does not continue `known`. Needs an owner, where there are any. Already so:
    // it does continue it. Errors: StateRefuses when the clock is behind what was known, or it is another
    // installation's.
    Result<Done> accept_log(const verify::KnownLog& known, const Order& order);
    // That a verifier is dead, whose word changes wait for: by an owner where there are any, when no time would prove
    // it. Its row is then the caller's to remove (Verifiers::remove), as it says of a fenced one.
    Result<Done> remove_verifier(const store::VerifierRow& row, const Order& order);
    // Records a backup that was made.
    Result<Done> record_backup(const std::string& path, const Order& order);
    // The entry of `error`, when it is of something that somebody wrote into the store; else nothing. For what is no
    // command of an operator's, which records it by itself.
    void note_tampering(const Error& error);

    // Whose token, and may it? Writes nothing. `tells_why`: whether the caller is an operator
    // who may see the reason. A log that does not continue the `known` one is answered from no more than at a server:
    // Corrupt.
    struct Answer {
        verify::Judgement verdict;
        bool tells_why = false;
    };
    Result<Answer> verify(std::string_view token, const domain::Demand& demand,
                          const std::optional<verify::KnownLog>& known = std::nullopt);
    // Remembers an accepted verification, and ends what a rotation kept until this use.
    Result<void> record_use(const verify::Judgement& verdict, const std::string& from);

    // Runs `view` on a snapshot, if the caller holds workspace:view in the workspace: the given one or, if none is
    // given, the only one that the caller can see. A refusal is recorded in the log. Errors: PermissionDenied,
    // NotFound, InvalidRequest when there is more than one; those of `view` and of the store.
    struct Sight {
        const store::Reader& reader;
        domain::Operator viewer;
        domain::Workspace workspace;
        Instant now;
    };
    Result<void> view_workspace(const std::optional<domain::WorkspaceName>& workspace,
                                const std::function<Result<void>(const Sight&)>& view);
    // Runs `view` on the workspace that holds the credential of `token`. If `workspace` is given, it has to be that
    // one. Errors: those of view_workspace; InvalidRequest if `token` is not a token; NotFound if this store does not
    // know it.
    Result<void> view_by_token(const std::optional<domain::WorkspaceName>& workspace, const Secret& token,
                               const std::function<Result<void>(const Sight&, const domain::Credential&)>& view);
    // Runs `view` on the whole installation, if the caller holds workspace:view in all workspaces.
    struct Overview {
        const store::Reader& reader;
        domain::Operator viewer;
        Instant now;
    };
    Result<void> view_installation(const std::function<Result<void>(const Overview&)>& view);

    // Runs `view` on rows that are not checked against their seals, to find out what is wrong with the store. The
    // caller needs what view_installation() asks for. If the rows that say so can't be believed, the root key is
    // enough, and the caller of a command has that.
    Result<void> view_unchecked(const std::function<Result<void>(const store::Reader&, Instant now)>& view);

    // Runs `view` on the whole installation, if the caller holds workspace:view in any workspace. `view` has to leave
    // out what the caller may not see: it asks holds().
    Result<void> view_permitted(const std::function<Result<void>(const Overview&)>& view);

 private:
    // What a planner may use; the transaction's snapshot.
    struct Context {
        const store::Reader& reader;
        domain::Operator requester;
        std::optional<domain::Workspace> workspace;
        Instant now;
        std::optional<domain::Credential> credential = {};  // of Intent::token
    };
    // What a change is, before it is known whether it can be.
    struct Intent {
        std::string action;  // as typed, for the plan: "revoke"
        std::string event;   // for a refusal: "identity.revoke"
        bool is_installation_wide = false;
        domain::Permission permission = domain::Permission::Manage;
        const Secret* token = nullptr;  // its credential says which workspace this is about
        // The operator that the caller is to become, when they are none and own the store's folder.
        std::optional<domain::OperatorName> becomes = {};
        bool is_for_viewers = false;  // viewer() may do it
    };
    // Which of an approval's signatures OpenSSH found genuine, over which text. It is asked before the store is
    // locked, and not again while it is.
    struct Proven {
        std::string text;
        std::vector<std::pair<std::string, std::string>> signatures;  // public key, signature
        bool is_complete = false;
    };
    using Planner = std::function<Result<void>(const Context&, Plan&)>;

    Result<Done> run(const Intent& intent, const Order& order, const Planner& planner);
    // All of it but for waiting until it is in force.
    Result<Done> plan_and_commit(const Intent& intent, const Order& order, const Planner& planner);
    // Fills `plan`; when refused, as far as it got.
    Result<void> make_plan(const store::Reader& reader, const Intent& intent, const Order& order,
                           const Planner& planner, Instant now, Proven& proven, Plan& plan) const;
    // Errors: ApprovalNeeded, PermissionDenied, NotFound; Corrupt when the stored approval is not what was signed.
    Result<void> pass_gate(const Context& context, const Order& order, Proven& proven, Plan& plan) const;
    Result<void> require_genuine(const domain::Approval& approval, const domain::Approvers& approvers,
                                 Proven& proven) const;
    // The open request for this plan, or a new one, whose event is added. Errors: StateRefuses.
    Result<domain::Approval> ask_owners(const store::Reader& reader, const Plan& plan, Instant now,
                                        std::vector<audit::Event>& events);
    Result<Done> decide_approval(const domain::ApprovalId& id, domain::ApprovalAction action, const Order& order);
    // The order, in the approval's workspace.
    Result<Order> placed(const domain::ApprovalId& id, const Order& order) const;
    Result<Done> run_and_deliver(const Intent& intent, const Order& order, const Planner& planner,
                                 std::vector<IssuedToken>& tokens, Delivery& delivery);
    Error withdraw(std::span<const IssuedToken> tokens, const std::string& plan, const std::string& what,
                   const Error& cause);
    Result<std::vector<audit::Draft>> refusal_drafts(const store::Reader& reader, const std::string& event,
                                                     const domain::Subject& subject, const Order& order,
                                                     const Error& error) const;
    void record_refusal(const std::string& event, const domain::Subject& subject, const Order& order,
                        const Error& error);
    Result<domain::Revision> commit(const std::function<Result<std::vector<audit::Event>>(const Context&)>& decide,
                                    const Order& order, const std::string& plan);
    std::vector<audit::Draft> drafts_of(const std::optional<domain::OperatorName>& name,
                                        const std::vector<audit::Event>& events, const Order& order,
                                        const std::string& plan, Instant now) const;
    // The caller, if they may view; or, where they are no operator and own the store's folder, as one who views all of
    // it: approvals, so that they can become an operator, and what is wrong with the store. Errors: PermissionDenied.
    Result<domain::Operator> viewer(const store::Reader& reader, bool is_installation_wide,
                                    const std::optional<domain::WorkspaceName>& workspace = {}) const;
    // The caller as `name`, when they are no operator and own the store's folder; else as authorise says.
    Result<domain::Operator> newcomer(const store::Reader& reader, const domain::OperatorName& name, Plan& plan) const;
    Result<domain::Operator> authorise(const store::Reader& reader, bool is_installation_wide,
                                       const std::optional<domain::WorkspaceName>& workspace,
                                       domain::Permission permission) const;
    const Secret& hashing_key() const;
    Result<domain::Workspace> choose_workspace(const store::Reader& reader, const domain::Operator& who,
                                               const std::optional<domain::WorkspaceName>& name) const;
    // Finds the credential whose token this is. The hash of the whole token is compared, so an id alone finds nothing.
    // It does not count as a use. Errors: InvalidRequest when it is not a token; NotFound.
    Result<domain::Credential> find_by_token(const store::Reader& reader, std::string_view token) const;
    // Returns the workspace of the token's credential. Errors: PermissionDenied if `who` does not hold `permission`
    // there; NotFound if it is not the workspace `given`. Neither error names a workspace that `who` may not view.
    Result<domain::Workspace> workspace_of_token(const store::Reader& reader, const domain::Operator& who,
                                                 const domain::Credential& credential,
                                                 const std::optional<domain::WorkspaceName>& given,
                                                 domain::Permission permission) const;
    Result<IssuedToken> make_credential(const Context& context, const domain::Identity& identity,
                                        const domain::Environment& environment, domain::ScopeSet scopes,
                                        std::optional<Instant> expires_at, std::optional<domain::Succession> succession,
                                        Plan& plan);
    // Errors: ApprovalNeeded.
    Result<void> require_passed_gate(const Context& context, const IssuedToken& token) const;
    Result<std::vector<audit::Event>> activation_events(const Context& context,
                                                        const domain::CredentialRef& credential) const;

    store::Store& store_;
    const Clock& clock_;
    Random& random_;
    const Secret& root_key_;
    const OwnerSignatures& signatures_;
    mutable Secret token_key_;  // made when it is first needed
    audit::Process caller_;
    std::string request_id_;
};

// The kernel shows this uid for every account that has no uid in the caller's user namespace. Several accounts can have
// it, so it is never an operator's.
inline constexpr std::uint32_t overflow_uid = 65534;
inline Error no_account() {
    return Error(Code::PermissionDenied, "uid 65534 is what the kernel shows for any account that it has no uid for",
                 "run marque as an account of this machine");
}

// Whether `who` holds `permission` in the workspace, or with none: in all and the installation.
bool holds(const domain::Operator& who, const std::optional<domain::WorkspaceName>& workspace,
           domain::Permission permission);

// The approval, if `viewer` may see what it is about. Errors: NotFound.
Result<domain::Approval> find_approval(const store::Reader& reader, const domain::Operator& viewer,
                                       const domain::ApprovalId& id);

// Errors: Unavailable, Corrupt.
Result<domain::Approvers> approvers_of(const store::Reader& reader);

// What init would do in an empty store. Errors: Unavailable (no random bytes).
Result<Plan> plan_init(const InitRequest& request, std::uint32_t uid, Random& random, Instant now);

// What is done to the store as a whole, whose own transaction it is made in: its entry, for whoever may manage the
// whole installation. Errors: PermissionDenied.
Result<std::vector<audit::Draft>> permit_store_event(const store::Reader& reader, const audit::Process& caller,
                                                     const Secret& root_key, Instant now, const audit::Event& event,
                                                     const std::string& reason);

// Checks that the caller's uid is one that the operators' uids can be compared with. A user namespace shows any account
// under any uid: a caller in one is believed only if `init` ran in one with the same map. Errors: PermissionDenied.
Result<void> require_true_uid(const store::Reader& reader, const audit::Process& caller, const Secret& root_key);

// The operator that `caller` is, if they hold the permission. Errors: PermissionDenied.
Result<domain::Operator> authorise(const store::Reader& reader, const audit::Process& caller, const Secret& root_key,
                                   bool is_installation_wide, const std::optional<domain::WorkspaceName>& workspace,
                                   domain::Permission permission);

}  // namespace marque::authority
