// marque store: the store as a whole.
#include <fmt/format.h>

#include <filesystem>

#include "authority/keys.h"
#include "base/decimal.h"
#include "base/text.h"
#include "cli/commands.h"

namespace marque::cli {
namespace {

struct Options {
    ChangeOptions change;
    std::string path;
    std::string to;  // empty: one back
};

Result<std::unique_ptr<store::Maintenance>> open_maintenance(Shell& shell) {
    const Secret& key = *TRY(shell.root_key());  // the shell's, and so outlives what is opened
    return shell.system().open_maintenance(shell.store_folder(),
                                           store::SealingKey([&key] { return authority::log_seal_key(key); }));
}

Result<int> run_status(Shell& shell, const Options&) {
    const auto maintenance = TRY(open_maintenance(shell));
    const auto status = TRY(maintenance->status());
    if (shell.is_json()) {
        shell.print_json({{"backend", status.backend},
                          {"location", status.location},
                          {"schema_version", status.schema},
                          {"supported_schema_version", status.supported_schema},
                          {"bytes", status.bytes}});
        return 0;
    }
    shell.print(fmt::format("{} store at {}, {} KiB\n", status.backend, escaped(status.location), status.bytes / 1024));
    for (std::size_t i = 0; i < status.migrations.size(); ++i)
        shell.print(fmt::format("  {}  {}\n", status.migrations[i],
                                static_cast<int>(i) < status.schema ? shell.paint().good("applied")
                                                                    : shell.paint().warning("not applied")));
    if (status.schema > status.supported_schema)
        shell.print(fmt::format("  schema {} is newer than this marque, which knows {}\n", status.schema,
                                status.supported_schema));
    return 0;
}

authority::Plan migration_plan(const store::StoreStatus& status, int to, const std::string& reason) {
    authority::Plan plan;
    plan.action = to > status.schema ? "store migrate" : "store rollback";
    plan.request = {{"location", status.location}, {"reason", reason}};
    plan.changes.push_back({domain::StoreRef{}, {{"schema", status.schema}}, {{"schema", to}}});
    plan.notes.emplace_back("make a backup first");
    return plan;
}

// A migration has the store to itself and runs before it can be opened as an installation; its
// permission and its confirmation are checked inside its transaction all the same.
Result<int> migrate_to(Shell& shell, const Options& options, int to) {
    const auto order = TRY(shell.order(options.change));
    auto maintenance = TRY(open_maintenance(shell));
    const auto status = TRY(maintenance->status());
    if (status.schema == to) {
        if (shell.is_json())
            shell.print_json({{"result", "already_so"}, {"from", to}, {"to", to}});
        else
            shell.say(fmt::format("nothing to do: the store has schema {}", to));
        return 0;
    }
    // A store of this schema can be opened, and so a refusal be recorded.
    if (status.schema == status.supported_schema) TRY(TRY(shell.authority())->require_manager("store.rollback", order));
    const audit::Process caller = TRY(shell.system().caller());
    authority::Done done;
    done.plan = migration_plan(status, to, order.reason);
    done.plan.requester = shell.system().login_name(caller.uid);
    auto migrated = maintenance->migrate(
        to, [&](const store::Reader& reader, int from, int target) -> Result<std::vector<audit::Draft>> {
            std::vector<audit::Draft> drafts;
            if (from > 0)
                drafts = TRY(authority::permit_migration(reader, caller, shell.now(), {from, target}, order.reason));
            for (const audit::Draft& draft : drafts)
                if (const auto* actor = std::get_if<audit::OperatorActor>(&draft.actor);
                    actor != nullptr && actor->name)
                    done.plan.requester = actor->name->text();
            TRY(order.confirmation.check(done.plan));
            return drafts;
        });
    if (!migrated && (order.confirmation.is_given() || migrated.error().code != Code::NotConfirmed))
        return std::move(migrated).error();
    if (!migrated) return shell.report(done, options.change);
    shell.say(fmt::format("the store has schema {} now, and had {}", to, status.schema));
    if (shell.is_json()) shell.print_json({{"result", "applied"}, {"from", status.schema}, {"to", to}});
    return 0;
}

Result<int> run_migrate(Shell& shell, const Options& options) {
    return migrate_to(shell, options, TRY(TRY(open_maintenance(shell))->status()).supported_schema);
}

Result<int> run_rollback(Shell& shell, const Options& options) {
    const int schema = TRY(TRY(open_maintenance(shell))->status()).schema;
    if (options.to.empty()) return migrate_to(shell, options, schema - 1);
    const auto to = parse_decimal(options.to);
    if (!to || *to > static_cast<std::uint64_t>(schema))
        return Error(Code::InvalidRequest, quote(options.to) + " is no schema before this one",
                     fmt::format("the store has schema {}", schema));
    return migrate_to(shell, options, static_cast<int>(*to));
}

Result<int> run_backup(Shell& shell, const Options& options) {
    const std::string path = std::filesystem::absolute(options.path).lexically_normal();
    if (path.ends_with('/') || std::filesystem::is_directory(path))
        return Error(Code::InvalidRequest, quote(options.path, 200) + " is a folder", "name the backup's file");
    TRY(parse_free_text("path", path, 1000));
    if (std::filesystem::exists(path))
        return Error(Code::StateRefuses, quote(path, 200) + " exists; backups are never overwritten");
    const auto order = TRY(shell.order(options.change));
    authority::Authority& authority = *TRY(shell.authority());
    if (order.confirmation.is_given()) {
        authority::Order asked = order;
        asked.confirmation = authority::Confirmation::dry_run();
        TRY(order.confirmation.check(TRY(authority.record_backup(path, asked)).plan));
        TRY(TRY(open_maintenance(shell))->backup(path, shell.progress("copying the store")));
    }
    const auto done = TRY(authority.record_backup(path, order));
    const int code = shell.report(done, options.change);
    if (done.progress == authority::Progress::Applied)
        shell.say("backup written to " + escaped(path) +
                  "; root.key is not in it: keep that apart. marque doctor --backup checks it");
    return code;
}

Result<int> run_accept(Shell& shell, const Options& options) {
    const auto order = TRY(shell.order(options.change));
    const auto known = TRY(shell.system().known_log(shell.store_folder()));
    if (!known)
        return Error(Code::NotFound, "nothing is known of this store's log on this machine: no verifier has served it",
                     "run it where one does");
    const auto done = TRY(TRY(shell.authority())->accept_log(*known, order));
    if (done.progress == authority::Progress::Applied) {
        const auto now_known = TRY(store::read_from(*TRY(shell.open_store()), [&](const store::Reader& reader) {
            return verify::known_log_of(reader, done.revision);
        }));
        TRY(shell.system().set_known_log(shell.store_folder(), now_known));
    }
    return shell.report(done, options.change);
}

}  // namespace

void add_store(const Command& root, Shell& shell, Exit& exit) {
    const Command group = root.add_command("store", "The store: status, migrate, rollback, backup, accept");
    group.needs_subcommand();
    on_run(group.add_command("status", "Where it is, and which schema it has"), shell, exit,
           std::make_shared<Options>(), run_status);

    auto migrate = std::make_shared<Options>();
    Command command = group.add_command("migrate", "Bring the schema up to this marque's");
    add_change_options(command, migrate->change, Reason::Optional);
    on_run(command, shell, exit, migrate, run_migrate);

    auto rollback = std::make_shared<Options>();
    command = group.add_command("rollback", "Take the schema back, for an older marque; never the log");
    command.option("--to", rollback->to, "N", "Schema version (default: one back)");
    add_change_options(command, rollback->change, Reason::Optional);
    on_run(command, shell, exit, rollback, run_rollback);

    auto backup = std::make_shared<Options>();
    command = group.add_command("backup", "Copy the store to a new file while it is in use");
    command.option("file", backup->path, "FILE", "The new file", Presence::Required);
    add_change_options(command, backup->change, Reason::Optional);
    on_run(command, shell, exit, backup, run_backup);

    auto accept = std::make_shared<Options>();
    command = group.add_command("accept", "Go on with a log that lacks what this machine's verifiers knew");
    add_change_options(command, accept->change, Reason::Required);
    add_approval_option(command, accept->change);
    on_run(command, shell, exit, accept, run_accept);
}

}  // namespace marque::cli
