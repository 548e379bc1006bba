#include "cli/offer.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <algorithm>

#include "authority/filter.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/help.h"

namespace marque::cli {
namespace {

using namespace domain;

constexpr std::size_t most_read = 1000;             // identities
constexpr std::size_t most_with_credentials = 200;  // identities of which credentials are read

enum class Source {
    Nothing,
    Commands,
    Files,
    Folders,
    Workspaces,
    Environments,
    Identities,
    Targets,  // identities, and credentials once an id is begun
    Scopes,
    Kinds,
    States,
    Permissions,
    AncestryStates,
    Approvals,
    Operators,
    Owners,
    Verifiers,
};

// Which values an option or argument takes; the first rule holds whose command (or group of commands) and whose name
// (of an argument: its type) are those. An empty field holds for all. What has choices of its own needs no rule.
struct Rule {
    std::string_view command, name;
    Source source;
};
constexpr Rule rules[] = {
    {"init", "--operator", Source::Nothing},
    {"operator add", "NAME", Source::Nothing},
    {"workspace add", "NAME", Source::Nothing},
    {"environment add", "NAME", Source::Nothing},
    {"create", "NAME", Source::Nothing},
    {"operator", "NAME", Source::Operators},
    {"workspace", "NAME", Source::Workspaces},
    {"environment", "NAME", Source::Environments},
    {"issue", "NAME", Source::Identities},
    {"help", "COMMAND", Source::Commands},
    {"approval", "ID", Source::Approvals},
    {"owner remove", "SHA256:…", Source::Owners},
    {"", "NAME|CREDENTIAL", Source::Targets},
    {"", "--workspace", Source::Workspaces},
    {"", "--env", Source::Environments},
    {"", "--identity", Source::Identities},
    {"", "--scope", Source::Scopes},
    {"", "--kind", Source::Kinds},
    {"", "--state", Source::States},
    {"", "--permission", Source::Permissions},
    {"", "--filter", Source::AncestryStates},
    {"", "--approval", Source::Approvals},
    {"", "--operator", Source::Operators},
    {"", "--remove", Source::Verifiers},
    {"", "DIR", Source::Folders},
    {"", "FROM", Source::Folders},
    {"", "TO", Source::Folders},
    {"", "FILE", Source::Files},
    {"", "FILE.pub", Source::Files},
    {"", "FILE.sig", Source::Files},
    {"", "[NAME=]FILE.pub", Source::Files},
    {"", "PATH", Source::Files},
};

bool is_within(std::string_view path, std::string_view command) {
    return command.empty() || path == command || (path.starts_with(command) && path[command.size()] == ' ');
}

Source source_of(const CLI::App& command, const CLI::Option& option) {
    const std::string path = path_of(command), type = option.get_type_name();
    const auto names = names_of(option);
    for (const Rule& rule : rules)
        if (is_within(path, rule.command) &&
            (std::ranges::find(names, rule.name) != names.end() || (type == rule.name)) &&
            // NAME is the type of options of many kinds, which rules know by their names.
            (type != "NAME" || rule.name != "NAME" || names.empty()))
            return rule.source;
    return Source::Nothing;
}

std::vector<std::string> choices_of(CLI::Option& option) {
    std::vector<std::string> choices;
    try {
        for (int i = 0;; ++i) {
            const std::string name = option.get_validator(i)->get_name();
            if (!name.starts_with(choices_prefix)) continue;
            for (const std::string_view choice : split(std::string_view(name).substr(choices_prefix.size()), ' '))
                choices.emplace_back(choice);
        }
    } catch (const CLI::OptionNotFound&) {  // there are no more validators
    }
    return choices;
}

// The workspaces that the caller may view, and what is in them.
class Sight {
 public:
    Sight(const store::Reader& reader, Operator who, std::string workspace)
        : reader_(reader), who_(std::move(who)), chosen_(std::move(workspace)) {}

    bool sees_all() const { return authority::holds(who_, std::nullopt, Permission::View); }

    Result<std::vector<Workspace>> workspaces() const {
        std::vector<Workspace> seen;
        for (Workspace& workspace : TRY(reader_.workspaces(store::Listing::AsFound)))
            if (workspace.condition.stored != Standing::Revoked &&
                authority::holds(who_, workspace.name, Permission::View))
                seen.push_back(std::move(workspace));
        return seen;
    }
    // None when it isn't clear which is meant.
    Result<std::optional<WorkspaceName>> workspace() const {
        const auto seen = TRY(workspaces());
        for (const Workspace& one : seen)
            if (one.name.text() == chosen_ || (chosen_.empty() && seen.size() == 1)) return std::optional(one.name);
        return std::optional<WorkspaceName>();
    }

    // In the order of their names, those that begin with `begin`.
    Result<std::vector<Identity>> identities(const std::string& begin) const {
        std::vector<Identity> found;
        const auto workspace = TRY(this->workspace());
        if (!workspace) return found;
        std::optional<IdentityName> after;
        if (auto name = IdentityName::parse(begin)) {
            if (auto exact = TRY(reader_.identity(*workspace, *name))) found.push_back(std::move(*exact));
            after = *name;
        }
        for (Identity& identity : TRY(reader_.identities(*workspace, after, most_read, store::Listing::AsFound)))
            if (identity.name.text().starts_with(begin)) found.push_back(std::move(identity));
        return found;
    }

    const store::Reader& reader() const { return reader_; }
    const Operator& who() const { return who_; }

 private:
    const store::Reader& reader_;
    Operator who_;
    std::string chosen_;
};

class Offer {
 public:
    Offer(Shell& shell, const Typed& typed) : shell_(shell), typed_(typed) {}

    // Puts what `option` takes, and begins with `begin`, into `candidates`, each after `before`.
    void values(CLI::Option& option, const std::string& begin, const std::string& before) {
        begin_ = begin;
        before_ = before;
        for (const std::string& choice : choices_of(option)) add(choice, "");
        const Source source = source_of(*typed_.command, option);
        if (source == Source::AncestryStates) return conditions();
        takes_many_scopes_ = option.get_type_name() != "SCOPE";
        of(source);
    }

    void options() {
        for (const CLI::App* app = typed_.command; app != nullptr; app = app->get_parent())
            for (const CLI::Option* option : app->get_options()) {
                const bool is_again = std::ranges::count(typed_.given, option) != 0 && option->get_expected_max() <= 1;
                if (is_again || (option->get_name() == "--help" && app != typed_.command)) continue;
                for (const std::string& name : names_of(*option))
                    if (name.starts_with("--")) add(name, option->get_description());
            }
    }

    void commands(const CLI::App& parent) {
        for (const CLI::App* sub : parent.get_subcommands({})) add(sub->get_name(), sub->get_description());
    }

    void begin_with(const std::string& begin) { begin_ = begin; }
    bool is_empty() const { return candidates_.empty(); }
    const std::vector<Candidate>& candidates() const { return candidates_; }

 private:
    void add(const std::string& value, const std::string& help) {
        if (value.starts_with(begin_)) candidates_.push_back({before_ + value, help});
    }

    void of(Source source) {
        switch (source) {
            case Source::Nothing:
                return;
            case Source::AncestryStates:
                return;  // of its own form: conditions()
            case Source::Files:
                return candidates_.push_back({":files", ""});
            case Source::Folders:
                return candidates_.push_back({":folders", ""});
            case Source::Commands: {
                const CLI::App* command = typed_.command->get_parent();
                for (const std::string& word : typed_.operands)
                    if (command != nullptr) command = find_command(*command, word);
                if (command != nullptr) commands(*command);
                return;
            }
            case Source::Kinds:
                for (const MachineKind kind : {MachineKind::Agent, MachineKind::Service, MachineKind::Ci})
                    add(name_of(kind), "");
                return;
            case Source::States:
                for (const std::string_view state : authority::all_states) add(std::string(state), "");
                return;
            case Source::Permissions:
                for (const Permission permission : {Permission::View, Permission::Manage}) {
                    add(name_of(permission), "");
                    add(std::string(name_of(permission)).substr(std::string("workspace:").size()), "");
                }
                return;
            case Source::Scopes:
                begin_after_comma();
                for (const Preset& preset : presets()) {
                    add_scope(std::string(preset.name), "a preset");
                    for (const std::string_view scope : preset.scopes) add_scope(std::string(scope), "");
                }
                break;
            case Source::Verifiers:
                return verifiers();
            case Source::Workspaces:
            case Source::Environments:
            case Source::Identities:
            case Source::Targets:
            case Source::Approvals:
            case Source::Operators:
            case Source::Owners:
                break;
        }
        // Nothing is offered without a store, or to a caller who may not view it.
        (void)see([&](const Sight& sight) { return from_store(source, sight); });
    }

    Result<void> see(const std::function<Result<void>(const Sight&)>& view) {
        store::Store& store = *TRY(shell_.open_store());
        const audit::Process caller = TRY(shell_.host().caller());
        return store.read([&](const store::Reader& reader) -> Result<void> {
            const auto who = TRY(reader.operator_with_uid(caller.uid));
            return who ? view(Sight(reader, *who, shell_.options.workspace)) : Result<void>();
        });
    }

    Result<void> from_store(Source source, const Sight& sight) {
        if (source == Source::Workspaces) {
            for (const Workspace& workspace : TRY(sight.workspaces())) add(workspace.name.text(), "");
        } else if (source == Source::Environments) {
            if (const auto workspace = TRY(sight.workspace()))
                for (const Environment& one : TRY(sight.reader().environments(*workspace, store::Listing::AsFound)))
                    if (one.condition.stored != Standing::Revoked)
                        add(one.name.text(), one.protection == Protection::Protected ? "protected" : "");
        } else if (source == Source::Identities || source == Source::Targets) {
            TRY(targets(sight, source == Source::Targets));
        } else if (source == Source::Scopes) {
            for (const Identity& identity : TRY(sight.identities("")))
                for (const Scope& scope : identity.scopes.scopes()) add_scope(scope.text(), "");
        } else if (source == Source::Approvals) {
            for (const Approval& one : TRY(sight.reader().approvals(shell_.now(), most_read, store::Listing::AsFound)))
                if (authority::holds(sight.who(), one.workspace, Permission::View))
                    add(one.id.string(), one.action + ", asked by " + one.requester.text());
        } else if (source == Source::Operators && sight.sees_all()) {
            for (const Operator& one : TRY(sight.reader().operators()))
                if (!one.is_removed) add(one.name.text(), "");
        } else if (source == Source::Owners && sight.sees_all()) {
            for (const Owner& owner : TRY(sight.reader().owners()))
                add(owner.fingerprint, owner.operator_name ? "of " + owner.operator_name->text() : "");
        }
        return {};
    }

    // Revoked identities are offered only to commands that show them. Ids of credentials are offered once the user has
    // typed the beginning of one, because reading all of them takes long.
    Result<void> targets(const Sight& sight, bool has_credentials) {
        const std::string command = path_of(*typed_.command);
        const bool takes_revoked = command == "inspect" || command.starts_with("audit");
        for (const Identity& identity : TRY(sight.identities(begin_)))
            if (takes_revoked || identity.condition.stored != Standing::Revoked)
                add(identity.name.text(), std::string(name_of(identity.kind)) + " in " + identity.environment.text());
        if (!has_credentials || begin_.empty() || begin_.size() > 12) return {};
        std::size_t read = 0;
        for (const Identity& identity : TRY(sight.identities(""))) {
            if (++read > most_with_credentials) break;
            for (const Credential& one :
                 TRY(sight.reader().credentials(identity.workspace, identity.name, store::Listing::AsFound)))
                add(std::string(one.id.text()), "a credential of " + identity.name.text());
        }
        return {};
    }

    void verifiers() {
        (void)see([&](const Sight& sight) -> Result<void> {
            is_manager_ = sight.sees_all();
            return {};
        });
        auto store = shell_.open_store();
        if (!is_manager_ || !store || (*store)->verifiers() == nullptr) return;
        if (const auto all = (*store)->verifiers()->all())
            for (const store::VerifierRow& row : all->rows) add(row.terms.name, "");
    }

    // `a,b,c`: all but the last stay as they are, and are not offered again.
    void begin_after_comma() {
        const std::size_t comma = takes_many_scopes_ ? begin_.rfind(',') : std::string::npos;
        if (comma == std::string::npos) return;
        listed_ = "," + begin_.substr(0, comma + 1);
        before_ += begin_.substr(0, comma + 1);
        begin_ = begin_.substr(comma + 1);
    }
    void add_scope(const std::string& scope, const std::string& help) {
        if (listed_.find("," + scope + ",") == std::string::npos) add(scope, help);
    }

    // env=NAME and the like.
    void conditions() {
        const std::size_t equals = begin_.find('=');
        if (equals == std::string::npos) {
            for (const char* key : {"env=", "kind=", "state=", "expiring=", "unused=", "label."}) add(key, "");
            return;
        }
        const std::string key = begin_.substr(0, equals);
        before_ += key + "=";
        begin_ = begin_.substr(equals + 1);
        if (key == "env") of(Source::Environments);
        if (key == "kind") of(Source::Kinds);
        if (key == "state") of(Source::States);
    }

    Shell& shell_;
    const Typed& typed_;
    std::string begin_, before_, listed_;
    bool takes_many_scopes_ = false, is_manager_ = false;
    std::vector<Candidate> candidates_;
};

CLI::Option* next_argument(const Typed& typed) {
    std::size_t number = 0;
    for (CLI::Option* option : typed.command->get_options()) {
        if (option->nonpositional()) continue;
        if (number++ == typed.operands.size() || option->get_expected_max() > 1) return option;
    }
    return nullptr;
}

void offer_next(Offer& offer, const Typed& typed, const std::string& word) {
    offer.begin_with(word);
    const std::size_t equals = word.find('=');
    if (typed.awaiting != nullptr) return offer.values(*typed.awaiting, word, "");
    if (!typed.has_only_operands && word.starts_with("--") && equals != std::string::npos) {
        CLI::Option* option = find_option(typed.command, word.substr(0, equals));
        if (option != nullptr) offer.values(*option, word.substr(equals + 1), word.substr(0, equals + 1));
        return;
    }
    if (!typed.has_only_operands && word.starts_with("-")) return offer.options();
    if (!typed.command->get_subcommands({}).empty()) {
        if (typed.operands.empty()) offer.commands(*typed.command);
        return;
    }
    if (CLI::Option* argument = next_argument(typed)) offer.values(*argument, word, "");
    if (offer.is_empty() && word.empty() && !typed.has_only_operands) offer.options();
}

}  // namespace

CLI::Option* find_option(CLI::App* command, const std::string& name) {
    for (; command != nullptr; command = command->get_parent())
        for (CLI::Option* option : command->get_options())
            if (std::ranges::count(names_of(*option), name) != 0) return option;
    return nullptr;
}

std::vector<Candidate> offers(Shell& shell, const Typed& typed, const std::string& word) {
    Offer offer(shell, typed);
    offer_next(offer, typed, word);
    return offer.candidates();
}

}  // namespace marque::cli
