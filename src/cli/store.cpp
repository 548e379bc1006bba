// marque store: the store as a whole.
#include <fmt/format.h>

#include <filesystem>

#include "authority/keys.h"
#include "base/text.h"
#include "cli/commands.h"

namespace marque::cli {
namespace {

struct Options {
    ChangeOptions change;
    std::string path;
    int to = -1;
};

Result<std::unique_ptr<store::Maintenance>> open_maintenance(Shell& shell) {
    return shell.system().open_maintenance(shell.store_folder(), authority::log_seal_key(*TRY(shell.root_key())));
}

Result<int> run_status(Shell& shell, const Options&) {
    const auto maintenance = TRY(open_maintenance(shell));
    const auto status = TRY(maintenance->status());
    if (shell.is_json()) {
        shell.print_json({{"backend", status.backend},
                          {"location", status.location},
                          {"schema", status.schema},
                          {"supported_schema", status.supported_schema},
                          {"bytes", status.bytes}});
        return 0;
    }
    shell.print(fmt::format("{} store at {}, {} KiB\n", status.backend, escaped(status.location), status.bytes / 1024));
    for (std::size_t i = 0; i < status.migrations.size(); ++i)
        shell.print(fmt::format("  {}  {}\n", status.migrations[i],
                                static_cast<int>(i) < status.schema ? shell.paint().good("applied")
                                                                    : shell.paint().warning("not applied")));
    if (status.schema > status.supported_schema)
        shell.print(fmt::format("  schema {} is newer than this marque, which knows {}\n", status.schema, status.supported_schema));
    return 0;
}

// Migration speaks to the store before it can be opened as an installation.
Result<int> migrate_to(Shell& shell, const Options& options, int to) {
    const auto order = TRY(shell.order(options.change));
    auto maintenance = TRY(open_maintenance(shell));
    const auto status = TRY(maintenance->status());
    if (status.schema == to) {
        shell.say(fmt::format("nothing to do: the store has schema {}", to));
        return 0;
    }
    if (!order.confirmation.is_given()) {
        shell.say(fmt::format("Would bring the store from schema {} to {}.", status.schema, to));
        if (options.change.is_dry_run) return 0;
        shell.say("Nothing has changed. Make a backup, then add --confirm");
        return static_cast<int>(Code::NotConfirmed);
    }
    const audit::Process caller = TRY(shell.system().caller());
    TRY(maintenance->migrate(to, [&](const store::Reader& reader, int from, int target) -> Result<std::vector<audit::Draft>> {
        if (from == 0) return std::vector<audit::Draft>{};
        return authority::permit_migration(reader, caller, shell.now(), {from, target}, order.reason);
    }));
    shell.say(fmt::format("the store has schema {} now, and had {}", to, status.schema));
    return 0;
}

Result<int> run_migrate(Shell& shell, const Options& options) {
    return migrate_to(shell, options, TRY(TRY(open_maintenance(shell))->status()).supported_schema);
}

Result<int> run_rollback(Shell& shell, const Options& options) {
    const int schema = TRY(TRY(open_maintenance(shell))->status()).schema;
    if (options.to > schema)
        return Error(Code::InvalidRequest, fmt::format("the store has schema {}, which is before {}", schema, options.to));
    return migrate_to(shell, options, options.to < 0 ? schema - 1 : options.to);
}

Result<int> run_backup(Shell& shell, const Options& options) {
    const std::string path = std::filesystem::absolute(options.path).lexically_normal();
    if (path.ends_with('/') || std::filesystem::is_directory(path))
        return Error(Code::InvalidRequest, quote(options.path, 200) + " is a folder", "name the backup's file");
    TRY(parse_free_text("path", path, 1000));
    if (std::filesystem::exists(path))
        return Error(Code::StateRefuses, quote(path, 200) + " exists; backups are never overwritten");
    const auto order = TRY(shell.order(options.change));
    const auto done = TRY(TRY(shell.authority())->record_backup(path, order));
    if (done.progress == authority::Progress::Applied)
        TRY(TRY(open_maintenance(shell))->backup(path, shell.progress("copying the store")));
    const int code = shell.report(done, options.change);
    if (done.progress == authority::Progress::Applied)
        shell.say("backup written to " + escaped(path) + "; root.key is not in it: keep that apart. marque doctor --backup checks it");
    return code;
}

}  // namespace

void add_store(CLI::App& root, Shell& shell, Exit& exit) {
    CLI::App* group = root.add_subcommand("store", "The store: status, migrate, rollback, backup");
    group->require_subcommand(1);
    on_run(*group->add_subcommand("status", "Where it is, and which schema it has"), shell, exit, std::make_shared<Options>(),
           run_status);

    auto migrate = std::make_shared<Options>();
    CLI::App* command = group->add_subcommand("migrate", "Bring the schema up to this marque's");
    add_change_options(*command, migrate->change, Reason::Optional);
    on_run(*command, shell, exit, migrate, run_migrate);

    auto rollback = std::make_shared<Options>();
    command = group->add_subcommand("rollback", "Take the schema back, for an older marque; never the log");
    command->add_option("--to", rollback->to, "Schema version (default: one back)")->type_name("N")->check(CLI::Range(0, 1'000'000));
    add_change_options(*command, rollback->change, Reason::Optional);
    on_run(*command, shell, exit, rollback, run_rollback);

    auto backup = std::make_shared<Options>();
    command = group->add_subcommand("backup", "Copy the store to a new file while it is in use");
    command->add_option("file", backup->path, "The new file")->type_name("FILE")->required();
    add_change_options(*command, backup->change, Reason::Optional);
    on_run(*command, shell, exit, backup, run_backup);
}

}  // namespace marque::cli
