#include "cli/complete.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <map>
#include <unistd.h>

#include "cli/help.h"
#include "cli/offer.h"

namespace marque::cli {
namespace {

constexpr unsigned longest_wait_s = 2;
constexpr int first_word = 4;  // marque complete bash -- WORD…

void take(Typed& typed, const std::string& word) {
    if (typed.awaiting != nullptr) {
        typed.values[typed.awaiting->get_name()] = word;
        typed.awaiting = nullptr;
    } else if (word == "--") {
        typed.has_only_operands = true;
    } else if (!typed.has_only_operands && word.size() > 1 && word[0] == '-') {
        const std::size_t equals = word.find('=');
        CLI::Option* option = find_option(typed.command, word.substr(0, equals));
        if (option == nullptr) return;
        typed.given.push_back(option);
        if (equals != std::string::npos)
            typed.values[option->get_name()] = word.substr(equals + 1);
        else if (takes_value(*option))
            typed.awaiting = option;
    } else {
        for (CLI::App* sub : typed.command->get_subcommands({}))
            if (sub->get_name() == word) {
                typed.command = sub;
                return;
            }
        typed.operands.push_back(word);
    }
}

// Quotes and backslashes of a word as it stands in the shell's line.
std::string without_quotes(std::string_view text) {
    std::string out;
    for (const char c : text)
        if (c != '\'' && c != '"' && c != '\\') out += c;
    return out;
}

// Words as the program would get them. bash splits at `:` and `=`, too: those are put together again. `cut` is how
// much of the last word bash takes to be words before it.
std::vector<std::string> words_of(std::span<const char* const> given, bool is_bash, std::size_t& cut) {
    const auto is_separator = [](std::string_view piece) {
        return !piece.empty() && piece.find_first_not_of(":=") == std::string_view::npos;
    };
    std::vector<std::string> words;
    bool joins_next = false;
    for (const std::string_view piece : given) {
        const bool joins = is_bash && !words.empty() && (joins_next || is_separator(piece));
        if (!joins) {
            words.emplace_back();
            cut = 0;
        }
        words.back() += is_bash ? without_quotes(piece) : std::string(piece);
        joins_next = is_separator(piece);
        if (joins_next)
            cut = words.back().size();
        else if (joins)
            cut = words.back().size() - without_quotes(piece).size();
    }
    if (words.empty()) words.emplace_back();
    return words;
}

// Returns true if `value` needs no quoting. Shells insert a completion without quoting it, so no other value is
// offered.
bool is_safe(std::string_view value) {
    return !value.empty() && value.find_first_not_of(
                                 "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                 "-_.:=,/+@") == std::string_view::npos;
}

std::string line_of(const Candidate& candidate, std::string_view shell, std::size_t cut) {
    if (candidate.value.starts_with(":")) return candidate.value;
    if (shell == "bash") return candidate.value.substr(std::min(cut, candidate.value.size()));
    if (shell == "fish") return candidate.value + "\t" + candidate.help;
    std::string value;
    for (const char c : candidate.value) value += c == ':' ? std::string("\\:") : std::string(1, c);
    return value + ":" + candidate.help;
}

// A leading ~ reaches the program as it was typed.
std::string with_home(const std::string& path) {
    const char* home = std::getenv("HOME");
    return home != nullptr && (path == "~" || path.starts_with("~/")) ? home + path.substr(1) : path;
}

void print_what_may_follow(CLI::App& root, Shell& shell, std::string_view for_shell,
                           std::span<const char* const> given) {
    std::size_t cut = 0;
    std::vector<std::string> words = words_of(given, for_shell == "bash", cut);
    const std::string last = words.back();
    words.pop_back();
    Typed typed{&root};
    for (const std::string& word : words) take(typed, word);
    const auto value_of = [&](const char* option, const char* variable) {
        const auto found = typed.values.find(option);
        const char* value = std::getenv(variable);
        return found != typed.values.end() ? found->second : std::string(value == nullptr ? "" : value);
    };
    shell.options.store = with_home(value_of("--store", "MARQUE_STORE"));
    shell.options.workspace = value_of("--workspace", "MARQUE_WORKSPACE");
    std::map<std::string, std::string> lines;
    for (const Candidate& candidate : offers(shell, typed, last))
        if (is_safe(candidate.value)) lines.emplace(candidate.value, line_of(candidate, for_shell, cut));
    for (const auto& [value, line] : lines) shell.print(line + "\n");
    (void)shell.finish_output();
}

}  // namespace

bool asks_to_complete(int argc, const char* const* argv) {
    if (argc < first_word || std::string_view(argv[1]) != "complete" || std::string_view(argv[3]) != "--") return false;
    const std::string_view shell = argv[2];
    return shell == "bash" || shell == "zsh" || shell == "fish";
}

int complete(CLI::App& root, Shell& shell, int argc, const char* const* argv) {
    // A database that is away must not hold up the shell.
    std::signal(SIGALRM, [](int) { ::_exit(0); });
    ::alarm(longest_wait_s);
    try {
        print_what_may_follow(root, shell, argv[2], std::span(argv + first_word, argv + argc));
    } catch (const std::exception&) {  // then nothing is offered
    }
    return 0;
}

}  // namespace marque::cli
