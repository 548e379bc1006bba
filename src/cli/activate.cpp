// marque activate: finishes what was cut off between delivery and activation.
#include "cli/commands.h"
#include "cli/delivery.h"

namespace marque::cli {
namespace {

struct Options {
    ChangeOptions change;
    bool from_stdin = false;
};

Result<int> run_activate(Shell& shell, const Options& options) {
    const auto order = TRY(shell.order(options.change));
    const Secret token = TRY(read_token_from_stdin());
    const auto done = TRY(TRY(shell.authority())->activate(token, order));
    return shell.report(done, options.change);
}

}  // namespace

void add_activate(const Command& root, Shell& shell, Exit& exit) {
    auto options = std::make_shared<Options>();
    const Command command = root.add_command(
        "activate", "Bring a delivered, pending credential into force, after a create, issue or rotate was cut off");
    command.flag("--token-stdin", options->from_stdin, "Read its token from standard input: it proves the delivery",
                 Presence::Required);
    add_change_options(command, options->change, Reason::Optional);
    add_approval_option(command, options->change);
    on_run(command, shell, exit, options, run_activate);
}

}  // namespace marque::cli
