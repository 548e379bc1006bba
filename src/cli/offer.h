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

// What the words before the last one say.
struct Typed {
    CLI::App* command;
    std::vector<std::string> operands;
    std::vector<const CLI::Option*> given;
    CLI::Option* awaiting = nullptr;  // the option whose value the next word is
    bool has_only_operands = false;   // after --
    std::map<std::string, std::string> values;
};

// What may stand in place of `word`, which is begun, after `typed`.
std::vector<Candidate> offers(Shell& shell, const Typed& typed, const std::string& word);

// Of the command or of its parents, which accept theirs behind it, too. Null if there is none.
CLI::Option* find_option(CLI::App* command, const std::string& name);

}  // namespace marque::cli
