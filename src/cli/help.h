// cli/help.h: help and the man page, made from the commands as they are and from cli/examples.h.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace marque::cli {

// "marque audit verify"; without the program's name "audit verify", and empty for the program itself.
std::string full_path_of(const CLI::App& command);
std::string path_of(const CLI::App& command);

// Returns the subcommand of that name, or null.
const CLI::App* find_command(const CLI::App& parent, std::string_view name);
void for_each_command(const CLI::App& command, const std::function<void(const CLI::App&)>& visit);
// Returns all names of an option, such as "-w" and "--workspace".
std::vector<std::string> names_of(const CLI::Option& option);
bool takes_value(const CLI::Option& option);

// Makes the error that `parent` has no subcommand `word`; its hint is the closest one that it has.
Error unknown_command(const CLI::App& parent, const std::string& word);

// Lets help of `root` and of all its commands look as help_of() gives it.
void set_help(CLI::App& root);
std::string help_of(const CLI::App& command);
// Returns what a newcomer types first. It is shown to a user who types `marque` alone.
std::string first_steps();

std::string man_page(const CLI::App& root, std::string_view version);

}  // namespace marque::cli
