// The installation itself: init, workspaces, environments, owners, the store.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "authority/authority.h"
#include "authority/resolve.h"

namespace marque::authority {

using namespace domain;

namespace {

constexpr const char* only_owners_say = "who the owners are is for the owners to say";

Result<std::string> make_installation_id(Random& random) {
    std::array<std::uint8_t, 26> bytes{};
    TRY(random.fill(bytes));
    std::string id;
    for (const std::uint8_t byte : bytes) id += base32_alphabet[byte & 31];
    return id;
}

Environment environment_of(const WorkspaceName& workspace, const EnvironmentRequest& request, Instant now) {
    return {workspace, request.name, request.protection, request.max_lifetime, {}, now};
}

// What a new workspace starts with.
Result<std::vector<Environment>> first_environments(const WorkspaceName& workspace, Instant now) {
    std::vector<Environment> environments;
    for (const char* text : {"dev", "staging", "production"}) {
        const auto name = TRY(EnvironmentName::parse(text));
        EnvironmentRequest request{name};
        if (name.text() == "production") request = {name, Protection::Protected, default_lifetime};
        environments.push_back(environment_of(workspace, request, now));
    }
    return environments;
}

Result<void> plan_workspace(Plan& plan, const WorkspaceName& name, Instant now) {
    plan.changes.push_back({WorkspaceRef{name}, {}, {{"state", "active"}}});
    plan.events.emplace_back(audit::WorkspaceAdded{{name, {}, now}});
    for (Environment& environment : TRY(first_environments(name, now))) {
        plan.changes.push_back({EnvironmentRef{name, environment.name},
                                {},
                                {{"state", "active"}, {"protected", environment.protection == Protection::Protected}}});
        plan.events.emplace_back(audit::EnvironmentAdded{std::move(environment)});
    }
    return {};
}

// The gate never shuts for ever: a quorum can always come together.
Result<void> require_quorum(const Approvers& approvers) {
    const std::size_t have = holders(approvers), need = approvers.policy.quorum;
    if (have >= need) return {};
    return Error(Code::StateRefuses, fmt::format("approvals would need {} owners, and there would be {}", need, have),
                 "two keys of one operator are one owner");
}

audit::JsonObject policy_json(const ApprovalPolicy& policy) {
    audit::JsonObject object = audit::to_json(policy);
    if (policy.has_sole_owner) object["effect"] = "whoever asks may approve it too, if they hold an owner key";
    return object;
}

}  // namespace

Result<Plan> plan_init(const InitRequest& request, std::uint32_t uid, Random& random, Instant now) {
    if (uid == overflow_uid) return no_account();
    Plan plan;
    plan.action = "init";
    plan.requester = request.operator_name.text();
    // The installation's id is random, and so no part of what is shown and digested.
    plan.request = {{"workspace", request.workspace.text()}};
    const Grant everything{std::nullopt, Permission::Manage};
    const std::string id = TRY(make_installation_id(random));
    plan.events.emplace_back(audit::InstallationCreated{{id, now, {1, request.has_sole_owner}}});
    if (request.has_sole_owner) plan.changes.push_back({InstallationRef{}, {}, {{"sole_owner", true}}});
    plan.changes.push_back(
        {OperatorRef{request.operator_name}, {}, {{"uid", uid}, {"grant", audit::to_json(everything)}}});
    plan.events.emplace_back(audit::OperatorAdded{{request.operator_name, uid, false, {everything}, now}});
    for (const Owner& owner : request.owners) {
        plan.changes.push_back({OwnerRef{owner.fingerprint}, {}, audit::to_json(owner)});
        plan.events.emplace_back(audit::OwnerAdded{owner});
    }
    if (request.owners.empty())
        plan.notes.emplace_back("no owner key is given: the gate of protected environments stays shut");
    TRY(plan_workspace(plan, request.workspace, now));
    return plan;
}

Result<Done> Authority::init(const InitRequest& request, const Confirmation& confirmation) {
    Done done;
    const auto planner = [&](const store::Reader& reader) -> Result<void> {
        if (TRY(reader.installation()))
            return Error(Code::StateRefuses, "there is an installation in this store already");
        done.plan = TRY(plan_init(request, caller_.uid, random_, clock_.now()));
        return {};
    };
    if (!confirmation.is_given()) {
        TRY(store_.read(planner));
        return done;
    }
    done.revision = TRY(store_.change([&](const store::Reader& reader) -> Result<std::vector<audit::Draft>> {
        TRY(planner(reader));
        TRY(confirmation.check(done.plan));
        return drafts_of(request.operator_name, done.plan.events, {}, done.plan.digest(), clock_.now());
    }));
    done.progress = Progress::Applied;
    return done;
}

Result<Done> Authority::add_workspace(const WorkspaceName& name, const Order& order) {
    return run(
        {"workspace add", "workspace.add", true}, order, [&](const Context& context, Plan& plan) -> Result<void> {
            plan.about = WorkspaceRef{name};
            if (const auto taken = TRY(context.reader.workspace(name)))
                return Error(
                    Code::StateRefuses,
                    fmt::format("there is a workspace {} already{}", name.text(),
                                taken->condition.stored == Standing::Revoked ? ", removed; names are not reused" : ""));
            return plan_workspace(plan, name, context.now);
        });
}

Result<Done> Authority::remove_workspace(const WorkspaceName& name, const Order& order) {
    return run({"workspace remove", "workspace.revoke", true}, order,
               [&](const Context& context, Plan& plan) -> Result<void> {
                   plan.about = WorkspaceRef{name};
                   const Workspace workspace = TRY(choose_workspace(context.reader, context.requester, name));
                   const Standing state = standing_at(workspace.condition, context.now);
                   if (state == Standing::Revoked) return {};
                   TRY(for_each_identity(
                       context.reader, name, store::Listing::Complete, [&](const Identity& identity) -> Result<bool> {
                           if (identity.condition.stored == Standing::Revoked) return true;
                           return Error(Code::StateRefuses,
                                        fmt::format("workspace {} has identities that are not revoked, such as {}",
                                                    name.text(), identity.name.text()),
                                        "revoke them first: marque revoke --filter …");
                       }));
                   audit::JsonObject before{{"state", name_of(state)}, {"revision", workspace.revision}};
                   plan.changes.push_back({WorkspaceRef{name}, std::move(before), {{"state", "revoked"}}});
                   plan.events.emplace_back(audit::Revoked{WorkspaceRef{name}, name_of(state)});
                   return {};
               });
}

Result<Done> Authority::add_environment(const EnvironmentRequest& request, const Order& order) {
    return run({"environment add", "environment.add"}, order, [&](const Context& context, Plan& plan) -> Result<void> {
        const WorkspaceName& workspace = context.workspace->name;
        plan.about = EnvironmentRef{workspace, request.name};
        if (TRY(context.reader.environment(workspace, request.name)))
            return Error(Code::StateRefuses, "there is an environment " + request.name.text() + " already");
        if (context.workspace->condition.stored == Standing::Revoked)
            return Error(Code::StateRefuses, "workspace " + workspace.text() + " is removed");
        audit::JsonObject after{{"state", "active"}, {"protected", request.protection == Protection::Protected}};
        if (request.max_lifetime) after["max_lifetime"] = to_text(*request.max_lifetime);
        plan.changes.push_back({plan.about, {}, std::move(after)});
        plan.events.emplace_back(audit::EnvironmentAdded{environment_of(workspace, request, context.now)});
        return {};
    });
}

Result<Done> Authority::remove_environment(const EnvironmentName& name, const Order& order) {
    return run(
        {"environment remove", "environment.revoke"}, order, [&](const Context& context, Plan& plan) -> Result<void> {
            const WorkspaceName& workspace = context.workspace->name;
            plan.about = EnvironmentRef{workspace, name};
            const Environment environment = TRY(require_environment(context.reader, workspace, name));
            const Standing state = standing_at(environment.condition, context.now);
            if (state == Standing::Revoked) return {};
            TRY(for_each_identity(
                context.reader, workspace, store::Listing::Complete, [&](const Identity& identity) -> Result<bool> {
                    if (identity.environment != name || identity.condition.stored == Standing::Revoked) return true;
                    return Error(Code::StateRefuses,
                                 fmt::format("environment {} has identities that are not revoked, such as {}",
                                             name.text(), identity.name.text()),
                                 "revoke them first: marque revoke --filter env=" + name.text());
                }));
            audit::JsonObject before{{"state", name_of(state)}, {"revision", environment.revision}};
            plan.changes.push_back({plan.about, std::move(before), {{"state", "revoked"}}});
            plan.events.emplace_back(audit::Revoked{plan.about, name_of(state)});
            return {};
        });
}

Result<Done> Authority::set_protection(const EnvironmentName& name, Protection protection, const Order& order) {
    const std::string verb = protection == Protection::Protected ? "protect" : "unprotect";
    return run(
        {"environment " + verb, "environment." + verb}, order, [&](const Context& context, Plan& plan) -> Result<void> {
            const WorkspaceName& workspace = context.workspace->name;
            plan.about = EnvironmentRef{workspace, name};
            const Environment environment = TRY(require_environment(context.reader, workspace, name));
            if (environment.protection == protection) {
                plan.notes.push_back(fmt::format("environment {} is {} already", name.text(), name_of(protection)));
                return {};
            }
            audit::JsonObject before{{"protected", environment.protection == Protection::Protected},
                                     {"revision", environment.revision}};
            const char* effect = protection == Protection::Protected
                                     ? "from now on nothing comes into being there without an owner"
                                     : "from now on anything comes into being there without an owner";
            plan.changes.push_back({plan.about,
                                    std::move(before),
                                    {{"protected", protection == Protection::Protected}, {"effect", effect}}});
            plan.gate = "whether environment " + name.text() + " is protected is for its owners to say";
            plan.events.emplace_back(audit::ProtectionChanged{{workspace, name}, protection});
            return {};
        });
}

Result<Done> Authority::add_owner(const Owner& owner, const Order& order) {
    return run({"owner add", "owner.add", true}, order, [&](const Context& context, Plan& plan) -> Result<void> {
        plan.about = OwnerRef{owner.fingerprint};
        const auto owners = TRY(context.reader.owners());
        if (std::ranges::find(owners, owner.fingerprint, &Owner::fingerprint) != owners.end()) {
            plan.notes.push_back(describe(plan.about) + " is registered already");
            return {};
        }
        // With what the owners decided last in it: an approval from before that is none.
        const Revision revision = TRY(context.reader.installation())->owners_revision;
        plan.changes.push_back({plan.about, revision_json(revision), audit::to_json(owner)});
        if (owner.operator_name && !TRY(context.reader.operator_named(*owner.operator_name)))
            plan.notes.push_back("there is no operator " + owner.operator_name->text() + " yet");
        if (owners.empty())
            plan.notes.emplace_back("it is the first owner key: from now on the owners say who the owners are");
        else
            plan.gate = only_owners_say;
        plan.events.emplace_back(audit::OwnerAdded{owner});
        return {};
    });
}

Result<Done> Authority::remove_owner(const std::string& fingerprint, const Order& order) {
    return run({"owner remove", "owner.remove", true}, order, [&](const Context& context, Plan& plan) -> Result<void> {
        Approvers approvers = TRY(approvers_of(context.reader));
        const auto found = std::ranges::find(approvers.owners, fingerprint, &Owner::fingerprint);
        if (found == approvers.owners.end())
            return Error(Code::NotFound, "there is no such owner key", "see marque owner list");
        const Owner removed = *found;
        plan.about = OwnerRef{fingerprint};
        audit::JsonObject before = audit::to_json(removed);
        before["revision"] = TRY(context.reader.installation())->owners_revision;
        plan.changes.push_back({plan.about, std::move(before), {{"state", "removed"}}});
        approvers.owners.erase(found);
        TRY(require_quorum(approvers));
        plan.gate = only_owners_say;
        plan.events.emplace_back(audit::OwnerRemoved{removed});
        return {};
    });
}

Result<Done> Authority::set_policy(const PolicyRequest& request, const Order& order) {
    return run({"owner policy", "owner.policy", true}, order, [&](const Context& context, Plan& plan) -> Result<void> {
        const ApprovalPolicy before = TRY(context.reader.installation())->policy;
        const ApprovalPolicy after{request.quorum.value_or(before.quorum),
                                   request.has_sole_owner.value_or(before.has_sole_owner)};
        if (after == before) {
            plan.notes.emplace_back("it is the policy already");
            return {};
        }
        Approvers approvers = TRY(approvers_of(context.reader));
        approvers.policy = after;
        TRY(require_quorum(approvers));
        audit::JsonObject was = policy_json(before);
        was["revision"] = TRY(context.reader.installation())->owners_revision;
        plan.changes.push_back({InstallationRef{}, std::move(was), policy_json(after)});
        plan.gate = "what it takes to approve is for the owners to say";
        plan.events.emplace_back(audit::ApprovalPolicyChanged{before, after});
        return {};
    });
}

Result<Done> Authority::accept_log(const verify::KnownLog& known, const Order& order) {
    return run({"store accept", audit::log_acceptance, true}, order,
               [&](const Context& context, Plan& plan) -> Result<void> {
                   plan.about = StoreRef{};
                   const auto continues = verify::require_continues(context.reader, known);
                   if (continues) {
                       plan.notes.emplace_back("the log continues what this machine knew of it");
                       return {};
                   }
                   if (continues.error().code != Code::Corrupt) return continues.error();
                   if (plan.installation != known.installation)
                       return Error(Code::StateRefuses, continues.error().message);
                   if (context.now <= known.at)
                       return Error(Code::StateRefuses,
                                    "the clock is behind the last entry that was known, of " + to_calendar(known.at));
                   plan.changes.push_back({StoreRef{},
                                           {{"known_entries", known.size},
                                            {"known_entry", to_hex(known.leaf)},
                                            {"known_until", to_rfc3339(known.at)}},
                                           {{"effect",
                                             "verifiers go on with a log that lacks some of these: what they "
                                             "revoked or paused works again"}}});
                   if (!TRY(context.reader.owners()).empty())
                       plan.stop_at_gate("whether to go on with a log that lost entries is for the owners to say");
                   plan.events.emplace_back(audit::LogAccepted{known.size, to_hex(known.leaf)});
                   return {};
               });
}

Result<Done> Authority::remove_verifier(const store::VerifierRow& row, const Order& order) {
    return run({"verifiers --remove", audit::verifier_removal, true}, order,
               [&](const Context& context, Plan& plan) -> Result<void> {
                   plan.about = StoreRef{};
                   const bool is_proven_by_time = row.terms.mode == store::Freshness::Lease;
                   plan.changes.push_back(
                       {StoreRef{},
                        {{"verifier", row.terms.name}, {"id", row.id}, {"mode", name_of(row.terms.mode)}},
                        {{"effect", is_proven_by_time ? "nobody waits for it once its lease has ended"
                                                      : "nobody waits for it; should it still run, it may accept "
                                                        "what is revoked from now on, until its lease ends"}}});
                   if (!is_proven_by_time && !TRY(context.reader.owners()).empty())
                       plan.stop_at_gate("whether a verifier is dead whose word alone counts is for the owners to say");
                   plan.events.emplace_back(audit::VerifierRemoved{row.id, row.terms.name, name_of(row.terms.mode)});
                   return {};
               });
}

Result<Done> Authority::record_backup(const std::string& path, const Order& order) {
    return run({"store backup", "store.backup", true}, order, [&](const Context&, Plan& plan) -> Result<void> {
        plan.about = StoreRef{};
        plan.request["path"] = path;
        plan.changes.push_back({StoreRef{}, {}, {{"backup", path}}});
        plan.events.emplace_back(audit::StoreBackedUp{path});
        return {};
    });
}

Result<std::vector<audit::Draft>> permit_store_event(const store::Reader& reader, const audit::Process& caller,
                                                     const Secret& root_key, Instant now, const audit::Event& event,
                                                     const std::string& reason) {
    const Operator who = TRY(authorise(reader, caller, root_key, true, std::nullopt, Permission::Manage));
    return std::vector<audit::Draft>{
        {event, audit::OperatorActor{who.name, caller}, now, audit::Mode::Setup, reason, "", ""}};
}

}  // namespace marque::authority
