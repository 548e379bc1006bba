// marque notify: runs the hooks for what became so since the last time; for a timer.
#include <fmt/format.h>

#include "authority/notices.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/reading.h"

namespace marque::cli {
namespace {

using authority::Authority;

struct Options {
    std::string within = "14d";
    bool is_dry_run = false;
};

constexpr const char* expiring_soon = "expiring_soon";
constexpr const char* revoked_in_use = "revoked_in_use";

// The notices of one event, and whether it has a hook.
struct News {
    const char* event;
    std::vector<authority::Notice> notices;
    bool has_hook = false;

    audit::JsonObject document() const {
        return {{"schema", "marque/1"}, {"event", event}, {"credentials", authority::to_json(notices)}};
    }
};

std::string hooks_file(Shell& shell) {
    return quote(shell.store_folder() + "/hooks.toml", 200);
}

// Refuses to go on if no event has a hook. Otherwise notices would be marked as told although no hook ran.
Result<void> require_a_hook(Shell& shell, const std::vector<News>& all) {
    for (const News& news : all)
        if (news.has_hook) return {};
    return Error(Code::StateRefuses, "no hook is set for expiring_soon or revoked_in_use, so nobody was told",
                 "set one in " + hooks_file(shell) + " under [hooks]; --dry-run shows what there is to tell");
}

// Each mark moves only once what is before it is told: what could not be told is told the next time.
Result<void> tell(Shell& shell, const News& news, Instant now) {
    const std::string folder = shell.store_folder();
    if (!news.has_hook) {
        if (!news.notices.empty())
            shell.say(fmt::format("{}: credentials: {}; no hook is set for it in {}, so nobody was told", news.event,
                                  news.notices.size(), hooks_file(shell)));
        return {};
    }
    if (!news.notices.empty()) {
        TRY(shell.hooks().run_hook(folder, news.event, audit::canonical(news.document())));
        shell.note_change();
        if (!shell.is_json()) shell.say(fmt::format("{}: credentials: {}", news.event, news.notices.size()));
    }
    return shell.host_files().set_last_notice(folder, news.event, now);
}

struct AllNews {
    std::vector<News> all;
    Instant now;
};

Result<AllNews> read_news(Shell& shell, Duration within) {
    const std::string folder = shell.store_folder();
    authority::Told told;
    told.expiring_soon = TRY(shell.host_files().last_notice(folder, expiring_soon));
    told.revoked_in_use = TRY(shell.host_files().last_notice(folder, revoked_in_use));
    return read_installation(shell, [&](const Authority::Overview& overview) -> Result<AllNews> {
        auto notices = TRY(authority::notices(overview.reader, told, overview.now, within));
        AllNews news{{}, overview.now};
        news.all.push_back({expiring_soon, std::move(notices.expiring_soon)});
        news.all.push_back({revoked_in_use, std::move(notices.revoked_in_use)});
        return news;
    });
}

Result<int> run_notify(Shell& shell, const Options& options) {
    const std::string folder = shell.store_folder();
    auto [all, now] = TRY(read_news(shell, TRY(domain::parse_duration(options.within))));
    for (News& news : all) news.has_hook = TRY(shell.hooks().has_hook(folder, news.event));
    if (!options.is_dry_run) {
        TRY(require_a_hook(shell, all));
        for (const News& news : all) TRY(tell(shell, news, now));
    }
    if (shell.is_json()) {
        audit::JsonArray events;
        for (const News& news : all)
            events.emplace_back(audit::JsonObject{{"event", news.event},
                                                  {"credentials", authority::to_json(news.notices)},
                                                  {"told", news.has_hook && !options.is_dry_run}});
        shell.print_json({{"events", std::move(events)}});
    } else if (options.is_dry_run) {
        for (const News& news : all)
            if (!news.notices.empty()) shell.print_json(news.document());
    }
    return 0;
}

}  // namespace

void add_notify(const Command& root, Shell& shell, Exit& exit) {
    auto options = std::make_shared<Options>();
    const Command command = root.add_command(
        "notify", "Run the hooks expiring_soon and revoked_in_use for what is new since the last time; for a timer");
    command.option("--within", options->within, "TIME", "How soon is soon; again a week and a day before");
    command.flag("--dry-run", options->is_dry_run, "Print what the hooks would be given, and run none");
    on_run(command, shell, exit, options, run_notify);
}

}  // namespace marque::cli
