// marque revoke: the end of an identity, a credential, or many identities.
#include "cli/commands.h"

namespace marque::cli {
namespace {

struct Options {
    ChangeOptions change;
    std::string target;
    bool from_stdin = false;
    std::vector<std::string> conditions;
};

Result<authority::Target> revocable(const Options& options) {
    if (options.conditions.empty()) return target_of(options.target, options.from_stdin);
    if (!options.target.empty() || options.from_stdin)
        return Error(Code::InvalidRequest, "give a name, --token-stdin or --filter, not two of them");
    authority::Filter filter;
    for (const std::string& condition : options.conditions) TRY(filter.add(condition));
    return authority::Target(filter);
}

Result<int> run_revoke(Shell& shell, const Options& options) {
    const auto order = TRY(shell.order(options.change));
    const auto target = TRY(revocable(options));
    auto opened = shell.authority();
    auto done = opened ? (*opened)->revoke(target, order) : Result<authority::Done>(opened.error());
    // Loud when it fails: somebody believes that it is over.
    if (!done && order.confirmation.is_given() && done.error().code != Code::NotFound &&
        done.error().code != Code::InvalidRequest)
        shell.say(shell.paint_err().bad("NOT REVOKED") + (done.error().code == Code::OutcomeUnknown
                                                              ? ", as far as is known: look before you trust either"
                                                              : ": what worked before still works"));
    return shell.report(TRY(std::move(done)), options.change);
}

}  // namespace

void add_revoke(const Command& root, Shell& shell, Exit& exit) {
    auto options = std::make_shared<Options>();
    const Command command = root.add_command("revoke", "End an identity or a credential for ever");
    command.option("target", options->target, "NAME|CREDENTIAL", "The identity, or one of its credentials");
    add_token_option(command, options->from_stdin);
    command.repeated(
        "--filter", options->conditions, "K=V",
        "Every identity with env=, kind=, state=, expiring=, unused= or label.KEY=; repeated, all must hold");
    add_change_options(command, options->change, Reason::Required);
    on_run(command, shell, exit, options, run_revoke);
}

}  // namespace marque::cli
