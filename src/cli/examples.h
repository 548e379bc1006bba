// cli/examples.h: what help, the man page and completion's order of commands say beyond the options: the groups of
// commands, and for each command lines that can be typed, and related commands. It is described here once; a test
// types every line (test/cli/examples.py).
#pragma once

#include <span>
#include <string_view>
#include <vector>

namespace marque::cli {

// `line` is for a shell, at most 76 characters, so that it fits indented into 80 columns. `exit` is how it ends where
// everything is as the line takes it to be.
struct Example {
    std::string_view what, line;
    int exit = 0;
};

// `command` is a path such as "audit verify"; empty: the program as such. `related` are paths, too.
struct Page {
    std::string_view command;
    std::vector<Example> examples;
    std::vector<std::string_view> related;
};

struct Group {
    std::string_view title;
    std::vector<std::string_view> commands;
};

// In the order in which help shows them. Every command is in one group.
std::span<const Group> groups();

// Null for a command without a page: one that only has subcommands.
const Page* page_of(std::string_view command);

}  // namespace marque::cli
