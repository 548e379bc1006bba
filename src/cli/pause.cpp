// marque pause, marque resume
#include "cli/commands.h"
#include "cli/issue_options.h"

namespace marque::cli {
namespace {

struct Options {
    ChangeOptions change;
    std::string target, environment, duration;
    bool from_stdin = false;
};

Result<authority::Target> pausable(const Options& options) {
    if (options.environment.empty()) return target_of(options.target, options.from_stdin);
    if (!options.target.empty() || options.from_stdin)
        return Error(Code::InvalidRequest, "give a name, --token-stdin or --env, not two of them");
    return authority::Target(TRY(domain::EnvironmentName::parse(options.environment)));
}

Result<int> run_pause(Shell& shell, const Options& options) {
    std::optional<domain::Ending> until;
    if (!options.duration.empty()) until = domain::Ending::after(TRY(domain::parse_duration(options.duration)));
    const auto order = TRY(shell.order(options.change));
    const auto target = TRY(pausable(options));
    const auto done = TRY(TRY(shell.authority())->pause(target, until, order));
    return shell.report(done, options.change);
}

Result<int> run_resume(Shell& shell, const Options& options) {
    const auto order = TRY(shell.order(options.change));
    const auto target = TRY(pausable(options));
    const auto done = TRY(TRY(shell.authority())->resume(target, order));
    return shell.report(done, options.change);
}

void add_target_options(const Command& command, Options& options) {
    command.option("target", options.target, "NAME|CREDENTIAL", "The identity, or one of its credentials");
    command.option("--env", options.environment, "NAME", "Everything in this environment, at once");
    add_token_option(command, options.from_stdin);
}

}  // namespace

void add_pause(const Command& root, Shell& shell, Exit& exit) {
    auto options = std::make_shared<Options>();
    const Command command =
        root.add_command("pause", "Stop an identity, a credential or an environment; it can be resumed");
    add_target_options(command, *options);
    command.option("--for", options->duration, "TIME", "Resume by itself after this time");
    add_change_options(command, options->change, Reason::Required);
    on_run(command, shell, exit, options, run_pause);
}

void add_resume(const Command& root, Shell& shell, Exit& exit) {
    auto options = std::make_shared<Options>();
    const Command command = root.add_command("resume", "End the pause of an identity, a credential or an environment");
    add_target_options(command, *options);
    add_change_options(command, options->change, Reason::Optional);
    add_approval_option(command, options->change);
    on_run(command, shell, exit, options, run_resume);
}

}  // namespace marque::cli
