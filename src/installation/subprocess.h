// installation/subprocess.h: another program, run to its end or stopped.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace marque {

struct Subprocess {
    std::string program;                   // absolute path
    std::vector<std::string> arguments;    // without its name
    std::vector<std::string> environment;  // NAME=value; nothing else is inherited
    std::string input;                     // on its standard input
    // Files that are only in memory: an argument "%0" becomes the path of the first.
    std::vector<std::string> files;
    // Then it, and whatever it started that stayed in its group, is killed.
    Duration longest = std::chrono::seconds(10);
    std::string folder;           // where it runs; empty: where we are
    bool is_interactive = false;  // keeps the terminal: stays in this process's group
};

struct Ended {
    int status = -1;  // its exit code; -1: killed, by us or by somebody
    bool is_out_of_time = false;
    std::string output;  // the first 64 KiB of each
    std::string errors;
};

// Errors: Unavailable when it could not be started.
Result<Ended> run(const Subprocess& what);

}  // namespace marque
