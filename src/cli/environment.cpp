// marque environment
#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/reading.h"

namespace marque::cli {
namespace {

using namespace domain;

struct Options {
    ChangeOptions change;
    std::string name, max_lifetime;
    bool is_protected = false;
};

Result<int> run_add(Shell& shell, const Options& options) {
    const auto name = TRY(EnvironmentName::parse(options.name));
    authority::EnvironmentRequest request{name, options.is_protected ? Protection::Protected : Protection::Open, {}};
    if (!options.max_lifetime.empty()) request.max_lifetime = TRY(parse_duration(options.max_lifetime));
    const auto order = TRY(shell.order(options.change));
    return shell.report(TRY(TRY(shell.authority())->add_environment(request, order)), options.change);
}

Result<int> run_remove(Shell& shell, const Options& options) {
    const auto name = TRY(EnvironmentName::parse(options.name));
    const auto order = TRY(shell.order(options.change));
    return shell.report(TRY(TRY(shell.authority())->remove_environment(name, order)), options.change);
}

template <Protection protection>
Result<int> run_protect(Shell& shell, const Options& options) {
    const auto name = TRY(EnvironmentName::parse(options.name));
    const auto order = TRY(shell.order(options.change));
    return shell.report(TRY(TRY(shell.authority())->set_protection(name, protection, order)), options.change);
}

audit::JsonObject environment_json(const Environment& environment, Instant now) {
    audit::JsonObject object{{"environment", environment.name.text()},
                             {"state", name_of(standing_at(environment.condition, now))},
                             {"protected", environment.protection == Protection::Protected},
                             {"created_at", to_rfc3339(environment.created_at)}};
    if (environment.max_lifetime) object["max_lifetime"] = to_text(*environment.max_lifetime);
    if (environment.condition.paused_until) object["paused_until"] = to_rfc3339(*environment.condition.paused_until);
    return object;
}

struct EnvironmentsView {
    WorkspaceName workspace;
    std::vector<Environment> environments;
    Instant now;
};

Result<EnvironmentsView> read_list(const Authority::Sight& sight) {
    auto environments = TRY(sight.reader.environments(sight.workspace.name, store::Listing::Complete));
    return EnvironmentsView{sight.workspace.name, std::move(environments), sight.now};
}

Result<int> run_list(Shell& shell, const Options&) {
    const EnvironmentsView view = TRY(read_workspace(shell, read_list));
    Table table({"ENVIRONMENT", "STATE", "PROTECTED", "LONGEST LIFE"});
    audit::JsonArray list;
    for (const Environment& environment : view.environments) {
        list.emplace_back(environment_json(environment, view.now));
        table.add({environment.name.text(), shell.paint().state(name_of(standing_at(environment.condition, view.now))),
                   environment.protection == Protection::Protected ? "yes" : "no",
                   environment.max_lifetime ? to_text(*environment.max_lifetime) : "-"});
    }
    if (shell.is_json())
        shell.print_json({{"workspace", view.workspace.text()}, {"environments", std::move(list)}});
    else
        shell.print(table);
    return 0;
}

}  // namespace

void add_environment(const Command& root, Shell& shell, Exit& exit) {
    const Command group = root.add_command(
        "environment",
        "Environments of a workspace: add, remove, protect, unprotect, list (pause: marque pause --env)");
    group.needs_subcommand();
    const auto add = [&](const char* name, const char* help, auto body) {
        auto options = std::make_shared<Options>();
        const Command command = group.add_command(name, help);
        command.option("name", options->name, "NAME", "The environment", Presence::Required);
        if (std::string_view(name) == "add") {
            command.flag("--protected", options->is_protected, "Nothing comes into being in it without an owner");
            command.option("--max-lifetime", options->max_lifetime, "TIME", "The longest a credential in it lives");
        }
        add_change_options(command, options->change, Reason::Optional);
        if (std::string_view(name).ends_with("protect")) add_approval_option(command, options->change);
        on_run(command, shell, exit, options, body);
    };
    add("add", "Add an environment", run_add);
    add("remove", "Remove an environment in which everybody is revoked; its name is not reused", run_remove);
    add("protect", "Protect an environment; needs an owner's approval", run_protect<Protection::Protected>);
    add("unprotect", "Open a protected environment; needs an owner's approval", run_protect<Protection::Open>);
    on_run(group.add_command("list", "List environments"), shell, exit, std::make_shared<Options>(), run_list);
}

}  // namespace marque::cli
