// marque store: the store as a whole.
#include <fmt/format.h>

#include <filesystem>

#include "authority/keys.h"
#include "base/decimal.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/log_progress.h"

namespace marque::cli {
namespace {

struct Options {
    ChangeOptions change;
    std::string path;
    std::string to;  // empty: one back
};
struct CopyOptions {
    ChangeOptions change;
    std::string from, to, conninfo;
};

Result<std::unique_ptr<store::Maintenance>> open_maintenance(Shell& shell) {
    const Secret& key = *TRY(shell.root_key());  // the shell's, and so outlives what is opened
    return shell.stores().open_maintenance(shell.store_folder(),
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

// For what has the store to itself and runs beside an installation that is open: permission and confirmation are
// checked inside its own transaction all the same. Completes the plan: with who asks. Errors: PermissionDenied,
// NotConfirmed.
Result<std::vector<audit::Draft>> permit_and_confirm(Shell& shell, const store::Reader& reader,
                                                     const std::optional<audit::Event>& event,
                                                     const authority::Order& order, authority::Plan& plan) {
    const audit::Process caller = TRY(shell.host().caller());
    plan.requester = shell.host().login_name(caller.uid);
    std::vector<audit::Draft> drafts;
    if (event)
        drafts = TRY(
            authority::permit_store_event(reader, caller, *TRY(shell.root_key()), shell.now(), *event, order.reason));
    for (const audit::Draft& draft : drafts)
        if (const auto* actor = std::get_if<audit::OperatorActor>(&draft.actor); actor != nullptr && actor->name)
            plan.requester = actor->name->text();
    TRY(order.confirmation.check(plan));
    return drafts;
}

// Whether the plan is to be shown, because nobody confirmed it.
bool is_only_shown(const authority::Order& order, const Error& error) {
    return !order.confirmation.is_given() && error.code == Code::NotConfirmed;
}

// Not whether the owners had allowed what it tells of: no migration changes that, and audit verify says it.
Result<void> require_whole_log(Shell& shell, const store::Reader& reader,
                               const std::optional<verify::KnownLog>& known) {
    const auto report = TRY(
        authority::verify_log(reader, *TRY(shell.root_key()), std::nullopt, log_progress(shell, "reading the log")));
    if (!report.is_sound())
        return Error(Code::Corrupt, "the log is not sound: " + report.findings.front().what,
                     "nothing is migrated; keep a copy of the folder, and look");
    if (known) TRY(verify::require_log_continues(reader, *known));
    return {};
}

// A migration runs before the store can be opened as an installation.
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
    authority::Done done;
    done.plan = migration_plan(status, to, order.reason);
    const auto known = TRY(shell.host_files().known_log(shell.store_folder()));
    auto migrated = maintenance->migrate(
        to, [&](const store::Reader& reader, int from, int target) -> Result<std::vector<audit::Draft>> {
            // The rows were checked before they were sealed again; the log is read here.
            if (from > 0 && target > from) TRY(require_whole_log(shell, reader, known));
            std::optional<audit::Event> event;
            if (from > 0) event = audit::StoreMigrated{from, target};
            return permit_and_confirm(shell, reader, event, order, done.plan);
        });
    if (!migrated && !is_only_shown(order, migrated.error())) return std::move(migrated).error();
    if (!migrated) return shell.report(done, options.change);
    shell.note_change();
    if (shell.is_json())
        shell.print_json({{"result", "applied"}, {"from", status.schema}, {"to", to}});
    else
        shell.say(fmt::format("the store has schema {} now, and had {}", to, status.schema));
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

authority::Plan rotation_plan(const std::string& checkpoint_key) {
    authority::Plan plan;
    plan.action = "store rotate-key";
    plan.request = {{"checkpoint_key", checkpoint_key}};
    plan.changes.push_back(
        {domain::StoreRef{}, {{"checkpoint_key", checkpoint_key}}, {{"checkpoint_key", "a new one"}}});
    plan.notes.emplace_back("tokens go on working; every entry and row is sealed anew, in one transaction");
    plan.notes.emplace_back(
        "verifiers that run answer nobody from then on: give them the new root.key, and start them again");
    plan.notes.emplace_back("a backup made before needs the old key: keep it with those, apart from here");
    return plan;
}

// The next key is durable before anything is sealed with it, and the old one is kept until everything is. Cut short in
// between, either opens the store, and a repeat finishes.
Result<int> run_rotate_key(Shell& shell, const Options& options) {
    const auto order = TRY(shell.order(options.change));
    const std::string folder = shell.store_folder();
    const Secret& root = *TRY(shell.root_key());
    // Refused here it can be recorded. A head that is not under the old key may be under the next.
    auto may = TRY(shell.authority())->require_manager("store.rotate_key", order);
    if (!may && may.error().tampered.empty()) return std::move(may).error();
    auto maintenance = TRY(open_maintenance(shell));
    authority::Done done;
    const auto key_text = [](const store::Reader& reader, const Secret& of) -> Result<std::string> {
        return TRY(authority::log_verifier_key(reader, of)).text();
    };
    if (may) {
        store::Store& store = *TRY(shell.open_store());
        auto permitted = store::read_from(store, [&](const store::Reader& reader) -> Result<std::vector<audit::Draft>> {
            done.plan = rotation_plan(TRY(key_text(reader, root)));
            return permit_and_confirm(shell, reader, audit::KeyRotated{}, order, done.plan);
        });
        if (!permitted && is_only_shown(order, permitted.error())) return shell.report(done, options.change);
        if (!permitted) return std::move(permitted).error();
    } else if (!order.confirmation.is_given()) {
        return std::move(may).error();
    }
    const Secret next = TRY(shell.root_keys().next_root_key(folder));
    const bool was_sealed = TRY(maintenance->reseal(
        store::SealingKey([&next] { return authority::log_seal_key(next); }),
        [&](const store::Reader& reader) -> Result<std::vector<audit::Draft>> {
            const std::string before = TRY(key_text(reader, root)), after = TRY(key_text(reader, next));
            return permit_and_confirm(shell, reader, audit::KeyRotated{before, after}, order, done.plan);
        }));
    TRY(shell.root_keys().adopt_next_root_key(folder));
    shell.note_change();
    if (shell.is_json()) {
        shell.print_json({{"result", was_sealed ? "applied" : "already_so"}});
        return 0;
    }
    shell.say(was_sealed ? "everything is sealed under the new key, and root.key is that key"
                         : "everything was sealed under the new key already; root.key is that key now");
    shell.say("restart every marque serve; other machines need the new root.key first");
    return 0;
}

// An absolute path for the log, without what the file system would ignore.
Result<std::string> folder_named(const std::string& text) {
    std::string path = std::filesystem::absolute(text).lexically_normal();
    while (path.size() > 1 && path.ends_with('/')) path.pop_back();
    return parse_free_text("path", path, 1000);
}

authority::Plan copy_plan(const audit::StorePlace& from, const audit::StorePlace& to, const CopyOptions& options) {
    authority::Plan plan;
    plan.action = "store copy";
    plan.request = {{"from", options.from}, {"to", options.to}, {"reason", options.change.reason}};
    plan.changes.push_back({domain::StoreRef{}, audit::to_json(from), audit::to_json(to)});
    plan.notes.emplace_back("it is a move: the store at the old place is closed for good");
    plan.notes.emplace_back("stop what verifies from it first; nobody can change it while it is copied");
    return plan;
}

Result<int> run_copy(Shell& shell, const CopyOptions& given) {
    CopyOptions options = given;
    options.from = TRY(folder_named(given.from));
    options.to = TRY(folder_named(given.to));
    shell.options.store = options.from;
    const auto order = TRY(shell.order(options.change));
    const Secret& root_key = *TRY(shell.root_key());
    // A store that is open can record a refusal.
    if (auto authority = shell.authority()) TRY((*authority)->require_manager("store.copy", order));
    const auto known = TRY(shell.host_files().known_log(options.from));
    std::optional<verify::KnownLog> verified;
    authority::Done done;
    store::MoveSteps steps;
    if (order.confirmation.is_given()) steps.purpose = store::MoveSteps::Purpose::Move;
    steps.verify = [&](const store::Reader& reader, const std::string& location) -> Result<void> {
        auto report = TRY(authority::verify_log(reader, root_key, std::nullopt,
                                                log_progress(shell, "reading the log of " + escaped(location)),
                                                &shell.owner_keys().owner_signatures()));
        TRY(authority::verify_rows(reader, report));
        if (!report.is_sound())
            return Error(Code::Corrupt,
                         fmt::format("the log of {} is not sound: {}", escaped(location), report.findings.front().what),
                         "marque audit verify says all of it");
        // In a new folder nothing would be known: a move is no way around what verifiers refuse here.
        if (known) TRY(verify::require_continues(reader, *known));
        verified = TRY(verify::known_log_of(reader, report.size));
        return {};
    };
    steps.decide = [&](const store::Reader& reader, const audit::StorePlace& from,
                       const audit::StorePlace& to) -> Result<std::vector<audit::Draft>> {
        done.plan = copy_plan(from, to, options);
        if (const auto installation = TRY(reader.installation())) done.plan.installation = installation->id;
        done.plan.events.emplace_back(audit::StoreCopied{from, to});
        return permit_and_confirm(shell, reader, done.plan.events.front(), order, done.plan);
    };
    steps.copying = shell.progress("copying the store");
    steps.checking = shell.progress("checking the copy");
    const auto moved =
        shell.stores().move_store({options.from, options.to, options.conninfo},
                                  store::SealingKey([&root_key] { return authority::log_seal_key(root_key); }), steps);
    if (!moved && !is_only_shown(order, moved.error())) return moved.error();
    if (moved) {
        done.progress = moved->was_there ? authority::Progress::AlreadySo : authority::Progress::Applied;
        done.revision = moved->revision;
        done.plan.notes = {(moved->was_there ? "it was moved before: use --store " : "from now on: --store ") +
                           options.to + ", or MARQUE_STORE"};
        if (auto kept = moved->was_there ? Result<void>() : shell.host_files().set_known_log(options.to, *verified);
            !kept)
            done.plan.notes.push_back("the new folder does not know the log yet: " + kept.error().message);
        if (!moved->not_put_away.empty())
            done.plan.notes.push_back("the old store is closed, and its files are where they were: " +
                                      moved->not_put_away);
    }
    return shell.report(done, options.change);
}

void say_backed_up(Shell& shell, const std::string& path) {
    shell.say("backup written to " + escaped(path) +
              "; root.key is not in it: keep that apart. marque doctor --backup checks it");
}

// Backs up a store with an older schema, which can't be opened before it is migrated. Permission and the entry go
// through a migration to the schema that it has, which changes nothing else.
Result<int> back_up_older(Shell& shell, store::Maintenance& maintenance, int schema, const std::string& path,
                          const Options& options) {
    const auto order = TRY(shell.order(options.change));
    authority::Done done;
    done.plan.action = "store backup";
    done.plan.request = {{"path", path}};
    done.plan.changes.push_back({domain::StoreRef{}, {}, {{"backup", path}}});
    done.plan.events.emplace_back(audit::StoreBackedUp{path});
    enum class Stage { Permit, Record };
    const auto in_its_transaction = [&](Stage stage) {
        return maintenance.migrate(
            schema, [&](const store::Reader& reader, int, int) -> Result<std::vector<audit::Draft>> {
                auto drafts = TRY(permit_and_confirm(shell, reader, done.plan.events.front(), order, done.plan));
                if (stage == Stage::Permit) drafts.clear();
                return drafts;
            });
    };
    const auto permitted = in_its_transaction(Stage::Permit);
    if (!permitted && is_only_shown(order, permitted.error())) return shell.report(done, options.change);
    if (!permitted) return permitted.error();
    TRY(maintenance.backup(path, shell.progress("copying the store")));
    TRY(in_its_transaction(Stage::Record));
    done.progress = authority::Progress::Applied;
    const int code = shell.report(done, options.change);
    say_backed_up(shell, path);
    return code;
}

Result<int> run_backup(Shell& shell, const Options& options) {
    const std::string path = std::filesystem::absolute(options.path).lexically_normal();
    if (path.ends_with('/') || std::filesystem::is_directory(path))
        return Error(Code::InvalidRequest, quote(options.path, 200) + " is a folder", "name the backup's file");
    TRY(parse_free_text("path", path, 1000));
    if (std::filesystem::exists(path))
        return Error(Code::StateRefuses, quote(path, 200) + " exists; backups are never overwritten");
    const auto maintenance = TRY(open_maintenance(shell));
    if (const auto status = TRY(maintenance->status()); status.schema > 0 && status.schema < status.supported_schema)
        return back_up_older(shell, *maintenance, status.schema, path, options);
    const auto order = TRY(shell.order(options.change));
    authority::Authority& authority = *TRY(shell.authority());
    if (order.confirmation.is_given()) {
        authority::Order asked = order;
        asked.confirmation = authority::Confirmation::dry_run();
        TRY(order.confirmation.check(TRY(authority.record_backup(path, asked)).plan));
        TRY(maintenance->backup(path, shell.progress("copying the store")));
    }
    const auto done = TRY(authority.record_backup(path, order));
    const int code = shell.report(done, options.change);
    if (done.progress == authority::Progress::Applied && !shell.is_json()) say_backed_up(shell, path);
    return code;
}

Result<int> run_accept(Shell& shell, const Options& options) {
    const auto order = TRY(shell.order(options.change));
    const auto known = TRY(shell.host_files().known_log(shell.store_folder()));
    if (!known)
        return Error(Code::NotFound, "nothing is known of this store's log on this machine: no verifier has served it",
                     "run it where one does");
    const auto done = TRY(TRY(shell.authority())->accept_log(*known, order));
    return shell.report(done, options.change);
}

}  // namespace

void add_store(const Command& root, Shell& shell, Exit& exit) {
    const Command group =
        root.add_command("store", "The store: status, migrate, rollback, backup, rotate-key, copy, accept");
    group.needs_subcommand();
    on_run(group.add_command("status", "Show where the store is, and which schema it has"), shell, exit,
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

    auto rotation = std::make_shared<Options>();
    command = group.add_command("rotate-key", "Exchange the root key: everything that is sealed is sealed anew");
    add_change_options(command, rotation->change, Reason::Optional);
    on_run(command, shell, exit, rotation, run_rotate_key);

    auto copy = std::make_shared<CopyOptions>();
    command = group.add_command("copy", "Move the store, to PostgreSQL or back; the old one is closed");
    command.option("from", copy->from, "FROM", "The folder of the store", Presence::Required);
    command.option("to", copy->to, "TO", "The folder that it is to have: new, or empty", Presence::Required);
    command.option("--postgresql", copy->conninfo, "CONNINFO",
                   "Keep the new store in this PostgreSQL database, such as 'host=db.example.org dbname=marque'; "
                   "without a password");
    add_change_options(command, copy->change, Reason::Optional);
    on_run(command, shell, exit, copy, run_copy);

    auto accept = std::make_shared<Options>();
    command = group.add_command("accept", "Go on with a log that lacks what this machine's verifiers knew");
    add_change_options(command, accept->change, Reason::Required);
    add_approval_option(command, accept->change);
    on_run(command, shell, exit, accept, run_accept);
}

}  // namespace marque::cli
