// cli/audit_list.h: marque audit list, and how an entry is printed.
#pragma once

#include "audit/entry.h"
#include "cli/commands.h"

namespace marque::cli {

// Prints an entry: a line for people, or its canonical JSON.
void print_entry(Shell& shell, const audit::Entry& entry, Instant now);

// Adds `list` to the command `audit`.
void add_list_command(const Command& audit, Shell& shell, Exit& exit);

}  // namespace marque::cli
