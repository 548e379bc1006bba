// marque help, and what --help prints.
#include "cli/help.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <fmt/format.h>

#include "base/text.h"
#include "cli/commands.h"
#include "cli/examples.h"
#include "cli/exit_codes.h"
#include "cli/table.h"

namespace marque::cli {
namespace {

constexpr std::size_t columns = 80;
// The column in which the explanation of an option, a command or an exit code begins.
constexpr std::size_t behind_option = 26, behind_command = 15, behind_code = 6;

// `text` in lines that begin with `indent` blanks; the first goes on at column `at`.
std::string wrapped(std::string_view text, std::size_t indent, std::size_t at) {
    std::string out;
    bool is_first = true;
    for (const std::string_view word : split(text, ' ')) {
        const std::size_t width = width_of(word);
        if (!is_first && at + 1 + width > columns) {
            out += "\n" + std::string(indent, ' ');
            at = indent;
        } else if (!is_first) {
            out += ' ';
            ++at;
        }
        out += word;
        at += width;
        is_first = false;
    }
    return out + "\n";
}

// A name in the left column, and what it is from `column` on.
std::string row(const std::string& name, std::string_view text, std::size_t column) {
    std::string line = "  " + name;
    const std::size_t width = width_of(line);
    line += width + 2 > column ? "\n" + std::string(column, ' ') : std::string(column - width, ' ');
    return line + wrapped(text, column, column);
}

std::string row_of(const CLI::Option& option) {
    std::string text = option.get_description();
    if (!option.get_envname().empty()) text += "; or " + option.get_envname();
    if (!option.get_default_str().empty()) text += " (default: " + option.get_default_str() + ")";
    if (option.get_required() && option.nonpositional()) text += " (required)";
    std::string name = option.nonpositional() ? "" : option.get_type_name();
    for (const std::string& one : names_of(option)) name += (name.empty() ? "" : ", ") + one;
    if (option.nonpositional() && !option.get_type_name().empty()) {
        // Only a flag's value is optional; it stands behind `=` alone.
        const std::string& type = option.get_type_name();
        name += takes_value(option) ? " " + type : "[=" + type.substr(1);
    }
    return row(name, text, behind_option);
}

std::string usage_of(const CLI::App& command) {
    std::string line = "Usage: " + full_path_of(command);
    const bool is_group = !command.get_subcommands({}).empty();
    line += is_group ? " [OPTION…] COMMAND [OPTION…]" : " [OPTION…]";
    for (const CLI::Option* option : command.get_options()) {
        if (option->nonpositional()) continue;
        const std::string more = option->get_expected_max() > 1 ? "…" : "";
        const std::string name = option->get_type_name() + more;
        line += option->get_required() ? " " + name : " [" + name + "]";
    }
    return line + "\n";
}

std::string text_of(const Example& example) {
    const std::string exit = example.exit == 0 ? "" : fmt::format(" (exit {})", example.exit);
    return fmt::format("  {}{}\n    {}\n", example.what, exit, example.line);
}

// Returns the examples of a command; for one with subcommands, the first example of each.
std::string examples_of(const CLI::App& command) {
    std::string text;
    if (const Page* page = page_of(path_of(command))) {
        for (const Example& example : page->examples) text += text_of(example);
    } else {
        for (const CLI::App* sub : command.get_subcommands({}))
            if (const Page* of_sub = page_of(path_of(*sub))) text += text_of(of_sub->examples.front());
    }
    return text;
}

std::string subcommands_of(const CLI::App& command) {
    std::string text = "\nCommands:\n";
    for (const CLI::App* sub : command.get_subcommands({}))
        text += row(sub->get_name(), sub->get_description(), behind_command);
    return text;
}

std::string grouped_commands(const CLI::App& root) {
    std::string text;
    for (const Group& group : groups()) {
        text += fmt::format("\n{}:\n", group.title);
        for (const std::string_view name : group.commands)
            if (const CLI::App* command = find_command(root, name))
                text += row(command->get_name(), command->get_description(), behind_command);
    }
    return text;
}

std::string options_of(const CLI::App& command, bool is_positional) {
    std::string text;
    for (const CLI::Option* option : command.get_options())
        if (option->nonpositional() != is_positional) text += row_of(*option);
    return text;
}

std::string section(const char* title, const std::string& text) {
    return text.empty() ? text : fmt::format("\n{}:\n{}", title, text);
}

std::string see_also(const CLI::App& command) {
    std::string text;
    if (const Page* page = page_of(path_of(command)))
        for (const std::string_view other : page->related)
            text += fmt::format("{}marque {}", text.empty() ? "See also: " : ", ", other);
    return text.empty() ? text : "\n" + wrapped(text, 0, 0);
}

std::string help_of_program(const CLI::App& root) {
    std::string text = wrapped(root.get_description(), 0, 0) + "\n" + usage_of(root);
    text += section("What to do first", examples_of(root)) + grouped_commands(root);
    text += section("Options of every command", options_of(root, false)) + "\nExit codes:\n";
    for (std::size_t code = 0; code < exit_codes.size(); ++code)
        text += row(fmt::format("{}", code), exit_codes[code], behind_code);
    return text + "\nHelp for a command: marque help COMMAND. The manual: man marque\n";
}

class Help final : public CLI::Formatter {
 public:
    std::string make_help(const CLI::App* app, std::string, CLI::AppFormatMode) const override { return help_of(*app); }
};

struct Options {
    std::vector<std::string> words;
};

Result<int> run_help(Shell& shell, const CLI::App& root, const Options& options) {
    const CLI::App* command = &root;
    for (const std::string& word : options.words) {
        const CLI::App* next = find_command(*command, word);
        if (next == nullptr) return unknown_command(*command, word);
        command = next;
    }
    shell.print_page(help_of(*command));
    return 0;
}

}  // namespace

std::string path_of(const CLI::App& command) {
    const CLI::App* parent = command.get_parent();
    if (parent == nullptr) return "";
    return parent->get_parent() == nullptr ? command.get_name() : path_of(*parent) + " " + command.get_name();
}

std::string full_path_of(const CLI::App& command) {
    return command.get_parent() == nullptr ? "marque" : "marque " + path_of(command);
}

const CLI::App* find_command(const CLI::App& parent, std::string_view name) {
    for (const CLI::App* command : parent.get_subcommands({}))
        if (command->get_name() == name) return command;
    return nullptr;
}

void for_each_command(const CLI::App& command, const std::function<void(const CLI::App&)>& visit) {
    visit(command);
    for (const CLI::App* sub : command.get_subcommands({})) for_each_command(*sub, visit);
}

std::vector<std::string> names_of(const CLI::Option& option) {
    std::vector<std::string> names;
    for (const std::string& name : option.get_snames()) names.push_back("-" + name);
    for (const std::string& name : option.get_lnames()) names.push_back("--" + name);
    return names;
}

bool takes_value(const CLI::Option& option) {
    return option.get_type_size_max() > 0 && option.get_expected_min() > 0;
}

Error unknown_command(const CLI::App& parent, const std::string& word) {
    std::vector<std::string> names;
    for (const CLI::App* command : parent.get_subcommands({})) names.push_back(command->get_name());
    const std::string best = closest(word, names);
    return Error(Code::InvalidRequest, quote(word) + " is no command of " + full_path_of(parent),
                 best.empty() ? "see " + full_path_of(parent) + " --help" : "did you mean " + best + "?");
}

std::string help_of(const CLI::App& command) {
    if (command.get_parent() == nullptr) return help_of_program(command);
    std::string text = wrapped(command.get_description() + ".", 0, 0) + "\n" + usage_of(command);
    if (!command.get_subcommands({}).empty()) text += subcommands_of(command);
    text += section("Examples", examples_of(command));
    text += section("Arguments", options_of(command, true)) + section("Options", options_of(command, false));
    return text + see_also(command) + "\nOptions of every command, and the exit codes: marque --help\n";
}

void set_help(CLI::App& root) {
    const auto formatter = std::make_shared<Help>();
    const std::function<void(CLI::App&)> set = [&](CLI::App& command) {
        command.formatter(formatter);
        command.get_help_ptr()->description("Show this help");
        for (CLI::App* sub : command.get_subcommands({})) set(*sub);
    };
    set(root);
}

std::string first_steps() {
    std::string text = "What to do first:\n";
    for (const Example& example : page_of("")->examples) text += text_of(example);
    return text + "All commands: marque --help";
}

void add_help(const Command& root, Shell& shell, Exit& exit) {
    auto options = std::make_shared<Options>();
    const Command command = root.add_command("help", "Show help for a command, as its --help does");
    command.words("words", options->words, "COMMAND", "Such as revoke, or audit verify");
    on_run(command, shell, exit, options,
           [&app = root.app()](Shell& s, const Options& o) { return run_help(s, app, o); });
}

}  // namespace marque::cli
