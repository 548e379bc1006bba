// marque owner: whose signature opens protected environments.
#include <fmt/format.h>

#include "base/text.h"
#include "cli/commands.h"
#include "cli/reading.h"

namespace marque::cli {
namespace {

struct Options {
    ChangeOptions change;
    std::string key, operator_name, sole_owner;
    std::uint64_t quorum = 0;  // not given
};

Result<int> run_add(Shell& shell, const Options& options) {
    auto owner = TRY(shell.owner_keys().read_owner_key(options.key));
    if (!options.operator_name.empty()) owner.operator_name = TRY(domain::OperatorName::parse(options.operator_name));
    const auto order = TRY(shell.order(options.change));
    return shell.report(TRY(TRY(shell.authority())->add_owner(owner, order)), options.change);
}

Result<int> run_remove(Shell& shell, const Options& options) {
    const auto order = TRY(shell.order(options.change));
    return shell.report(TRY(TRY(shell.authority())->remove_owner(options.key, order)), options.change);
}

Result<int> run_policy(Shell& shell, const Options& options) {
    authority::PolicyRequest request;
    if (options.quorum != 0) request.quorum = static_cast<std::uint32_t>(options.quorum);
    if (!options.sole_owner.empty()) request.has_sole_owner = options.sole_owner == "yes";
    if (!request.quorum && !request.has_sole_owner)
        return Error(Code::InvalidRequest, "say what to change: --quorum or --sole-owner");
    const auto order = TRY(shell.order(options.change));
    return shell.report(TRY(TRY(shell.authority())->set_policy(request, order)), options.change);
}

struct OwnersView {
    std::vector<domain::Owner> owners;
    domain::ApprovalPolicy policy;
};

Result<OwnersView> read_list(const Authority::Overview& overview) {
    auto owners = TRY(overview.reader.owners());
    const auto installation = TRY(overview.reader.installation());
    return OwnersView{std::move(owners), installation->policy};
}

Result<int> run_list(Shell& shell, const Options&) {
    const auto [owners, policy] = TRY(read_installation(shell, read_list));
    Table table({"FINGERPRINT", "TYPE", "OPERATOR", "COMMENT"});
    audit::JsonArray list;
    for (const domain::Owner& owner : owners) {
        const std::string type = owner.public_key.substr(0, owner.public_key.find(' '));
        const std::string name = owner.operator_name ? owner.operator_name->text() : "";
        audit::JsonObject object{
            {"fingerprint", owner.fingerprint}, {"public_key", owner.public_key}, {"comment", owner.comment}};
        if (!name.empty()) object["operator"] = name;
        list.emplace_back(std::move(object));
        table.add({escaped(owner.fingerprint), escaped(type), name.empty() ? "-" : name, escaped(owner.comment)});
    }
    if (shell.is_json()) {
        shell.print_json(
            {{"owners", std::move(list)}, {"quorum", policy.quorum}, {"sole_owner", policy.has_sole_owner}});
        return 0;
    }
    if (owners.empty()) {
        shell.say("no owner key is registered: the gate of protected environments stays shut");
        return 0;
    }
    shell.print(table);
    shell.say(
        fmt::format("An approval needs {} of them{}.", policy.quorum,
                    policy.has_sole_owner ? "; there is one owner only, who may approve what they asked for" : ""));
    return 0;
}

}  // namespace

void add_owner(const Command& root, Shell& shell, Exit& exit) {
    const Command group =
        root.add_command("owner", "Owner keys, which approve what is protected: add, remove, policy, list");
    group.needs_subcommand();
    auto added = std::make_shared<Options>();
    Command command = group.add_command("add", "Register an owner key; after the first it needs an owner's approval");
    command.option("key", added->key, "FILE.pub", "An OpenSSH public key", Presence::Required);
    command.option("--operator", added->operator_name, "NAME",
                   "Whose key it is, if an operator's: it can't approve what they ask for");
    add_change_options(command, added->change, Reason::Optional);
    add_approval_option(command, added->change);
    on_run(command, shell, exit, added, run_add);

    auto removed = std::make_shared<Options>();
    command = group.add_command("remove", "Remove an owner key; needs an owner's approval");
    command.option("fingerprint", removed->key, "SHA256:…", "As marque owner list shows it", Presence::Required);
    add_change_options(command, removed->change, Reason::Optional);
    add_approval_option(command, removed->change);
    on_run(command, shell, exit, removed, run_remove);

    auto policy = std::make_shared<Options>();
    command = group.add_command("policy", "Set what it takes to approve; needs an owner's approval");
    command.number("--quorum", policy->quorum, 1, 100, "N", "How many owners have to sign");
    command.one_of("--sole-owner", policy->sole_owner, {"yes", "no"}, "yes|no",
                   "Whether there is one person only, who may approve what they asked for");
    add_change_options(command, policy->change, Reason::Optional);
    add_approval_option(command, policy->change);
    on_run(command, shell, exit, policy, run_policy);

    on_run(group.add_command("list", "List owner keys"), shell, exit, std::make_shared<Options>(), run_list);
}

}  // namespace marque::cli
