// marque completion bash|zsh|fish|man. The scripts ask `marque complete` (cli/complete.h) for every word, so they can't
// be out of date.
#include "cli/commands.h"
#include "cli/help.h"
#include "cli/version.h"

namespace marque::cli {
namespace {

struct Options {
    std::string shell;
};

constexpr std::string_view bash_script =
    R"(# bash completion for marque: source it, or save it as /usr/share/bash-completion/completions/marque
_marque() {
    mapfile -t COMPREPLY < <(command marque complete bash -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2> /dev/null)
    case ${COMPREPLY[0]-} in
        :files) compopt -o default 2> /dev/null; COMPREPLY=() ;;
        :folders) compopt -o dirnames 2> /dev/null; COMPREPLY=() ;;
        *=) compopt -o nospace 2> /dev/null ;;
    esac
}
complete -F _marque marque
)";

// Read from a folder of $fpath it is the body of the function, the first time; sourced, it is a script.
constexpr std::string_view zsh_script =
    R"(#compdef marque
# zsh completion for marque: source it, or save it as _marque in a folder of $fpath
_marque() {
    local -a words_before lines
    words_before=("${(@Q)words[2,CURRENT-1]}")
    (( CURRENT > 2 )) || words_before=()
    lines=("${(@f)$(command marque complete zsh -- "${words_before[@]}" "${(Q)PREFIX}" 2> /dev/null)}")
    case ${lines[1]} in
        :files) compset -P '--*='; _files ;;
        :folders) compset -P '--*='; _files -/ ;;
        ?*) _describe marque lines ;;
    esac
}
if [[ ${funcstack[1]} == _marque ]]; then _marque; else compdef _marque marque; fi
)";

constexpr std::string_view fish_script =
    R"(# fish completion for marque: source it, or save it as ~/.config/fish/completions/marque.fish
function __marque_complete
    set -l before (commandline -opc)
    set -l current (commandline -ct)
    set -l lines (command marque complete fish -- $before[2..-1] "$current" 2> /dev/null)
    switch "$lines[1]"
        case ':files' ':folders*'
            __fish_complete_path "$current"
        case '?*'
            printf '%s\n' $lines
    end
end
complete -c marque -f -a '(__marque_complete)'
)";

Result<int> run_completion(Shell& shell, const CLI::App& root, const Options& options) {
    if (shell.is_json())
        return Error(Code::InvalidRequest, "completion prints a script, and no JSON", "leave out -o json");
    if (options.shell == "bash") shell.print(bash_script);
    if (options.shell == "zsh") shell.print(zsh_script);
    if (options.shell == "fish") shell.print(fish_script);
    if (options.shell == "man") shell.print(man_page(root, version));
    return 0;
}

}  // namespace

void add_completion(const Command& root, Shell& shell, Exit& exit) {
    auto options = std::make_shared<Options>();
    const Command command = root.add_command("completion", "Print completion for bash, zsh or fish, or the man page");
    command.one_of("for", options->shell, {"bash", "zsh", "fish", "man"}, "SHELL", "bash, zsh, fish or man",
                   Presence::Required);
    on_run(command, shell, exit, options,
           [&app = root.app()](Shell& s, const Options& o) { return run_completion(s, app, o); });
}

}  // namespace marque::cli
