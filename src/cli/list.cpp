// marque list
#include <fmt/format.h>

#include <algorithm>

#include "authority/resolve.h"
#include "cli/commands.h"
#include "cli/identity_view.h"
#include "cli/reading.h"

namespace marque::cli {
namespace {

using namespace domain;

struct Options {
    std::string state, expiring, unused, environment, kind, sort;
    std::uint64_t limit = 0;  // 0: all
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

std::string state_cell(const authority::IdentityView& view, const Paint& paint) {
    if (authority::lacks_live_credential(view)) return paint.state("no live credential");
    const std::string state = paint.state(name_of(view.state));
    return view.stopped_by.empty() ? state : state + " (" + view.stopped_by + ")";
}

std::string environment_cell(const authority::IdentityView& view) {
    return view.identity.environment.text() + (view.is_protected ? "*" : "");
}

std::string end_cell(const authority::IdentityView& view, Instant now) {
    if (const auto end = authority::ends_at(view)) return in_few_words(*end, now);
    return authority::count_live(view) > 0 ? "never" : "-";
}

std::vector<std::string> row_of(const authority::IdentityView& view, Instant now, const Paint& paint) {
    const auto use = latest_use(view);
    return {view.identity.name.text(),
            name_of(view.identity.kind),
            environment_cell(view),
            state_cell(view, paint),
            fmt::format("{} of {}", authority::count_live(view), view.credentials.size()),
            end_cell(view, now),
            use ? in_few_words(use->at, now) : "never"};
}

// Returns the row for --expiring, with the contact to ask for a renewal.
std::vector<std::string> row_of_end(const authority::IdentityView& view, Instant now, const Paint& paint) {
    const Instant end = *authority::ends_at(view);
    return {view.identity.name.text(),      environment_cell(view),
            state_cell(view, paint),        end <= now ? paint.warning(end_cell(view, now)) : end_cell(view, now),
            to_calendar(end).substr(0, 10), escaped(view.identity.contact)};
}

// Sorts by the first expiry, the latest use, or the newest. An identity without an expiry or a use comes last.
void sort(std::vector<authority::IdentityView>& views, const std::string& by) {
    const auto latest_first = [&](const auto& time_of) {
        std::ranges::stable_sort(views, std::ranges::greater(), time_of);
    };
    if (by == "expires")
        std::ranges::stable_sort(views, {},
                                 [](const auto& view) { return authority::ends_at(view).value_or(Instant::max()); });
    else if (by == "used")
        latest_first([](const auto& view) {
            const auto use = latest_use(view);
            return use ? use->at : Instant::min();
        });
    else if (by == "created")
        latest_first([](const auto& view) { return view.identity.created_at; });
}

Result<std::vector<authority::IdentityView>> select(const authority::Filter& filter,
                                                    const authority::Authority::Sight& sight) {
    if (filter.environment)
        TRY(authority::require_environment(sight.reader, sight.workspace.name, *filter.environment));
    std::vector<authority::IdentityView> views;
    TRY(authority::for_each_identity(
        sight.reader, sight.workspace.name, store::Listing::Complete, [&](const Identity& identity) -> Result<bool> {
            auto view = TRY(authority::view_of(sight.reader, sight.workspace, identity, sight.now));
            if (filter.matches(view, sight.now)) views.push_back(std::move(view));
            return true;
        }));
    return views;
}

void print_text(Shell& shell, const Options& options, const std::vector<authority::IdentityView>& views, Instant now) {
    if (options.names_only) {
        for (const authority::IdentityView& view : views) shell.print(view.identity.name.text() + "\n");
        return;
    }
    const bool is_about_ends = !options.expiring.empty();
    Table table(is_about_ends
                    ? std::vector<std::string>{"NAME", "ENV", "STATE", "EXPIRES", "DATE", "CONTACT"}
                    : std::vector<std::string>{"NAME", "KIND", "ENV", "STATE", "LIVE", "EXPIRES", "LAST USED"});
    for (const authority::IdentityView& view : views)
        table.add(is_about_ends ? row_of_end(view, now, shell.paint()) : row_of(view, now, shell.paint()));
    shell.print(table);
}

struct View {
    WorkspaceName workspace;
    std::vector<authority::IdentityView> identities;  // those that are shown
    std::size_t total = 0;                            // of those that meet the conditions
    Instant now;
};

void print_json(Shell& shell, const Options& options, const View& view) {
    audit::JsonArray identities;
    for (const authority::IdentityView& identity : view.identities)
        if (options.names_only)
            identities.emplace_back(identity.identity.name.text());
        else
            identities.emplace_back(to_json(identity));
    audit::JsonObject object{{"workspace", view.workspace.text()}, {"identities", std::move(identities)}};
    if (view.total > view.identities.size()) {
        object["truncated"] = true;
        object["total"] = view.total;
    }
    shell.print_json(std::move(object));
}

Result<View> read_view(const Options& options, const authority::Filter& filter, const Authority::Sight& sight) {
    auto identities = TRY(select(filter, sight));
    View view{sight.workspace.name, std::move(identities), 0, sight.now};
    sort(view.identities, !options.sort.empty() ? options.sort : options.expiring.empty() ? "name" : "expires");
    view.total = view.identities.size();
    if (options.limit > 0 && view.total > options.limit)
        view.identities.erase(view.identities.begin() + static_cast<std::ptrdiff_t>(options.limit),
                              view.identities.end());
    return view;
}

Result<int> run_list(Shell& shell, const Options& options) {
    const auto filter = TRY(filter_of(options));
    const View view =
        TRY(read_workspace(shell, [&](const Authority::Sight& sight) { return read_view(options, filter, sight); }));
    if (shell.is_json()) {
        print_json(shell, options, view);
        return 0;
    }
    if (view.total > 0)
        print_text(shell, options, view.identities, view.now);
    else if (!options.names_only)
        shell.say(filter.is_empty() ? "nobody yet: marque create NAME --scope … makes the first"
                                    : "nobody meets these conditions");
    if (view.total > view.identities.size())
        shell.say(
            fmt::format("{} of {} are shown; --limit {} shows all", view.identities.size(), view.total, view.total));
    return 0;
}

}  // namespace

void add_list(const Command& root, Shell& shell, Exit& exit) {
    auto options = std::make_shared<Options>();
    const Command command = root.add_command("list", "List identities; * marks a protected environment");
    command.option("--state", options->state, "STATE",
                   "active, paused, revoked, pending, lapsed, retiring, retired, expired or no-live-credential");
    command.option("--expiring", options->expiring, "TIME",
                   "It ends within this time, or has ended: its first live credential, or its last; the soonest first");
    command.option("--unused", options->unused, "TIME", "No live credential was used within this time");
    command.repeated("--label", options->labels, "K=V", "Has this label; may be repeated");
    command.option("--env", options->environment, "NAME", "In this environment");
    command.option("--kind", options->kind, "KIND", "agent, service or ci");
    command.flag("--names", options->names_only, "Names alone, one a line");
    command.one_of("--sort", options->sort, {"name", "expires", "used", "created"}, "ORDER",
                   "name (the default), expires (the soonest first), used or created (the latest first)");
    command.number("--limit", options->limit, 1, 1'000'000, "N", "At most so many");
    on_run(command, shell, exit, options, run_list);
}

}  // namespace marque::cli
