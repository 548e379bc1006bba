// marque verifiers: who answers from memory, by which lease, and how far each has got.
#include <fmt/format.h>

#include "authority/resolve.h"
#include "base/text.h"
#include "cli/commands.h"

namespace marque::cli {
namespace {

using store::VerifierRow;

struct Options {
    ChangeOptions change;
    std::string removed;
};

// As far as the store knows: a verifier's own clock decides.
const char* state_of(const VerifierRow& row) {
    if (row.is_fenced) return "fenced";
    if (!row.closed.empty()) return "closed";
    return row.silent > store::longest_in_force(row.terms.lease) ? "silent" : "alive";
}

audit::JsonObject to_json(const VerifierRow& row) {
    return {{"id", row.id},
            {"name", row.terms.name},
            {"mode", name_of(row.terms.mode)},
            {"lease_ms", row.terms.lease / std::chrono::milliseconds(1)},
            {"state", state_of(row)},
            {"closed", row.closed},
            {"revision", row.acknowledged},
            {"since", to_rfc3339(row.since)},
            {"silent_ms", row.silent / std::chrono::milliseconds(1)}};
}

Result<int> run_list(Shell& shell, const Options&) {
    // Its permission, before the store is asked for what no reader has.
    TRY(TRY(shell.authority())->view_installation([](const authority::Authority::Overview&) -> Result<void> {
        return {};
    }));
    store::Verifiers* const verifiers = TRY(shell.open_store())->verifiers();
    if (verifiers == nullptr) {
        if (shell.is_json())
            shell.print_json({{"answers", "each asks the store first"}, {"verifiers", audit::JsonArray()}});
        else
            shell.say(
                "verifiers of this store ask it before each round of answers: none is waited for, none is listed");
        return 0;
    }
    const store::VerifierList list = TRY(verifiers->all());
    Table table({"VERIFIER", "STATE", "MODE", "LEASE", "REVISION", "RENEWED", "SINCE"});
    audit::JsonArray array;
    for (const VerifierRow& row : list.rows) {
        array.emplace_back(to_json(row));
        const std::string state = state_of(row);
        const auto behind = list.revision > row.acknowledged ? list.revision - row.acknowledged : 0;
        table.add(
            {escaped(row.terms.name), state == "alive" ? shell.paint().good(state) : shell.paint().bad(state),
             name_of(row.terms.mode), domain::to_text(row.terms.lease),
             behind == 0 ? std::to_string(row.acknowledged) : fmt::format("{}, {} behind", row.acknowledged, behind),
             fmt::format("{:.1f} s ago", std::chrono::duration<double>(row.silent).count()),
             when(row.since, shell.now())});
    }
    if (shell.is_json())
        shell.print_json({{"revision", list.revision}, {"verifiers", std::move(array)}});
    else if (list.rows.empty())
        shell.say("no verifier is registered");
    else
        shell.print(table);
    return 0;
}

// Finds the verifier whose id or name is `wanted`. Errors: NotFound; StateRefuses if more than one matches.
Result<VerifierRow> find(const store::VerifierList& list, const std::string& wanted) {
    std::vector<VerifierRow> found;
    std::vector<std::string> names;
    for (const VerifierRow& row : list.rows) {
        if (row.id == wanted || row.terms.name == wanted) found.push_back(row);
        names.push_back(row.terms.name);
    }
    if (found.size() == 1) return found.front();
    if (found.empty())
        return Error(Code::NotFound, "there is no verifier " + quote(wanted),
                     authority::did_you_mean(wanted, names, "see marque verifiers"));
    return Error(Code::StateRefuses, "more than one verifier is called " + quote(wanted),
                 "say which by its id: marque verifiers -o json");
}

Result<int> run_remove(Shell& shell, const Options& options) {
    const auto order = TRY(shell.order(options.change));
    authority::Authority& authority = *TRY(shell.authority());
    store::Verifiers* const verifiers = TRY(shell.open_store())->verifiers();
    if (verifiers == nullptr) return Error(Code::NotFound, "no verifier of this store is listed");
    const VerifierRow row = TRY(find(TRY(verifiers->all()), options.removed));
    const auto done = TRY(authority.remove_verifier(row, order));
    if (done.progress == authority::Progress::Applied) {
        TRY(verifiers->fence(row.id));
        if (row.terms.mode == store::Freshness::Lease) verifiers->pause(store::longest_in_force(row.terms.lease));
        TRY(verifiers->remove(row.id));
    }
    return shell.report(done, options.change);
}

Result<int> run_verifiers(Shell& shell, const Options& options) {
    return options.removed.empty() ? run_list(shell, options) : run_remove(shell, options);
}

}  // namespace

void add_verifiers(const Command& root, Shell& shell, Exit& exit) {
    auto options = std::make_shared<Options>();
    const Command command =
        root.add_command("verifiers", "List who answers from memory, and how far each has got (PostgreSQL)");
    command.option("--remove", options->removed, "NAME|ID", "Declare this one dead: changes wait for it no longer");
    add_change_options(command, options->change, Reason::Optional);
    add_approval_option(command, options->change);
    on_run(command, shell, exit, options, run_verifiers);
}

}  // namespace marque::cli
