// cli/command.h: a command of the command line, and its options.
//
// CLI11 does the parsing, behind this one door: it is all templates, and twenty commands that
// each include it take minutes to build.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
}  // namespace CLI

namespace marque::cli {

enum class Presence { Optional, Required };

// CLI11 keeps the choices of one_of() in the name of its check: this text, then the choices, separated by blanks.
inline constexpr std::string_view choices_prefix = "one of ";

// A handle; the command itself lives as long as the command line.
class Command {
 public:
    explicit Command(CLI::App& app) : app_(&app) {}

    Command add_command(const std::string& name, const std::string& help) const;
    void needs_subcommand() const;

    // `name` is "--scope" or "-n,--count"; without dashes it is positional. `type` is how its value
    // is called in help. The variable's value is the default, and is shown when there is one.
    void option(const std::string& name, std::string& value, const std::string& type, const std::string& help,
                Presence presence = Presence::Optional) const;
    // Positional, as many as are given.
    void words(const std::string& name, std::vector<std::string>& values, const std::string& type,
               const std::string& help) const;
    // One value each time it is given.
    void repeated(const std::string& name, std::vector<std::string>& values, const std::string& type,
                  const std::string& help) const;
    void number(const std::string& name, std::uint64_t& value, std::uint64_t least, std::uint64_t most,
                const std::string& type, const std::string& help, Presence presence = Presence::Optional) const;
    void one_of(const std::string& name, std::string& value, const std::vector<std::string>& choices,
                const std::string& type, const std::string& help, Presence presence = Presence::Optional) const;
    void from_environment(const std::string& name, const std::string& variable) const;
    void flag(const std::string& name, bool& value, const std::string& help,
              Presence presence = Presence::Optional) const;
    // A flag that may carry a value, and only behind `=`: bare it stores "true".
    void flag_with_value(const std::string& name, std::string& value, const std::string& type,
                         const std::string& help) const;

    void on_run(std::function<void()> action) const;

    CLI::App& app() const { return *app_; }

 private:
    CLI::App* app_;
};

}  // namespace marque::cli
