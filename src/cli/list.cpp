// marque list
#include <fmt/format.h>

#include <algorithm>

#include "authority/resolve.h"
#include "cli/commands.h"
#include "cli/identity_view.h"

namespace marque::cli {
namespace {

using namespace domain;

struct Options {
    std::string state, expiring, unused, environment, kind;
    std::vector<std::string> labels;
    bool names_only = false;
};

Result<authority::Filter> filter_of(const Options& options) {
    authority::Filter filter;
    if (!options.state.empty()) TRY(filter.set_state(options.state));
    if (!options.environment.empty()) filter.environment = TRY(EnvironmentName::parse(options.environment));
    if (!options.kind.empty()) filter.kind = TRY(parse_kind(options.kind));
    if (!options.expiring.empty()) filter.expiring = TRY(parse_duration(options.expiring));
    if (!options.unused.empty()) filter.unused = TRY(parse_duration(options.unused));
    for (const std::string& label : options.labels) TRY(filter.add("label." + label));
    return filter;
}

bool is_live_under(const authority::IdentityView& view, const authority::CredentialView& credential) {
    return view.state != Standing::Revoked && is_live(credential.state);
}

std::string credentials_cell(const authority::IdentityView& view) {
    const auto live = std::ranges::count_if(view.credentials, [&](const auto& c) { return is_live_under(view, c); });
    return fmt::format("{} of {}", live, view.credentials.size());
}

std::vector<std::string> row_of(const authority::IdentityView& view, Instant now, const Paint& paint) {
    const auto expiry = next_expiry(view);
    const bool has_live = std::ranges::any_of(view.credentials, [&](const auto& c) { return is_live_under(view, c); });
    std::string state = paint.state(name_of(view.state));
    if (!view.stopped_by.empty()) state += " (" + view.stopped_by + ")";
    return {view.identity.name.text(),
            name_of(view.identity.kind),
            view.identity.environment.text() + (view.is_protected ? "*" : ""),
            state,
            in_words(view.identity.created_at, now),
            credentials_cell(view),
            !has_live ? "-"
            : expiry  ? in_words(*expiry, now)
                      : "never",
            use_in_words(latest_use(view), now)};
}

Result<void> list(Shell& shell, const Options& options, const authority::Filter& filter,
                  const authority::Authority::Sight& sight) {
    if (filter.environment)
        TRY(authority::require_environment(sight.reader, sight.workspace.name, *filter.environment));
    Table table({"NAME", "KIND", "ENV", "STATE", "CREATED", "LIVE", "EXPIRES", "LAST USED"});
    audit::JsonArray identities;
    std::size_t count = 0;
    TRY(authority::for_each_identity(sight.reader, sight.workspace.name, [&](const Identity& identity) -> Result<bool> {
        const auto view = TRY(authority::view_of(sight.reader, sight.workspace, identity, sight.now));
        if (!filter.matches(view, sight.now)) return true;
        ++count;
        if (options.names_only && !shell.is_json())
            shell.print(identity.name.text() + "\n");
        else if (options.names_only)
            identities.emplace_back(identity.name.text());
        else if (shell.is_json())
            identities.emplace_back(to_json(view));
        else
            table.add(row_of(view, sight.now, shell.paint()));
        return true;
    }));
    if (options.names_only && !shell.is_json()) return {};
    if (shell.is_json())
        shell.print_json({{"workspace", sight.workspace.name.text()}, {"identities", std::move(identities)}});
    else if (count > 0)
        shell.print(table.text(shell.paint()));
    else
        shell.say(filter.is_empty() ? "nobody yet: marque create NAME --scope … makes the first"
                                    : "nobody meets these conditions");
    return {};
}

Result<int> run_list(Shell& shell, const Options& options) {
    const auto filter = TRY(filter_of(options));
    TRY(TRY(shell.authority())->look(TRY(shell.workspace()), [&](const authority::Authority::Sight& sight) {
        return list(shell, options, filter, sight);
    }));
    return 0;
}

}  // namespace

void add_list(const Command& root, Shell& shell, Exit& exit) {
    auto options = std::make_shared<Options>();
    const Command command = root.add_command("list", "List identities; * marks a protected environment");
    command.option("--state", options->state, "STATE",
                   "active, paused, revoked, pending, lapsed, retiring, retired or expired");
    command.option("--expiring", options->expiring, "TIME", "A live credential ends within this time");
    command.option("--unused", options->unused, "TIME", "No live credential was used within this time");
    command.repeated("--label", options->labels, "K=V", "Has this label; may be repeated");
    command.option("--env", options->environment, "NAME", "In this environment");
    command.option("--kind", options->kind, "KIND", "agent, service or ci");
    command.flag("--names", options->names_only, "Names alone, one a line");
    on_run(command, shell, exit, options, run_list);
}

}  // namespace marque::cli
