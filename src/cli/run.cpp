#include "cli/run.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <algorithm>
#include <cstdlib>
#include <new>
#include <sstream>
#include <unistd.h>

#include "base/text.h"
#include "cli/commands.h"
#include "cli/complete.h"
#include "cli/delivery.h"
#include "cli/help.h"
#include "cli/version.h"
#include "domain/token.h"

namespace marque::cli {
namespace {

constexpr AddCommand commands[] = {
    add_init,      add_create, add_issue,  add_rotate,    add_activate, add_pause,  add_resume,   add_revoke,
    add_inspect,   add_list,   add_verify, add_audit,     add_operator, add_owner,  add_approval, add_environment,
    add_workspace, add_store,  add_serve,  add_verifiers, add_notify,   add_doctor, add_help,     add_completion,
};

void add_global_options(const Command& root, GlobalOptions& options) {
    root.option("--store", options.store, "DIR", "Folder of the store");
    root.from_environment("--store", "MARQUE_STORE");
    root.option("-w,--workspace", options.workspace, "NAME", "Workspace; needed when there is more than one");
    root.from_environment("--workspace", "MARQUE_WORKSPACE");
    root.one_of("-o,--output", options.output, {"text", "json"}, "FORM", "Form of the output: text or json");
    root.flag("--no-color", options.no_color, "No colours; so does NO_COLOR");
    root.flag("--absolute", options.has_absolute_times, "Times as dates (UTC), not as \"3 days ago\"");
    root.app().set_version_flag("--version", std::string("marque ") + version, "Show the version");
}

void describe_usage(CLI::App& app, CLI::App* parent) {
    app.fallthrough(parent != nullptr);
    for (CLI::App* command : app.get_subcommands({})) describe_usage(*command, &app);
}

std::vector<std::string> names_of_options(const CLI::App* app) {
    std::vector<std::string> names;
    for (; app != nullptr; app = app->get_parent())
        for (const CLI::Option* option : app->get_options())
            for (std::string& name : names_of(*option)) names.push_back(std::move(name));
    return names;
}

// Follows the words as far as they name commands; `word` is the first that does not.
struct Parsed {
    const CLI::App* command;
    std::string word;    // of a command that there isn't
    std::string option;  // of an option that there isn't
};

Parsed follow(const CLI::App& app, int argc, const char* const* argv) {
    Parsed parsed{&app, {}, {}};
    for (int i = 1; i < argc; ++i) {
        const std::string word = argv[i];
        if (word == "--") break;
        if (word.starts_with("-")) {
            const std::string name = word.substr(0, word.find('='));
            const auto known = names_of_options(parsed.command);
            if (parsed.option.empty() && (name.starts_with("--") || name.size() == 2) &&
                std::ranges::find(known, name) == known.end())
                parsed.option = name;
            continue;
        }
        const CLI::App* next = find_command(*parsed.command, word);
        if (next != nullptr)
            parsed.command = next;
        else if (parsed.word.empty() && !parsed.command->get_subcommands({}).empty() &&
                 (i == 1 || !std::string_view(argv[i - 1]).starts_with("-")))
            parsed.word = word;
    }
    return parsed;
}

// The option that was given more often than it may be, or null.
const CLI::Option* repeated_option(const CLI::App* command) {
    for (; command != nullptr; command = command->get_parent())
        for (const CLI::Option* option : command->get_options())
            if (option->nonpositional() && option->get_items_expected_max() <= 1 && option->count() > 1) return option;
    return nullptr;
}

std::string name_of(const CLI::Option& option) {
    return option.get_lnames().empty() ? "-" + option.get_snames().front() : "--" + option.get_lnames().front();
}

Error usage_error(const CLI::App& app, const CLI::ParseError& error, int argc, const char* const* argv) {
    const Parsed parsed = follow(app, argc, argv);
    const std::string path = full_path_of(*parsed.command);
    const std::string help = "see " + path + " --help";
    if (!parsed.word.empty()) return unknown_command(*parsed.command, parsed.word);
    if (!parsed.option.empty()) {
        const std::string best = closest(parsed.option, names_of_options(parsed.command));
        return Error(Code::InvalidRequest, quote(parsed.option) + " is no option of " + path,
                     best.empty() ? help : "did you mean " + best + "?");
    }
    if (const CLI::Option* option = repeated_option(parsed.command); option != nullptr)
        return Error(Code::InvalidRequest, name_of(*option) + " is given twice",
                     "give it once: it is not clear which one holds");
    if (!parsed.command->get_subcommands({}).empty())
        return Error(Code::InvalidRequest, "say what to do: " + path + " COMMAND", help);
    std::string message = escaped(error.what());
    if (!message.empty() && message[0] >= 'A' && message[0] <= 'Z')
        message[0] = static_cast<char>(message[0] + 'a' - 'A');
    // CLI11's message names a missing argument differently from the help page. Uses the name that the help page shows.
    for (const CLI::Option* option : parsed.command->get_options())
        if (option->get_positional() && message == option->get_name() + " is required")
            message = option->get_type_name() + " is missing";
    if (message.size() > 300) message = message.substr(0, 300) + "…";
    return Error(Code::InvalidRequest, message, help);
}

// Returns true if the words ask for JSON. For usage errors: then the options were not parsed.
bool wants_json(const std::vector<std::string_view>& words) {
    for (std::size_t i = 0; i < words.size() && words[i] != "--"; ++i) {
        if (words[i] == "-ojson" || words[i] == "--output=json" || words[i] == "-o=json") return true;
        if ((words[i] == "-o" || words[i] == "--output") && i + 1 < words.size() && words[i + 1] == "json") return true;
    }
    return false;
}

int parse_and_run(CLI::App& app, Shell& shell, const Exit& exit, int argc, const char* const* argv) {
    std::vector<std::string_view> words(argv + 1, argv + argc);
    const bool is_json = wants_json(words);
    for (const char* variable : {"MARQUE_STORE", "MARQUE_WORKSPACE"})
        if (const char* value = std::getenv(variable)) words.emplace_back(value);
    const auto refuse = [&](const Error& error) {
        if (is_json) shell.options.output = "json";
        shell.set_appearance();
        shell.say_error(error);
        return static_cast<int>(Code::InvalidRequest);
    };
    for (const std::string_view word : words) {
        if (word.starts_with("--") && word.ends_with("="))
            return refuse(Error(Code::InvalidRequest, quote(word) + " has no value"));
        if (domain::mentions_token(word))
            return refuse(Error(Code::InvalidRequest,
                                "a token is never given on the command line or in the environment",
                                "others on this machine could see it there: treat it as leaked, and end it with "
                                "marque revoke --token-stdin"));
    }
    app.parse_complete_callback([&shell] { shell.set_appearance(); });
    try {
        app.parse(argc, argv);
    } catch (const CLI::Success& success) {  // --help, --version
        std::ostringstream text;
        const int code = app.exit(success, text, text);
        return run_command(shell, [&]() -> Result<int> {
            shell.print_page(text.str());
            return code;
        });
    } catch (const CLI::ParseError& error) {
        shell.set_appearance();
        if (argc > 1) return refuse(usage_error(app, error, argc, argv));
        shell.say(first_steps());
        return static_cast<int>(Code::InvalidRequest);
    }
    return exit.code;
}

}  // namespace

void add_change_options(const Command& command, ChangeOptions& change, Reason reason) {
    command.flag_with_value(
        "--confirm", change.confirm, "[DIGEST|COUNT]",
        "Apply the plan. --confirm=DIGEST applies it only if it has not changed since it was shown, "
        "--confirm=COUNT only if it is about so many");
    command.flag("--dry-run", change.is_dry_run, "Show the plan and whether it would be refused; write nothing");
    command.flag("--no-wait", change.does_not_wait,
                 "Return at the commit, before every verifier knows of it (PostgreSQL)");
    change.needs_reason = reason == Reason::Required;
    if (reason == Reason::None) return;
    command.option("--reason", change.reason, "TEXT", "Why, for the log",
                   reason == Reason::Required ? Presence::Required : Presence::Optional);
}

void add_approval_option(const Command& command, ChangeOptions& change) {
    command.option("--approval", change.approval, "ID", "The owners' approval of exactly this command");
}

void add_token_option(const Command& command, bool& from_stdin) {
    command.flag("--token-stdin", from_stdin,
                 "Find it, and its workspace, by the token on standard input; this does not count as a use");
}

Result<authority::Target> target_of(const std::string& text, bool token_from_stdin) {
    if (token_from_stdin && !text.empty()) return Error(Code::InvalidRequest, "give a name or --token-stdin, not both");
    if (token_from_stdin) {
        Secret token = TRY(read_token_from_stdin());
        return authority::Target(authority::ByToken{std::move(token)});
    }
    if (text.empty()) return Error(Code::InvalidRequest, "say whom: a name, a credential's id, or --token-stdin");
    return authority::Target(authority::ByNameOrId{text});
}

namespace {

// Says it without a single allocation. What was under way may have been committed: only the log knows.
int end_without_memory(const Shell& shell) noexcept {
    constexpr std::string_view text =
        "marque: out of memory\n"
        "  what it was to change may be changed: look with marque inspect or audit list before you repeat it\n";
    constexpr std::string_view json =
        R"({"error":{"code":9,"error":"outcome_unknown","hint":"look before you repeat it","message":"out of memory"},)"
        "\"schema\":\"marque/1\"}\n";
    static_assert(static_cast<int>(Code::OutcomeUnknown) == 9);
    const std::string_view words = shell.is_json() ? json : text;
    // Nobody is left to hear of a failure here.
    if (::write(STDERR_FILENO, words.data(), words.size()) < 0) return static_cast<int>(Code::OutcomeUnknown);
    return static_cast<int>(Code::OutcomeUnknown);
}

int run(int argc, const char* const* argv, Shell& shell) {
    try {
        CLI::App app{"Marque: the authority over the machine identities of a self-hosted application.", "marque"};
        Exit exit;
        const Command root(app);
        add_global_options(root, shell.options);
        for (const AddCommand add : commands) add(root, shell, exit);
        describe_usage(app, nullptr);
        app.require_subcommand(1);
        set_help(app);
        if (asks_to_complete(argc, argv)) return complete(app, shell, argc, argv);
        return parse_and_run(app, shell, exit, argc, argv);
    } catch (const std::bad_alloc&) {
        return end_without_memory(shell);
    } catch (const std::exception& exception) {
        shell.say_error(Error(Code::Unexpected, escaped(exception.what())));
        return static_cast<int>(Code::Unexpected);
    }
}

}  // namespace

int run(int argc, const char* const* argv, System& system) noexcept {
    Shell shell(system);
    try {
        return run(argc, argv, shell);
    } catch (const std::bad_alloc&) {  // saying what had gone wrong
        return end_without_memory(shell);
    }
}

}  // namespace marque::cli
