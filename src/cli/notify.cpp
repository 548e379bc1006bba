// marque notify: runs the hooks for what became so since the last time; for a timer.
#include <fmt/format.h>

#include "authority/notices.h"
#include "base/text.h"
#include "cli/commands.h"

namespace marque::cli {
namespace {

using authority::Authority;

struct Options {
    std::string within = "14d";
    bool is_dry_run = false;
};

audit::JsonObject document(const char* event, const std::vector<authority::Notice>& notices) {
    return {{"schema", "marque/1"}, {"event", event}, {"credentials", authority::to_json(notices)}};
}

// Whether somebody could be told.
Result<void> tell(Shell& shell, const Options& options, const char* event,
                  const std::vector<authority::Notice>& notices) {
    if (notices.empty()) return {};
    if (options.is_dry_run) {
        shell.print(audit::canonical(document(event, notices)) + "\n");
        return {};
    }
    const bool is_run =
        TRY(shell.system().run_hook(shell.store_folder(), event, audit::canonical(document(event, notices))));
    shell.say(fmt::format("{}: credentials: {}{}", event, notices.size(),
                          is_run ? "" : "; no hook is set for it in " + escaped(shell.store_folder()) + "/hooks.toml"));
    return {};
}

Result<int> run_notify(Shell& shell, const Options& options) {
    const Duration within = TRY(domain::parse_duration(options.within));
    const auto since = TRY(shell.system().last_notice(shell.store_folder()));
    authority::Notices notices;
    Instant now;
    TRY(TRY(shell.authority())->look_over([&](const Authority::Overview& overview) -> Result<void> {
        now = overview.now;
        notices = TRY(authority::notices(overview.reader, since, overview.now, within));
        return {};
    }));
    TRY(tell(shell, options, "expiring_soon", notices.expiring_soon));
    TRY(tell(shell, options, "revoked_in_use", notices.revoked_in_use));
    // Only now: what could not be told is told the next time.
    if (!options.is_dry_run) TRY(shell.system().set_last_notice(shell.store_folder(), now));
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
