// The man page: the same words as help's, for man(1).
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <fmt/format.h>

#include "cli/examples.h"
#include "cli/exit_codes.h"
#include "cli/help.h"

namespace marque::cli {
namespace {

// A hyphen that is typed is \-, and a line must not begin with a dot or an apostrophe.
std::string roff(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if ((c == '.' || c == '\'') && out.empty())
            out += std::string("\\&") + c;
        else if (c == '-')
            out += "\\-";
        else if (c == '\\')
            out += "\\e";
        else if (c == '~')
            out += "\\(ti";
        else
            out += c;
    }
    return out;
}

std::string entry(std::string_view name, std::string_view text) {
    return fmt::format(".TP\n.B {}\n{}\n", roff(name), roff(text));
}

std::string entry_of(const CLI::Option& option) {
    std::string names;
    for (const std::string& name : names_of(option)) names += (names.empty() ? "" : ", ") + name;
    const std::string type = option.get_type_name();
    if (names.empty())
        names = type;
    else if (!type.empty())
        names += takes_value(option) ? " " + type : "[=" + type.substr(1);
    std::string text = option.get_description();
    if (!option.get_default_str().empty()) text += " (default: " + option.get_default_str() + ")";
    return entry(names, text);
}

std::string examples_of(std::string_view command) {
    const Page* page = page_of(command);
    if (page == nullptr) return "";
    std::string text;
    for (const Example& example : page->examples) {
        const std::string exit = example.exit == 0 ? "" : fmt::format(" (exit {})", example.exit);
        text += fmt::format(".PP\n{}{}:\n.RS\n.EX\n{}\n.EE\n.RE\n", roff(example.what), exit, roff(example.line));
    }
    return text;
}

std::string related_to(std::string_view command) {
    const Page* page = page_of(command);
    std::string text;
    if (page != nullptr)
        for (const std::string_view other : page->related)
            text += fmt::format("{}\\fBmarque {}\\fR", text.empty() ? ".PP\nSee also " : ", ", roff(other));
    return text.empty() ? text : text + ".\n";
}

std::string section_of(const CLI::App& command) {
    std::string text = fmt::format(".SS {}\n{}.\n", roff(full_path_of(command)), roff(command.get_description()));
    for (const CLI::Option* option : command.get_options())
        if (option->get_name() != "--help") text += entry_of(*option);
    return text + examples_of(path_of(command)) + related_to(path_of(command));
}

std::string entries_of_environment(const CLI::App& root) {
    std::string text;
    for (const CLI::Option* option : root.get_options())
        if (!option->get_envname().empty()) text += entry(option->get_envname(), option->get_description());
    return text + entry("NO_COLOR", "No colours, unless it is empty") + entry("TERM", "No colours if it is dumb") +
           entry("XDG_DATA_HOME", "Where the store is, if nothing else says so; else ~/.local/share");
}

// The day of the last change to what the page says. The day of the build would make each build another page.
constexpr const char* date_of_manual = "2026-11-30";

constexpr const char* introduction =
    "Marque creates, rotates, pauses, revokes and inspects the identities of agents and services, and their "
    "credentials. Data goes to standard output, and messages to standard error. A command that changes something "
    "shows its plan, and applies it only with \\-\\-confirm.\n";

}  // namespace

std::string man_page(const CLI::App& root, std::string_view version) {
    std::string page = fmt::format(
        ".TH MARQUE 1 {} \"marque {}\" \"User Commands\"\n.SH NAME\nmarque \\- the authority over the machine "
        "identities of a self\\-hosted application\n.SH SYNOPSIS\n.B marque\n[\\fIOPTION\\fR ...]\n.I COMMAND\n"
        "[\\fIOPTION\\fR ...]\n.SH DESCRIPTION\n",
        date_of_manual, version);
    page += introduction;
    page += ".PP\nWhat to do first:\n" + examples_of("") + ".SH OPTIONS OF EVERY COMMAND\n";
    for (const CLI::Option* option : root.get_options()) page += entry_of(*option);
    for (const Group& group : groups()) {
        std::string title(group.title);
        for (char& c : title) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
        page += ".SH " + title + "\n";
        for (const std::string_view name : group.commands)
            if (const CLI::App* command = find_command(root, name))
                for_each_command(*command, [&](const CLI::App& one) { page += section_of(one); });
    }
    page += ".SH EXIT STATUS\n";
    for (std::size_t code = 0; code < exit_codes.size(); ++code)
        page += entry(fmt::format("{}", code), exit_codes[code]);
    page += ".SH ENVIRONMENT\n" + entries_of_environment(root) + ".SH FILES\n";
    page += entry("~/.local/share/marque", "The store's folder, unless --store or MARQUE_STORE says another");
    page += entry("marque.db", "In it: the database; instead of it postgresql.conninfo, with a store in PostgreSQL");
    page +=
        entry("root.key", "In it: the key that tokens are hashed and rows sealed with; no backup of marque.db has it");
    page += entry("hooks.toml", "In it: programs to run when somebody is to be told");
    page += entry("/etc/marque/marque.toml", "Settings of marque serve, where --config names it");
    return page;
}

}  // namespace marque::cli
