// marque owner: whose signature opens protected environments.
#include <fmt/format.h>

#include "base/text.h"
#include "cli/commands.h"

namespace marque::cli {
namespace {

struct Options {
    ChangeOptions change;
    std::string key;
};

Result<int> run_add(Shell& shell, const Options& options) {
    const auto owner = TRY(shell.system().read_owner_key(options.key));
    const auto order = TRY(shell.order(options.change));
    return shell.report(TRY(TRY(shell.authority())->add_owner(owner, order)), options.change);
}

Result<int> run_remove(Shell& shell, const Options& options) {
    const auto order = TRY(shell.order(options.change));
    return shell.report(TRY(TRY(shell.authority())->remove_owner(options.key, order)), options.change);
}

Result<int> run_list(Shell& shell, const Options&) {
    TRY(TRY(shell.authority())->look_over([&](const authority::Authority::Overview& overview) -> Result<void> {
        Table table({"FINGERPRINT", "TYPE", "COMMENT"});
        audit::JsonArray list;
        const auto owners = TRY(overview.reader.owners());
        for (const domain::Owner& owner : owners) {
            const std::string type = owner.public_key.substr(0, owner.public_key.find(' '));
            list.emplace_back(audit::JsonObject{
                {"fingerprint", owner.fingerprint}, {"public_key", owner.public_key}, {"comment", owner.comment}});
            table.add({escaped(owner.fingerprint), escaped(type), escaped(owner.comment)});
        }
        if (shell.is_json())
            shell.print_json({{"owners", std::move(list)}});
        else if (owners.empty())
            shell.say("no owner key is registered: the gate of protected environments stays shut");
        else
            shell.print(table.text(shell.paint()));
        return {};
    }));
    return 0;
}

}  // namespace

void add_owner(const Command& root, Shell& shell, Exit& exit) {
    const Command group = root.add_command("owner", "Owner keys, which approve what is protected: add, remove, list");
    group.needs_subcommand();
    auto added = std::make_shared<Options>();
    Command command = group.add_command("add", "Register an owner key; needs an owner's approval");
    command.option("key", added->key, "FILE.pub", "An OpenSSH public key", Presence::Required);
    add_change_options(command, added->change, Reason::Optional);
    on_run(command, shell, exit, added, run_add);

    auto removed = std::make_shared<Options>();
    command = group.add_command("remove", "Remove an owner key; needs an owner's approval");
    command.option("fingerprint", removed->key, "SHA256:…", "As marque owner list shows it", Presence::Required);
    add_change_options(command, removed->change, Reason::Optional);
    on_run(command, shell, exit, removed, run_remove);

    on_run(group.add_command("list", "List owner keys"), shell, exit, std::make_shared<Options>(), run_list);
}

}  // namespace marque::cli
