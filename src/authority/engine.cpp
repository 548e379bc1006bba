// The one path of every change: authorise, plan, gate, confirm and commit. Looking is in viewing.cpp.
#include <fmt/format.h>

#include <algorithm>

#include "audit/merkle.h"
#include "audit/seal.h"
#include "authority/authority.h"
#include "authority/keys.h"
#include "authority/resolve.h"
#include "base/text.h"

namespace marque::authority {

using namespace domain;

namespace {

std::string make_request_id(Random& random) {
    std::array<std::uint8_t, 8> bytes{};
    return random.fill(bytes) ? to_hex(bytes) : std::string();
}

std::string uid_text(const audit::Process& caller) {
    return fmt::format("uid {}", caller.uid);
}

// What a refusal's entry is worth keeping for. Typing errors and absent names are not refusals.
bool is_refusal(const Error& error) {
    return error.code == Code::PermissionDenied || error.code == Code::StateRefuses ||
           error.code == Code::ApprovalNeeded || !error.tampered.empty();
}

// What `found` is, if it can be told: a row that somebody wrote to says nothing.
template <class T>
Result<std::optional<T>> unless_tampered(Result<std::optional<T>> found) {
    if (!found && !found.error().tampered.empty()) return std::optional<T>();
    return found;
}

Progress progress_of(const Plan& plan, Progress otherwise) {
    return plan.awaits_approval ? Progress::AwaitsApproval : plan.events.empty() ? Progress::AlreadySo : otherwise;
}

// Whether verdicts rest on what it is about.
bool concerns_verdicts(const Plan& plan) {
    const auto concerns = [](const Subject& subject) {
        return std::holds_alternative<WorkspaceRef>(subject) || std::holds_alternative<EnvironmentRef>(subject) ||
               std::holds_alternative<IdentityRef>(subject) || std::holds_alternative<CredentialRef>(subject);
    };
    if (plan.events.empty()) return concerns(plan.about);
    return std::ranges::any_of(plan.events,
                               [&](const audit::Event& event) { return concerns(audit::subject_of(event)); });
}

Error needs_approval(const Plan& plan) {
    return Error(Code::ApprovalNeeded, *plan.gate + ": it needs an owner's approval");
}

}  // namespace

bool holds(const Operator& who, const std::optional<WorkspaceName>& workspace, Permission permission) {
    return std::ranges::any_of(who.grants, [&](const Grant& grant) {
        return (!grant.workspace || (workspace && *grant.workspace == *workspace)) &&
               (grant.permission == permission || grant.permission == Permission::Manage);
    });
}

Authority::Authority(store::Store& store, const Clock& clock, Random& random, const Secret& root_key,
                     const OwnerSignatures& signatures, audit::Process caller)
    : store_(store),
      clock_(clock),
      random_(random),
      root_key_(root_key),
      signatures_(signatures),
      caller_(std::move(caller)),
      request_id_(make_request_id(random)) {}

std::vector<audit::Draft> Authority::drafts_of(const std::optional<OperatorName>& name,
                                               const std::vector<audit::Event>& events, const Order& order,
                                               const std::string& plan, Instant now) const {
    std::vector<audit::Draft> drafts;
    drafts.reserve(events.size());
    for (const audit::Event& event : events)
        drafts.push_back({event, audit::OperatorActor{name, caller_}, now, audit::Mode::Setup, order.reason, plan,
                          request_id_, order.approval});
    return drafts;
}

// The first entry is that of `init`.
Result<void> require_true_uid(const store::Reader& reader, const audit::Process& caller, const Secret& root_key) {
    if (caller.uid == overflow_uid) return no_account();
    if (caller.uid_map.empty()) return {};
    const auto first = TRY(reader.entries(0, 1));
    if (!first.empty() && first.front().seq == 1 &&
        crypto::equal(first.front().seal, audit::seal_of_entry(log_seal_key(root_key), 1,
                                                               audit::leaf_hash(bytes_of(first.front().bytes))))) {
        const audit::Entry init = TRY(audit::decode(first.front().bytes));
        const auto* actor = init.body.if_contains("actor");
        const auto* map =
            actor == nullptr || !actor->is_object() ? nullptr : actor->get_object().if_contains("uid_map");
        if (map != nullptr && map->is_string() && map->get_string() == caller.uid_map) return {};
    }
    return Error(Code::PermissionDenied,
                 fmt::format("{} is that of a user namespace, which can show any account under it", uid_text(caller)),
                 "run marque outside of it; in a container, with the map of uids that marque init ran with");
}

Result<Operator> authorise(const store::Reader& reader, const audit::Process& caller, const Secret& root_key,
                           bool is_installation_wide, const std::optional<WorkspaceName>& workspace,
                           Permission permission) {
    TRY(require_true_uid(reader, caller, root_key));
    const auto who = TRY(reader.operator_with_uid(caller.uid));
    if (!who)
        return Error(Code::PermissionDenied, uid_text(caller) + " is no operator of this installation",
                     caller.owns_store ? fmt::format("this account owns the store: to make it the account of an "
                                                     "operator, marque operator reassign NAME --user {}",
                                                     caller.uid)
                                       : "an operator can add you with marque operator add");
    const bool may = is_installation_wide ? holds(*who, std::nullopt, permission)
                     : workspace          ? holds(*who, workspace, permission)
                                          : !who->grants.empty();
    if (may) return *who;
    const std::string where = is_installation_wide ? "the whole installation"
                              : workspace          ? "workspace " + workspace->text()
                                                   : "any workspace";
    return Error(Code::PermissionDenied,
                 fmt::format("operator {} does not hold {} in {}", who->name.text(), name_of(permission), where));
}

Result<Operator> Authority::authorise(const store::Reader& reader, bool is_installation_wide,
                                      const std::optional<WorkspaceName>& workspace, Permission permission) const {
    return authority::authorise(reader, caller_, root_key_, is_installation_wide, workspace, permission);
}

Result<Operator> Authority::viewer(const store::Reader& reader, bool is_installation_wide,
                                   const std::optional<WorkspaceName>& workspace) const {
    auto who = authorise(reader, is_installation_wide, workspace, Permission::View);
    if (who || who.error().code != Code::PermissionDenied || !caller_.owns_store) return who;
    TRY(require_true_uid(reader, caller_, root_key_));
    if (TRY(reader.operator_with_uid(caller_.uid))) return who;
    const auto name = TRY(OperatorName::parse(fmt::format("uid-{}", caller_.uid)));
    return Operator{name, caller_.uid, false, {{std::nullopt, Permission::View}}, {}};
}

// Returns the operator that the caller wants to become, if no operator has the caller's uid and the caller owns the
// store's folder; otherwise an operator who manages the installation. Needs complete lists: a missing operator would
// look free.
Result<Operator> Authority::newcomer(const store::Reader& reader, const OperatorName& name, Plan& plan) const {
    TRY(require_true_uid(reader, caller_, root_key_));
    TRY(reader.require_complete());
    if (!caller_.owns_store || TRY(reader.operator_with_uid(caller_.uid)))
        return authorise(reader, true, std::nullopt, Permission::Manage);
    auto becoming = TRY(reader.operator_named(name));
    if (!becoming || becoming->is_removed)
        return Error(Code::NotFound, "there is no operator " + name.text() + " to become", "see marque operator list");
    plan.unknown_uid = caller_.uid;
    becoming->grants = {{std::nullopt, Permission::Manage}};
    return std::move(*becoming);
}

Result<Workspace> Authority::choose_workspace(const store::Reader& reader, const Operator& who,
                                              const std::optional<WorkspaceName>& name) const {
    if (name) {
        const auto workspace = TRY(reader.workspace(*name));
        if (workspace) return *workspace;
        std::vector<std::string> names;
        for (const Workspace& other : TRY(reader.workspaces(store::Listing::AsFound)))
            if (holds(who, other.name, Permission::View)) names.push_back(other.name.text());
        return Error(Code::NotFound, "there is no workspace " + name->text(),
                     did_you_mean(name->text(), names, "see marque workspace list"));
    }
    std::vector<Workspace> visible;
    for (const Workspace& workspace : TRY(reader.workspaces(store::Listing::AsFound)))
        if (workspace.condition.stored != Standing::Revoked && holds(who, workspace.name, Permission::View))
            visible.push_back(workspace);
    if (visible.size() == 1) return visible.front();
    if (visible.empty()) return Error(Code::NotFound, "there is no workspace that you may see");
    std::string names;
    for (const Workspace& workspace : visible) names += (names.empty() ? "" : ", ") + workspace.name.text();
    return Error(Code::InvalidRequest, "there is more than one workspace: " + names,
                 "say which with --workspace or MARQUE_WORKSPACE");
}

Result<Workspace> Authority::workspace_of_token(const store::Reader& reader, const Operator& who,
                                                const Credential& credential, const std::optional<WorkspaceName>& given,
                                                Permission permission) const {
    const WorkspaceName& place = credential.workspace;
    const bool may_view = holds(who, place, Permission::View);
    if (given && *given != place)
        return Error(
            Code::NotFound,
            may_view ? fmt::format("the token's credential is in workspace {}, not in {}", place.text(), given->text())
                     : "the token's credential is not in workspace " + given->text(),
            "leave out --workspace and MARQUE_WORKSPACE: the token says which one it is");
    if (!holds(who, place, permission))
        return Error(Code::PermissionDenied,
                     fmt::format("operator {} does not hold {} in {}", who.name.text(), name_of(permission),
                                 may_view ? "workspace " + place.text() : "the workspace of the token's credential"),
                     "an operator who manages the whole installation can do it");
    auto workspace = TRY(reader.workspace(place));
    if (!workspace)
        return Error(Code::Corrupt, "the workspace of credential " + credential.id.string() + " is gone",
                     "run marque doctor");
    return std::move(*workspace);
}

Result<void> Authority::make_plan(const store::Reader& reader, const Intent& intent, const Order& order,
                                  const Planner& planner, Instant now, Proven& proven, Plan& plan) const {
    plan = Plan{};
    plan.action = intent.action;
    if (order.workspace) plan.about = WorkspaceRef{*order.workspace};
    if (!order.reason.empty()) plan.request["reason"] = order.reason;
    const auto installation = TRY(reader.installation());
    if (!installation) return Error(Code::Unavailable, "the store is empty", "run marque init");
    plan.installation = installation->id;
    const auto requester = [&] {
        if (intent.becomes) return newcomer(reader, *intent.becomes, plan);
        if (intent.is_for_viewers) return viewer(reader, intent.is_installation_wide, order.workspace);
        return authorise(reader, intent.is_installation_wide, order.workspace, intent.permission);
    };
    const Operator who = TRY(requester());
    Context context{reader, who, std::nullopt, now};
    plan.requester = context.requester.name.text();
    if (!intent.is_installation_wide) {
        if (intent.token != nullptr) {
            context.credential = TRY(find_by_token(reader, intent.token->reveal_text()));
            plan.about = ref_of(*context.credential);  // of a refusal, too
            context.workspace =
                TRY(workspace_of_token(reader, who, *context.credential, order.workspace, intent.permission));
        } else {
            context.workspace = TRY(choose_workspace(reader, who, order.workspace));
        }
        plan.about = WorkspaceRef{context.workspace->name};
        plan.request["workspace"] = context.workspace->name.text();
        if (!intent.is_for_viewers || !holds(who, context.workspace->name, intent.permission))
            TRY(authorise(reader, false, context.workspace->name, intent.permission));
    }
    TRY(planner(context, plan));
    if (plan.gate) return pass_gate(context, order, proven, plan);
    if (order.approval && !plan.events.empty())
        return Error(Code::InvalidRequest, "this needs no approval", "leave out --approval");
    return {};
}

Result<Done> Authority::run(const Intent& intent, const Order& order, const Planner& planner) {
    Barrier barrier(store_, clock_);
    Done done = TRY(plan_and_commit(intent, order, planner));
    const bool is_in_the_store =
        order.confirmation.is_given() && (done.progress == Progress::Applied || done.progress == Progress::AlreadySo);
    if (!is_in_the_store || !concerns_verdicts(done.plan)) return done;
    done.receipt = barrier.await(done.revision, order.awaiting);
    return done;
}

Result<Done> Authority::plan_and_commit(const Intent& intent, const Order& order, const Planner& planner) {
    Done done;
    Plan& plan = done.plan;
    Proven proven;
    const auto look_first = [&] {
        return store_.read([&](const store::Reader& reader) {
            return make_plan(reader, intent, order, planner, clock_.now(), proven, plan);
        });
    };
    if (!order.confirmation.is_given()) {
        const auto planned = look_first();
        std::optional<Error> refusal;
        if (!planned)
            refusal = planned.error();
        else if (plan.awaits_approval)
            refusal = needs_approval(plan);
        if (refusal && !order.confirmation.is_dry_run()) record_refusal(intent.event, plan.about, order, *refusal);
        if (!planned) return *refusal;
        done.progress = progress_of(plan, Progress::Shown);
        return done;
    }
    if (order.approval) {
        auto planned = look_first();
        if (!planned && !is_refusal(planned.error())) return std::move(planned).error();
        proven.is_complete = true;
    }
    std::optional<Error> refusal, unconfirmed;
    auto revision = store_.change([&](const store::Reader& reader) -> Result<std::vector<audit::Draft>> {
        refusal.reset();
        unconfirmed.reset();
        done.approval.reset();
        const auto refuse = [&](Error error) {
            refusal = std::move(error);
            return refusal_drafts(reader, intent.event, plan.about, order, *refusal);
        };
        const Instant now = clock_.now();
        if (auto planned = make_plan(reader, intent, order, planner, now, proven, plan); !planned)
            return refuse(std::move(planned).error());
        if (plan.events.empty()) return std::vector<audit::Draft>{};
        if (auto confirmed = order.confirmation.check(plan); !confirmed) {
            unconfirmed = std::move(confirmed).error();
            return std::vector<audit::Draft>{};
        }
        std::vector<audit::Event> events = plan.events;
        if (plan.awaits_approval) {
            events = {audit::Refused{intent.event, plan.about, needs_approval(plan)}};
            auto asked = ask_owners(reader, plan, now, events);
            if (!asked) return refuse(std::move(asked).error());
            done.approval = std::move(*asked);
            done.is_asked_anew = events.size() > 1;
        }
        // The account that owns the store brings a signature in without being an operator.
        const auto requester = TRY(reader.operator_named(TRY(OperatorName::parse(plan.requester))));
        return drafts_of(requester ? std::optional(requester->name) : std::nullopt, events, order, plan.digest(), now);
    });
    // The change was undone after its commit. The log has to tell an operator of it.
    if (!revision && !revision.error().tampered.empty())
        record_refusal(intent.event, plan.about, order, revision.error());
    if (!revision) return std::move(revision).error();
    if (refusal) return *refusal;
    if (unconfirmed) {  // the plan as it is now, to be confirmed again
        plan.notes.push_back(unconfirmed->message);
        return done;
    }
    done.revision = *revision;
    done.progress = progress_of(plan, Progress::Applied);
    return done;
}

// The entry of a refusal; none when there is nothing to refuse in (no installation) or the
// request was only mistyped.
Result<std::vector<audit::Draft>> Authority::refusal_drafts(const store::Reader& reader, const std::string& event,
                                                            const Subject& subject, const Order& order,
                                                            const Error& error) const {
    if (!is_refusal(error)) return std::vector<audit::Draft>{};
    if (error.tampered.empty() && !TRY(reader.installation())) return std::vector<audit::Draft>{};
    auto who = TRY(unless_tampered(reader.operator_with_uid(caller_.uid)));
    if (!require_true_uid(reader, caller_, root_key_)) who.reset();
    return drafts_of(who ? std::optional(who->name) : std::nullopt,
                     {audit::Refused{event, subject, Error(error.code, escaped(error.message))}}, order, "",
                     clock_.now());
}

void Authority::record_refusal(const std::string& event, const Subject& subject, const Order& order,
                               const Error& error) {
    if (!is_refusal(error)) return;
    // The refusal stands whether or not it can be written down.
    (void)store_.change(
        [&](const store::Reader& reader) { return refusal_drafts(reader, event, subject, order, error); });
}

void Authority::note_tampering(const Error& error) {
    if (!error.tampered.empty()) record_refusal("store.read", StoreRef{}, {}, error);
}

Result<Revision> Authority::commit(const std::function<Result<std::vector<audit::Event>>(const Context&)>& decide,
                                   const Order& order, const std::string& plan) {
    return store_.change([&](const store::Reader& reader) -> Result<std::vector<audit::Draft>> {
        const Instant now = clock_.now();
        const Operator who = TRY(authorise(reader, false, order.workspace, Permission::Manage));
        const Context context{reader, who, std::nullopt, now};
        return drafts_of(context.requester.name, TRY(decide(context)), order, plan, now);
    });
}

Result<void> Authority::require_manager(const std::string& event, const Order& order) {
    auto result = store_.read([&](const store::Reader& reader) -> Result<void> {
        TRY(authorise(reader, true, std::nullopt, Permission::Manage));
        return {};
    });
    if (!result && !order.confirmation.is_dry_run()) record_refusal(event, StoreRef{}, order, result.error());
    return result;
}

}  // namespace marque::authority
