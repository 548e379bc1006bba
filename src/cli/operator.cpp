// marque operator: who may manage what.
#include <fmt/format.h>

#include "base/decimal.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/reading.h"

namespace marque::cli {
namespace {

using namespace domain;

struct Options {
    ChangeOptions change;
    std::string name, user, permission = "workspace:manage";
    bool in_all = false;
};

Result<Grant> grant_of(Shell& shell, const Options& options) {
    const Permission permission = TRY(parse_permission(options.permission));
    Grant grant{std::nullopt, permission};
    if (options.in_all) return grant;
    grant.workspace = TRY(shell.workspace());
    if (grant.workspace) return grant;
    return Error(Code::InvalidRequest, "say where the permission holds", "--workspace NAME or --all-workspaces");
}

// A number is a uid; anything else a login name of this machine.
Result<std::uint32_t> uid_of(Shell& shell, const std::string& user) {
    const auto number = parse_decimal(user);
    if (!number) return shell.host().uid_of(user);
    if (*number >= 0xFFFFFFFF) return Error(Code::InvalidRequest, quote(user) + " is not a uid");
    return static_cast<std::uint32_t>(*number);
}

Result<int> run_add(Shell& shell, const Options& options) {
    const auto name = TRY(OperatorName::parse(options.name));
    const auto uid = TRY(uid_of(shell, options.user.empty() ? options.name : options.user));
    const auto grant = TRY(grant_of(shell, options));
    const auto order = TRY(shell.order(options.change));
    return shell.report(TRY(TRY(shell.authority())->add_operator(name, uid, {grant}, order)), options.change);
}

Result<int> run_remove(Shell& shell, const Options& options) {
    const auto name = TRY(OperatorName::parse(options.name));
    const auto order = TRY(shell.order(options.change));
    return shell.report(TRY(TRY(shell.authority())->remove_operator(name, order)), options.change);
}

Result<int> run_reassign(Shell& shell, const Options& options) {
    const auto name = TRY(OperatorName::parse(options.name));
    const auto uid = TRY(uid_of(shell, options.user.empty() ? options.name : options.user));
    const auto order = TRY(shell.order(options.change));
    return shell.report(TRY(TRY(shell.authority())->reassign_operator(name, uid, order)), options.change);
}

Result<int> run_grant(Shell& shell, const Options& options) {
    const auto name = TRY(OperatorName::parse(options.name));
    const auto grant = TRY(grant_of(shell, options));
    const auto order = TRY(shell.order(options.change));
    return shell.report(TRY(TRY(shell.authority())->grant(name, grant, order)), options.change);
}

Result<int> run_withdraw(Shell& shell, const Options& options) {
    const auto name = TRY(OperatorName::parse(options.name));
    const auto grant = TRY(grant_of(shell, options));
    const auto order = TRY(shell.order(options.change));
    return shell.report(TRY(TRY(shell.authority())->withdraw(name, grant, order)), options.change);
}

std::string grants_in_words(const Operator& operator_) {
    std::string text;
    for (const Grant& grant : operator_.grants)
        text += fmt::format("{}{} in {}", text.empty() ? "" : ", ", name_of(grant.permission),
                            grant.workspace ? grant.workspace->text() : "all workspaces");
    return text.empty() ? "nothing" : text;
}

audit::JsonObject operator_json(const Operator& operator_) {
    audit::JsonArray grants;
    for (const Grant& grant : operator_.grants) grants.emplace_back(audit::to_json(grant));
    return {{"operator", operator_.name.text()},
            {"uid", operator_.uid},
            {"state", operator_.is_removed ? "removed" : "active"},
            {"grants", std::move(grants)},
            {"created_at", to_rfc3339(operator_.created_at)}};
}

Result<std::vector<Operator>> read_list(const Authority::Overview& overview) {
    TRY(overview.reader.require_complete());
    return overview.reader.operators();
}

Result<int> run_list(Shell& shell, const Options&) {
    Table table({"OPERATOR", "UID", "STATE", "HOLDS"});
    audit::JsonArray list;
    for (const Operator& operator_ : TRY(read_installation(shell, read_list))) {
        list.emplace_back(operator_json(operator_));
        const bool has_account = !shell.host().login_name(operator_.uid).empty();
        table.add({operator_.name.text(), std::to_string(operator_.uid) + (has_account ? "" : " (no account here)"),
                   operator_.is_removed ? shell.paint().dim("removed") : shell.paint().state("active"),
                   grants_in_words(operator_)});
    }
    if (shell.is_json())
        shell.print_json({{"operators", std::move(list)}});
    else
        shell.print(table);
    return 0;
}

void add_permission_options(const Command& command, Options& options) {
    command.option("--permission", options.permission, "P", "workspace:view or workspace:manage");
    command.flag("--all-workspaces", options.in_all, "In all workspaces, and over the installation itself");
}

}  // namespace

void add_operator(const Command& root, Shell& shell, Exit& exit) {
    const Command group =
        root.add_command("operator", "Operators and what they may do: add, remove, reassign, grant, withdraw, list");
    group.needs_subcommand();
    const auto add = [&](const char* name, const char* help, auto body, bool has_permission) {
        auto options = std::make_shared<Options>();
        const Command command = group.add_command(name, help);
        command.option("name", options->name, "NAME", "The operator", Presence::Required);
        if (has_permission) add_permission_options(command, *options);
        if (std::string_view(name) == "add" || std::string_view(name) == "reassign")
            command.option("--user", options->user, "USER", "Login name or uid (default: the operator's name)");
        if (std::string_view(name) == "reassign") add_approval_option(command, options->change);
        add_change_options(command, options->change, Reason::Optional);
        on_run(command, shell, exit, options, body);
    };
    add("add", "Add an operator, whom the kernel knows by a uid", run_add, true);
    add("remove", "Remove an operator", run_remove, false);
    add("reassign", "Give an operator another uid: their account's on this machine", run_reassign, false);
    add("grant", "Give an operator a permission", run_grant, true);
    add("withdraw", "Take a permission from an operator", run_withdraw, true);
    auto options = std::make_shared<Options>();
    on_run(group.add_command("list", "List operators"), shell, exit, options, run_list);
}

}  // namespace marque::cli
