// cli/offer.h: which values an option or an argument may have, and which options and commands there are.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "cli/shell.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace marque::cli {

struct Candidate {
    std::string value, help;
};

// The meaning of the words before the last one.
struct Typed {
    CLI::App* command;
    std::vector<std::string> operands;
    std::vector<const CLI::Option*> given;
    CLI::Option* awaiting = nullptr;  // the option whose value the next word is
    bool has_only_operands = false;   // after --
    std::map<std::string, std::string> values;
};

// Returns what can complete `word` after `typed`.
std::vector<Candidate> offers(Shell& shell, const Typed& typed, const std::string& word);

// Returns the option of that name, of the command or of one of its parents, or null. A parent's option may stand behind
// the subcommand, too.
CLI::Option* find_option(CLI::App* command, const std::string& name);

}  // namespace marque::cli
