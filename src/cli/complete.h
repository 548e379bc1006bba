// cli/complete.h: what may follow the words typed so far, for the shells.
//
//     marque complete bash|zsh|fish -- WORD…
//
// The scripts of `marque completion` call this and decide nothing by themselves. The last word is the one being
// typed, and may be empty. It is not in help, because people don't type it. It must never disturb the user who presses
// the tab key: it prints no error and ends with 0 after two seconds at the latest. A caller who is not an operator is
// offered what needs no store, and leaves no entry in the log.
#pragma once

#include <span>

#include "cli/shell.h"

namespace CLI {
class App;
}  // namespace CLI

namespace marque::cli {

// Returns true if the arguments are those of `marque complete`.
bool asks_to_complete(int argc, const char* const* argv);
// Prints a line for each word that may follow; the form is the shell's. The line `:files` or `:folders` stands for
// the names of those. Returns the exit code, which is 0.
int complete(CLI::App& root, Shell& shell, int argc, const char* const* argv);

}  // namespace marque::cli
