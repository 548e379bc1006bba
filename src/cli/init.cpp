// marque init
#include "base/text.h"
#include "cli/commands.h"

namespace marque::cli {
namespace {

struct Options {
    ChangeOptions change;
    std::string operator_name, conninfo;
    std::vector<std::string> owner_keys;
    bool has_sole_owner = false;
};

// [NAME=]FILE.pub: an owner's key, and whose it is, if an operator's.
Result<domain::Owner> owner_of(Shell& shell, const std::string& text) {
    const std::size_t end = text.find('=');
    const auto name = domain::OperatorName::parse(text.substr(0, end));
    if (end == std::string::npos || !name) return shell.owner_keys().read_owner_key(text);
    auto owner = TRY(shell.owner_keys().read_owner_key(text.substr(end + 1)));
    owner.operator_name = *name;
    return owner;
}

// The caller's own name in the system, if it is one that Marque can take.
Result<domain::OperatorName> operator_name(Shell& shell, const Options& options) {
    if (!options.operator_name.empty()) return domain::OperatorName::parse(options.operator_name);
    const std::uint32_t uid = TRY(shell.host().caller()).uid;
    if (auto name = domain::OperatorName::parse(shell.host().login_name(uid))) return name;
    return domain::OperatorName::parse("uid-" + std::to_string(uid));
}

Result<int> run_init(Shell& shell, const Options& options) {
    const auto order = TRY(shell.order(options.change));
    const auto fallback = TRY(domain::WorkspaceName::parse("default"));
    const auto name = TRY(operator_name(shell, options));
    authority::InitRequest request{name, order.workspace.value_or(fallback), {}, options.has_sole_owner};
    if (request.has_sole_owner && options.owner_keys.empty())
        return Error(Code::InvalidRequest, "a sole owner needs a key", "--owner-key FILE.pub");
    for (const std::string& path : options.owner_keys) {
        auto owner = TRY(owner_of(shell, path));
        if (request.has_sole_owner && owner.operator_name.value_or(name) != name)
            return Error(Code::InvalidRequest,
                         "a sole owner is " + name.text() + ", and this key is " + owner.operator_name->text() + "'s");
        if (request.has_sole_owner) owner.operator_name = name;
        for (const domain::Owner& other : request.owners)
            if (other.fingerprint == owner.fingerprint)
                return Error(Code::InvalidRequest, "owner key " + owner.fingerprint + " is given twice");
        request.owners.push_back(owner);
    }
    TRY(shell.stores().check_folder(shell.store_folder()));
    // With no store there yet, the plan is of an empty one; with one, its own answer counts.
    auto existing = shell.authority();
    if (!existing && existing.error().code != Code::Unavailable) return std::move(existing).error();
    if (!existing || order.confirmation.is_given()) {
        const std::uint32_t uid = TRY(shell.host().caller()).uid;
        authority::Done shown;
        shown.plan = TRY(authority::plan_init(request, uid, shell.host().random(), shell.now()));
        shown.plan.notes.push_back("the store will be " + shell.store_folder());
        if (!order.confirmation.is_given()) return shell.report(shown, options.change);
        TRY(order.confirmation.check(shown.plan));
    }
    if (order.confirmation.is_given()) TRY(shell.stores().create_store(shell.store_folder(), options.conninfo));
    const auto done = TRY(TRY(shell.authority())->init(request, order.confirmation));
    const int code = shell.report(done, options.change);
    if (done.progress == authority::Progress::Applied)
        shell.say("The store is " + escaped(shell.store_folder()) +
                  ". Keep a copy of root.key in it, apart from backups: without it, no token can be checked.");
    return code;
}

}  // namespace

void add_init(const Command& root, Shell& shell, Exit& exit) {
    auto options = std::make_shared<Options>();
    const Command command = root.add_command("init", "Make a store; the caller becomes its first operator");
    command.option("--operator", options->operator_name, "NAME",
                   "The caller's name as an operator (default: login name)");
    command.repeated("--owner-key", options->owner_keys, "[NAME=]FILE.pub",
                     "An owner's OpenSSH public key, and the operator whose it is; may be repeated");
    command.flag("--sole-owner", options->has_sole_owner,
                 "There is one person only: the caller, whose keys these are, may approve what they asked for");
    command.option(
        "--postgresql", options->conninfo, "CONNINFO",
        "Keep the store in this PostgreSQL database, such as 'host=db.example.org dbname=marque'; without a password");
    add_change_options(command, options->change, Reason::None);
    on_run(command, shell, exit, options, run_init);
}

}  // namespace marque::cli
