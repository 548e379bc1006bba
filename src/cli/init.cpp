// marque init
#include "cli/commands.h"

namespace marque::cli {
namespace {

struct Options {
    ChangeOptions change;
    std::string operator_name;
    std::vector<std::string> owner_keys;
};

// The caller's own name in the system, if it is one that Marque can take.
Result<domain::OperatorName> operator_name(Shell& shell, const Options& options) {
    if (!options.operator_name.empty()) return domain::OperatorName::parse(options.operator_name);
    const std::uint32_t uid = TRY(shell.system().caller()).uid;
    if (auto name = domain::OperatorName::parse(shell.system().login_name(uid))) return name;
    return domain::OperatorName::parse("uid-" + std::to_string(uid));
}

Result<int> run_init(Shell& shell, const Options& options) {
    const auto order = TRY(shell.order(options.change));
    const auto fallback = TRY(domain::WorkspaceName::parse("default"));
    authority::InitRequest request{TRY(operator_name(shell, options)), order.workspace.value_or(fallback), {}};
    for (const std::string& path : options.owner_keys)
        request.owners.push_back(TRY(shell.system().read_owner_key(path)));
    if (!order.confirmation.is_given()) {
        shell.say("Would make a store in " + shell.store_folder() + ", with operator " + request.operator_name.text() +
                  " and workspace " + request.workspace.text() + " (environments dev, staging, production).");
        if (options.change.is_dry_run) return 0;
        shell.say("Nothing has changed. To do it, add --confirm");
        return static_cast<int>(Code::NotConfirmed);
    }
    TRY(shell.system().create_store(shell.store_folder()));
    const auto done = TRY(TRY(shell.authority())->init(request, order.confirmation));
    const int code = shell.report(done, options.change);
    shell.say("The store is " + shell.store_folder() + ". Keep a copy of root.key in it, apart from backups: without it,"
              " no token can be checked.");
    return code;
}

}  // namespace

void add_init(CLI::App& root, Shell& shell, Exit& exit) {
    auto options = std::make_shared<Options>();
    CLI::App* command = root.add_subcommand("init", "Make a store; the caller becomes its first operator");
    command->add_option("--operator", options->operator_name, "The caller's name as an operator (default: login name)")
        ->type_name("NAME");
    command->add_option("--owner-key", options->owner_keys, "An owner's OpenSSH public key; may be repeated")
        ->type_name("FILE.pub")
        ->allow_extra_args(false);
    add_change_options(*command, options->change, Reason::None);
    on_run(*command, shell, exit, options, run_init);
}

}  // namespace marque::cli
