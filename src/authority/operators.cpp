// The use cases about operators: who they are, and what they may do.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "authority/authority.h"
#include "authority/resolve.h"

namespace marque::authority {

using namespace domain;

namespace {

// Checks that `who` holds what they want to give or take away.
Result<void> require_holds(const Operator& who, const Grant& grant) {
    if (holds(who, grant.workspace, Permission::Manage)) return {};
    return Error(Code::PermissionDenied,
                 fmt::format("operator {} does not manage {}", who.name.text(),
                             grant.workspace ? "workspace " + grant.workspace->text() : "the whole installation"));
}

// Finds an operator. The hint names others only if `who` may view the whole installation.
Result<Operator> require_operator(const store::Reader& reader, const Operator& who, const OperatorName& name) {
    auto found = TRY(reader.operator_named(name));
    if (!found) {
        std::vector<std::string> names;
        if (holds(who, std::nullopt, Permission::View))
            for (const Operator& other : TRY(reader.operators())) names.push_back(other.name.text());
        return Error(Code::NotFound, "there is no operator " + name.text(),
                     did_you_mean(name.text(), names, "see marque operator list"));
    }
    if (found->is_removed)
        return Error(Code::StateRefuses, "operator " + name.text() + " was removed; names are not reused");
    return std::move(*found);
}

Error uid_is_taken(const Operator& who, const Operator& by) {
    const bool may_know = holds(who, std::nullopt, Permission::View);
    return Error(Code::StateRefuses,
                 fmt::format("uid {} is {}", by.uid, may_know ? "operator " + by.name.text() : "another operator's"));
}

// Checks that an operator who manages the installation is left.
Result<void> require_another_manager(const store::Reader& reader, const OperatorName& without) {
    for (const Operator& other : TRY(reader.operators()))
        if (!other.is_removed && other.name != without && holds(other, std::nullopt, Permission::Manage)) return {};
    return Error(Code::StateRefuses, "nobody would be left to manage the installation",
                 "first give another operator workspace:manage in all workspaces");
}

Result<void> require_workspace_of(const store::Reader& reader, const Grant& grant) {
    if (!grant.workspace || TRY(reader.workspace(*grant.workspace))) return {};
    return Error(Code::NotFound, "there is no workspace " + grant.workspace->text(), "see marque workspace list");
}

}  // namespace

Result<Done> Authority::add_operator(const OperatorName& name, std::uint32_t uid, const std::vector<Grant>& grants,
                                     const Order& order) {
    // Grants in one workspace can be given by its managers. All others, and an operator without grants, take a manager
    // of the installation.
    const bool is_wide = grants.empty() || std::ranges::any_of(grants, [](const Grant& g) { return !g.workspace; });
    Order placed = order;
    if (!is_wide) placed.workspace = grants.front().workspace;
    return run({"operator add", "operator.add", is_wide}, placed,
               [&](const Context& context, Plan& plan) -> Result<void> {
                   plan.about = OperatorRef{name};
                   for (const Grant& grant : grants) {
                       TRY(require_holds(context.requester, grant));
                       TRY(require_workspace_of(context.reader, grant));
                   }
                   if (const auto taken = TRY(context.reader.operator_named(name)))
                       return Error(Code::StateRefuses,
                                    fmt::format("there is an operator {} already{}", name.text(),
                                                taken->is_removed ? ", removed; names are not reused" : ""));
                   if (const auto taken = TRY(context.reader.operator_with_uid(uid)))
                       return uid_is_taken(context.requester, *taken);
                   Operator added{name, uid, false, grants, context.now};
                   std::ranges::sort(added.grants);
                   audit::JsonArray list;
                   for (const Grant& grant : added.grants) list.emplace_back(audit::to_json(grant));
                   plan.changes.push_back({plan.about, {}, {{"uid", uid}, {"grants", std::move(list)}}});
                   plan.events.emplace_back(audit::OperatorAdded{std::move(added)});
                   return {};
               });
}

Result<Done> Authority::remove_operator(const OperatorName& name, const Order& order) {
    return run({"operator remove", "operator.remove", true}, order,
               [&](const Context& context, Plan& plan) -> Result<void> {
                   plan.about = OperatorRef{name};
                   if (const auto found = TRY(context.reader.operator_named(name)); found && found->is_removed) {
                       plan.notes.push_back("operator " + name.text() + " was removed already");
                       return {};
                   }
                   const Operator removed = TRY(require_operator(context.reader, context.requester, name));
                   TRY(require_another_manager(context.reader, name));
                   plan.changes.push_back({plan.about, revision_json(removed.revision), {{"state", "removed"}}});
                   plan.events.emplace_back(audit::OperatorRemoved{name});
                   return {};
               });
}

Result<Done> Authority::reassign_operator(const OperatorName& name, std::uint32_t uid, const Order& order) {
    Intent intent{"operator reassign", audit::operator_reassignment, true};
    intent.becomes = name;
    return run(intent, order, [&](const Context& context, Plan& plan) -> Result<void> {
        plan.about = OperatorRef{name};
        const Operator before = TRY(require_operator(context.reader, context.requester, name));
        if (before.uid == uid) {
            plan.notes.push_back(fmt::format("operator {} has uid {} already", name.text(), uid));
            return {};
        }
        if (const auto taken = TRY(context.reader.operator_with_uid(uid)))
            return uid_is_taken(context.requester, *taken);
        const bool has_owners = !TRY(context.reader.owners()).empty();
        if (plan.unknown_uid && uid != *plan.unknown_uid)
            return Error(Code::PermissionDenied,
                         fmt::format("uid {} is no operator, and can ask for its own uid only", *plan.unknown_uid),
                         fmt::format("--user {}", *plan.unknown_uid));
        if (plan.unknown_uid && !has_owners && order.reason.find_first_not_of(' ') == std::string::npos)
            return Error(Code::InvalidRequest, "there is no owner who could approve it, so the log needs a reason",
                         "--reason TEXT");
        plan.changes.push_back({plan.about, {{"uid", before.uid}, {"revision", before.revision}}, {{"uid", uid}}});
        if (has_owners) plan.stop_at_gate("which account operator " + name.text() + " is, is for the owners to say");
        plan.events.emplace_back(audit::OperatorReassigned{name, before.uid, uid});
        return {};
    });
}

Result<Done> Authority::grant(const OperatorName& name, const Grant& grant, const Order& order) {
    Order placed = order;
    placed.workspace = grant.workspace;
    return run(
        {"operator grant", "operator.grant", !grant.workspace}, placed,
        [&](const Context& context, Plan& plan) -> Result<void> {
            plan.about = OperatorRef{name};
            TRY(context.reader.require_complete());
            TRY(require_workspace_of(context.reader, grant));
            const Operator holder = TRY(require_operator(context.reader, context.requester, name));
            if (std::ranges::count(holder.grants, grant) != 0) {
                plan.notes.push_back(
                    fmt::format("operator {} holds {} there already", name.text(), name_of(grant.permission)));
                return {};
            }
            plan.changes.push_back({plan.about, revision_json(holder.revision), {{"grant", audit::to_json(grant)}}});
            plan.events.emplace_back(audit::PermissionGranted{name, grant});
            return {};
        });
}

Result<Done> Authority::withdraw(const OperatorName& name, const Grant& grant, const Order& order) {
    Order placed = order;
    placed.workspace = grant.workspace;
    return run(
        {"operator withdraw", "operator.withdraw", !grant.workspace}, placed,
        [&](const Context& context, Plan& plan) -> Result<void> {
            plan.about = OperatorRef{name};
            TRY(context.reader.require_complete());
            const Operator holder = TRY(require_operator(context.reader, context.requester, name));
            if (std::ranges::count(holder.grants, grant) == 0) {
                plan.notes.push_back(
                    fmt::format("operator {} does not hold {} there", name.text(), name_of(grant.permission)));
                return {};
            }
            if (!grant.workspace && grant.permission == Permission::Manage)
                TRY(require_another_manager(context.reader, name));
            plan.changes.push_back({plan.about, revision_json(holder.revision), {{"withdraw", audit::to_json(grant)}}});
            plan.events.emplace_back(audit::PermissionWithdrawn{name, grant});
            return {};
        });
}

}  // namespace marque::authority
