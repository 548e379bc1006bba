// cli/commands.h: the list of commands. A new one is a file here, a line in `add_commands`
// (cli/run.cpp) and a script in test/cli/.
#pragma once

#include <memory>

#include "cli/command.h"
#include "cli/shell.h"

namespace marque::cli {

// Where a command leaves its exit code.
struct Exit {
    int code = 0;
};

using AddCommand = void (*)(const Command& root, Shell& shell, Exit& exit);

void add_init(const Command& root, Shell& shell, Exit& exit);
void add_create(const Command& root, Shell& shell, Exit& exit);
void add_issue(const Command& root, Shell& shell, Exit& exit);
void add_rotate(const Command& root, Shell& shell, Exit& exit);
void add_activate(const Command& root, Shell& shell, Exit& exit);
void add_pause(const Command& root, Shell& shell, Exit& exit);
void add_resume(const Command& root, Shell& shell, Exit& exit);
void add_revoke(const Command& root, Shell& shell, Exit& exit);
void add_inspect(const Command& root, Shell& shell, Exit& exit);
void add_list(const Command& root, Shell& shell, Exit& exit);
void add_verify(const Command& root, Shell& shell, Exit& exit);
void add_audit(const Command& root, Shell& shell, Exit& exit);
void add_operator(const Command& root, Shell& shell, Exit& exit);
void add_approval(const Command& root, Shell& shell, Exit& exit);
void add_owner(const Command& root, Shell& shell, Exit& exit);
void add_environment(const Command& root, Shell& shell, Exit& exit);
void add_workspace(const Command& root, Shell& shell, Exit& exit);
void add_store(const Command& root, Shell& shell, Exit& exit);
void add_verifiers(const Command& root, Shell& shell, Exit& exit);
void add_serve(const Command& root, Shell& shell, Exit& exit);
void add_notify(const Command& root, Shell& shell, Exit& exit);
void add_doctor(const Command& root, Shell& shell, Exit& exit);
void add_help(const Command& root, Shell& shell, Exit& exit);
void add_completion(const Command& root, Shell& shell, Exit& exit);

// --confirm, --dry-run and --reason.
enum class Reason { Required, Optional, None };
void add_change_options(const Command& command, ChangeOptions& change, Reason reason);

// --approval, for the commands that the gate can stop.
void add_approval_option(const Command& command, ChangeOptions& change);

// --token-stdin, for the commands that can be told whom they are about by a token.
void add_token_option(const Command& command, bool& from_stdin);

// NAME|CREDENTIAL, or the token on standard input. Errors: InvalidRequest when both or neither.
Result<authority::Target> target_of(const std::string& text, bool token_from_stdin);

// Sets `command`'s action: options of type Options live as long as the command does.
template <class Options, class Body>
void on_run(const Command& command, Shell& shell, Exit& exit, std::shared_ptr<Options> options, Body body) {
    command.on_run(
        [&shell, &exit, options, body] { exit.code = run_command(shell, [&] { return body(shell, *options); }); });
}

}  // namespace marque::cli
