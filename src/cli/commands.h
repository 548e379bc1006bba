// cli/commands.h: the list of commands. A new one is a file here, a line in `add_commands`
// (cli/run.cpp) and a script in test/cli/.
#pragma once

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <memory>

#include "cli/shell.h"

namespace marque::cli {

// Where a command leaves its exit code.
struct Exit {
    int code = 0;
};

using AddCommand = void (*)(CLI::App& root, Shell& shell, Exit& exit);

void add_init(CLI::App& root, Shell& shell, Exit& exit);
void add_create(CLI::App& root, Shell& shell, Exit& exit);
void add_issue(CLI::App& root, Shell& shell, Exit& exit);
void add_rotate(CLI::App& root, Shell& shell, Exit& exit);
void add_activate(CLI::App& root, Shell& shell, Exit& exit);
void add_pause(CLI::App& root, Shell& shell, Exit& exit);
void add_resume(CLI::App& root, Shell& shell, Exit& exit);
void add_revoke(CLI::App& root, Shell& shell, Exit& exit);
void add_inspect(CLI::App& root, Shell& shell, Exit& exit);
void add_list(CLI::App& root, Shell& shell, Exit& exit);
void add_verify(CLI::App& root, Shell& shell, Exit& exit);
void add_audit(CLI::App& root, Shell& shell, Exit& exit);
void add_operator(CLI::App& root, Shell& shell, Exit& exit);
void add_owner(CLI::App& root, Shell& shell, Exit& exit);
void add_environment(CLI::App& root, Shell& shell, Exit& exit);
void add_workspace(CLI::App& root, Shell& shell, Exit& exit);
void add_store(CLI::App& root, Shell& shell, Exit& exit);
void add_doctor(CLI::App& root, Shell& shell, Exit& exit);
void add_completion(CLI::App& root, Shell& shell, Exit& exit);

// --confirm, --dry-run and --reason.
enum class Reason { Required, Optional, None };
void add_change_options(CLI::App& command, ChangeOptions& change, Reason reason);

// --token-stdin, for the commands that can be told whom they are about by a token.
void add_token_option(CLI::App& command, bool& from_stdin);

// NAME|CREDENTIAL, or the token on standard input. Errors: InvalidRequest when both or neither.
Result<authority::Target> target_of(const std::string& text, bool token_from_stdin);

// Sets `command`'s action: options of type Options live as long as the command does.
template <class Options, class Body>
void on_run(CLI::App& command, Shell& shell, Exit& exit, std::shared_ptr<Options> options, Body body) {
    command.callback([&shell, &exit, options, body] {
        exit.code = run_command(shell, [&] { return body(shell, *options); });
    });
}

}  // namespace marque::cli
