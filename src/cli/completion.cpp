// marque completion bash|zsh|fish|man: made from the commands as they are, so they can't be out of date.
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/version.h"

namespace marque::cli {
namespace {

struct Options {
    std::string shell;
};

struct Word {
    std::string name, help;
};

bool takes_identity(const CLI::App& command) {
    for (const CLI::Option* option : command.get_options())
        if (option->nonpositional() == false && option->get_type_name() == "NAME|CREDENTIAL") return true;
    return command.get_name() == "issue";
}

std::vector<Word> options_of(const CLI::App& command) {
    std::vector<Word> words;
    for (const CLI::App* app = &command; app != nullptr; app = app->get_parent())
        for (const CLI::Option* option : app->get_options())
            for (const std::string& name : option->get_lnames())
                if (name != "version" || app->get_parent() == nullptr)
                    words.push_back({"--" + name, option->get_description()});
    return words;
}

std::vector<Word> words_of(const CLI::App& command) {
    std::vector<Word> words;
    for (const CLI::App* sub : command.get_subcommands({})) words.push_back({sub->get_name(), sub->get_description()});
    for (Word& word : options_of(command)) words.push_back(std::move(word));
    return words;
}

std::string path_of(const CLI::App& command) {
    return command.get_parent() == nullptr ? "" : path_of(*command.get_parent()) + command.get_name() + " ";
}

void for_each_command(const CLI::App& command, const std::function<void(const CLI::App&)>& visit) {
    visit(command);
    for (const CLI::App* sub : command.get_subcommands({})) for_each_command(*sub, visit);
}

// Case lines: the words typed so far, and what may follow.
std::string bash_cases(const CLI::App& root) {
    std::string cases;
    for_each_command(root, [&](const CLI::App& command) {
        std::string names;
        for (const Word& word : words_of(command)) names += (names.empty() ? "" : " ") + word.name;
        const std::string dynamic = takes_identity(command) ? " $(marque list --names 2>/dev/null)" : "";
        cases += fmt::format("        \"{}\") words=\"{}{}\" ;;\n", path_of(command), names, dynamic);
    });
    return cases;
}

std::string bash(const CLI::App& root) {
    return "# bash completion for marque: source it, or put it into /usr/share/bash-completion/completions/marque\n"
           "_marque() {\n"
           "    local path=\"\" words=\"\" i\n"
           "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
           "        [[ ${COMP_WORDS[i]} == -* ]] && continue\n"
           "        case \" $(_marque_commands) \" in *\" $path${COMP_WORDS[i]} \"*) path+=\"${COMP_WORDS[i]} \" ;; "
           "esac\n"
           "    done\n"
           "    case \"$path\" in\n" +
           bash_cases(root) +
           "    esac\n"
           "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"${COMP_WORDS[COMP_CWORD]}\")\n"
           "}\n";
}

std::string bash_script(const CLI::App& root) {
    std::string list;
    for_each_command(root, [&](const CLI::App& command) {
        if (command.get_parent() == nullptr) return;
        list += " ; " + path_of(command);
    });
    return "_marque_commands() { printf '%s' ' ; " + list + "'; }\n" + bash(root) +
           "complete -o default -F _marque marque\n";
}

// zsh and fish have descriptions.
std::string quoted_for_shell(const std::string& text) {
    std::string out;
    for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return "'" + out + "'";
}

std::string zsh_script(const CLI::App& root) {
    std::string cases;
    for_each_command(root, [&](const CLI::App& command) {
        std::string lines;
        for (const Word& word : words_of(command)) {
            std::string help = word.help;
            for (char& c : help)
                if (c == ':') c = ',';
            lines += " " + quoted_for_shell(word.name + ":" + help);
        }
        cases += fmt::format("        '{}') words=({}) ;;\n", path_of(command), lines);
    });
    std::string paths;
    for_each_command(root, [&](const CLI::App& command) {
        if (command.get_parent() != nullptr) paths += " '" + path_of(command) + "'";
    });
    return "#compdef marque\n"
           "_marque() {\n"
           "    local at='' word\n"
           "    local -a words known\n"
           "    known=(" +
           paths +
           ")\n"
           "    for word in ${(@)${(@s: :)LBUFFER}[2,-1]}; do\n"
           "        [[ $word == -* ]] && continue\n"
           "        (( ${known[(Ie)$at$word ]} )) && at+=\"$word \"\n"
           "    done\n"
           "    case $at in\n" +
           cases +
           "    esac\n"
           "    _describe marque words\n"
           "}\n"
           "compdef _marque marque\n";
}

std::string fish_script(const CLI::App& root) {
    std::string lines = "# fish completion for marque\ncomplete -c marque -f\n";
    for_each_command(root, [&](const CLI::App& command) {
        std::string condition = "__fish_use_subcommand";
        std::string siblings;
        for (const CLI::App* sub : command.get_subcommands({})) siblings += " " + sub->get_name();
        if (command.get_parent() != nullptr) {
            condition = "__fish_seen_subcommand_from " + command.get_name();
            if (command.get_parent()->get_parent() != nullptr)
                condition = "__fish_seen_subcommand_from " + command.get_parent()->get_name() + "; and " + condition;
            if (!siblings.empty()) condition += "; and not __fish_seen_subcommand_from" + siblings;
        }
        for (const CLI::App* sub : command.get_subcommands({}))
            lines += fmt::format("complete -c marque -n {} -a {} -d {}\n", quoted_for_shell(condition), sub->get_name(),
                                 quoted_for_shell(sub->get_description()));
        for (const CLI::Option* option : command.get_options())
            for (const std::string& name : option->get_lnames())
                lines += fmt::format("complete -c marque -n {} -l {} -d {}\n",
                                     command.get_parent() == nullptr ? "true" : quoted_for_shell(condition), name,
                                     quoted_for_shell(option->get_description()));
        if (takes_identity(command))
            lines += fmt::format("complete -c marque -n {} -a '(marque list --names 2>/dev/null)'\n",
                                 quoted_for_shell(condition));
    });
    return lines;
}

// roff: a hyphen that is typed is \-, and a line must not begin with a dot.
std::string roff(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '-')
            out += "\\-";
        else if (c == '\\')
            out += "\\e";
        else
            out += c;
    }
    return out;
}

std::string man_option(const CLI::Option& option) {
    std::string names;
    for (const std::string& name : option.get_snames()) names += (names.empty() ? "-" : ", -") + name;
    for (const std::string& name : option.get_lnames()) names += (names.empty() ? "--" : ", --") + name;
    const bool is_positional = names.empty();
    const std::string type = option.get_type_name();
    if (is_positional)
        names = type;
    else if (!type.empty())
        names += " " + type;
    return fmt::format(".TP\n.B {}\n{}\n", roff(names), roff(option.get_description()));
}

std::string man_page(const CLI::App& root) {
    std::string page = fmt::format(
        ".TH MARQUE 1 \"\" \"marque {}\"\n.SH NAME\nmarque \\- the authority over the machine identities of a "
        "self\\-hosted application\n.SH SYNOPSIS\n.B marque\n.I COMMAND\n[\\fIOPTION\\fR ...]\n"
        ".SH DESCRIPTION\nCreates, rotates, pauses, revokes and inspects the identities of agents and services and "
        "their credentials. Data goes to standard output, words to standard error. A command that changes something "
        "shows its plan until it is confirmed.\n.SH OPTIONS OF EVERY COMMAND\n",
        version);
    for (const CLI::Option* option : root.get_options()) page += man_option(*option);
    page += ".SH COMMANDS\n";
    for_each_command(root, [&](const CLI::App& command) {
        if (command.get_parent() == nullptr) return;
        page += fmt::format(".SS marque {}\n{}.\n", roff(path_of(command)), roff(command.get_description()));
        for (const CLI::Option* option : command.get_options())
            if (option->get_name() != "--help") page += man_option(*option);
    });
    page += ".SH EXIT STATUS\n";
    static constexpr const char* codes[] = {"done",
                                            "unexpected",
                                            "usage",
                                            "refused by state; for \\fBmarque verify\\fR: the token is not accepted",
                                            "permission denied",
                                            "not confirmed, the plan was shown",
                                            "an owner's approval is needed",
                                            "not found",
                                            "the store is unavailable, nothing changed",
                                            "outcome unknown, look before repeating",
                                            "corrupt or tampered with"};
    for (std::size_t i = 0; i < std::size(codes); ++i) page += fmt::format(".TP\n.B {}\n{}\n", i, codes[i]);
    page +=
        ".SH ENVIRONMENT\n.TP\n.B MARQUE_STORE\nfolder of the store\n.TP\n.B MARQUE_WORKSPACE\nworkspace\n"
        ".TP\n.B NO_COLOR\nno colours\n.SH FILES\n.TP\n.I $XDG_DATA_HOME/marque\nthe store, when nothing else is said: "
        "marque.db and root.key\n";
    return page;
}

Result<int> run_completion(Shell& shell, const CLI::App& root, const Options& options) {
    if (shell.is_json())
        return Error(Code::InvalidRequest, "completion prints a script, and no JSON", "leave out -o json");
    if (options.shell == "bash") shell.print(bash_script(root));
    if (options.shell == "zsh") shell.print(zsh_script(root));
    if (options.shell == "fish") shell.print(fish_script(root));
    if (options.shell == "man") shell.print(man_page(root));
    return 0;
}

}  // namespace

void add_completion(const Command& root, Shell& shell, Exit& exit) {
    auto options = std::make_shared<Options>();
    const Command command = root.add_command("completion", "Print completion for bash, zsh or fish, or the man page");
    command.one_of("for", options->shell, {"bash", "zsh", "fish", "man"}, "SHELL", "bash, zsh, fish or man",
                   Presence::Required);
    on_run(command, shell, exit, options,
           [&app = root.app()](Shell& s, const Options& o) { return run_completion(s, app, o); });
}

}  // namespace marque::cli
