// marque workspace
#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/reading.h"

namespace marque::cli {
namespace {

using namespace domain;

struct Options {
    ChangeOptions change;
    std::string name, duration;
};

Result<authority::Order> order_at(Shell& shell, const Options& options, const WorkspaceName& name) {
    auto order = TRY(shell.order(options.change));
    order.workspace = name;
    return order;
}

Result<int> run_add(Shell& shell, const Options& options) {
    const auto name = TRY(WorkspaceName::parse(options.name));
    const auto order = TRY(shell.order(options.change));
    return shell.report(TRY(TRY(shell.authority())->add_workspace(name, order)), options.change);
}

Result<int> run_remove(Shell& shell, const Options& options) {
    const auto name = TRY(WorkspaceName::parse(options.name));
    const auto order = TRY(shell.order(options.change));
    return shell.report(TRY(TRY(shell.authority())->remove_workspace(name, order)), options.change);
}

Result<int> run_pause(Shell& shell, const Options& options) {
    const auto name = TRY(WorkspaceName::parse(options.name));
    std::optional<Ending> until;
    if (!options.duration.empty()) until = Ending::after(TRY(parse_duration(options.duration)));
    const auto order = TRY(order_at(shell, options, name));
    return shell.report(TRY(TRY(shell.authority())->pause(name, until, order)), options.change);
}

Result<int> run_resume(Shell& shell, const Options& options) {
    const auto name = TRY(WorkspaceName::parse(options.name));
    const auto order = TRY(order_at(shell, options, name));
    return shell.report(TRY(TRY(shell.authority())->resume(name, order)), options.change);
}

struct WorkspacesView {
    std::vector<Workspace> workspaces;
    Instant now;
};

Result<WorkspacesView> read_list(const Authority::Overview& overview) {
    auto workspaces = TRY(overview.reader.workspaces(store::Listing::Complete));
    return WorkspacesView{std::move(workspaces), overview.now};
}

Result<int> run_list(Shell& shell, const Options&) {
    const WorkspacesView view = TRY(read_installation(shell, read_list));
    Table table({"WORKSPACE", "STATE", "CREATED"});
    audit::JsonArray list;
    for (const Workspace& workspace : view.workspaces) {
        const char* state = name_of(standing_at(workspace.condition, view.now));
        list.emplace_back(audit::JsonObject{
            {"workspace", workspace.name.text()}, {"state", state}, {"created_at", to_rfc3339(workspace.created_at)}});
        table.add({workspace.name.text(), shell.paint().state(state), when(workspace.created_at, view.now)});
    }
    if (shell.is_json())
        shell.print_json({{"workspaces", std::move(list)}});
    else
        shell.print(table);
    return 0;
}

}  // namespace

void add_workspace(const Command& root, Shell& shell, Exit& exit) {
    const Command group = root.add_command("workspace", "Workspaces: add, remove, pause, resume, list");
    group.needs_subcommand();
    const auto add = [&](const char* name, const char* help, auto body, Reason reason) {
        auto options = std::make_shared<Options>();
        const Command command = group.add_command(name, help);
        command.option("name", options->name, "NAME", "The workspace", Presence::Required);
        if (std::string_view(name) == "pause")
            command.option("--for", options->duration, "TIME", "Resume by itself after this time");
        add_change_options(command, options->change, reason);
        if (std::string_view(name) == "resume") add_approval_option(command, options->change);
        on_run(command, shell, exit, options, body);
    };
    add("add", "Add a workspace, with environments dev, staging and production (protected)", run_add, Reason::Optional);
    add("remove", "Remove a workspace in which everybody is revoked; its name is not reused", run_remove,
        Reason::Optional);
    add("pause", "Stop everything in a workspace at once", run_pause, Reason::Required);
    add("resume", "End a workspace's pause", run_resume, Reason::Optional);
    on_run(group.add_command("list", "List workspaces"), shell, exit, std::make_shared<Options>(), run_list);
}

}  // namespace marque::cli
