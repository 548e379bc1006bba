#include "cli/command.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

namespace marque::cli {
namespace {

// An empty value is hardly ever meant: it is a variable that was not set, and would demand or limit nothing.
// An option stands once: of two values one would be ignored, and the caller may have relied on that one. CLI11 refuses
// a second value by itself, but takes the last of two flags.
void finish(CLI::Option* option, const std::string& type, Presence presence) {
    if (option->get_items_expected_max() <= 1) option->multi_option_policy(CLI::MultiOptionPolicy::Throw);
    if (!type.empty())
        option->check(CLI::Validator(
            [](std::string& value) { return value.empty() ? std::string("the value is empty") : std::string(); }, ""));
    option->type_name(type);
    if (presence == Presence::Required) option->required();
}

}  // namespace

Command Command::add_command(const std::string& name, const std::string& help) const {
    return Command(*app_->add_subcommand(name, help));
}

void Command::needs_subcommand() const {
    app_->require_subcommand(1);
}

void Command::option(const std::string& name, std::string& value, const std::string& type, const std::string& help,
                     Presence presence) const {
    CLI::Option* option = app_->add_option(name, value, help);
    if (!value.empty()) option->capture_default_str();
    finish(option, type, presence);
}

void Command::repeated(const std::string& name, std::vector<std::string>& values, const std::string& type,
                       const std::string& help) const {
    finish(app_->add_option(name, values, help)->allow_extra_args(false), type, Presence::Optional);
}

void Command::number(const std::string& name, std::uint64_t& value, std::uint64_t least, std::uint64_t most,
                     const std::string& type, const std::string& help, Presence presence) const {
    CLI::Option* option = app_->add_option(name, value, help)->check(CLI::Range(least, most).description(""));
    if (value != 0) option->capture_default_str();
    finish(option, type, presence);
}

void Command::one_of(const std::string& name, std::string& value, const std::vector<std::string>& choices,
                     const std::string& type, const std::string& help, Presence presence) const {
    CLI::Option* option = app_->add_option(name, value, help)->check(CLI::IsMember(choices).description(""));
    if (!value.empty()) option->capture_default_str();
    finish(option, type, presence);
}

void Command::from_environment(const std::string& name, const std::string& variable) const {
    app_->get_option(name)->envname(variable);
}

void Command::flag(const std::string& name, bool& value, const std::string& help, Presence presence) const {
    finish(app_->add_flag(name, value, help), "", presence);
}

void Command::flag_with_value(const std::string& name, std::string& value, const std::string& type,
                              const std::string& help) const {
    app_->add_flag(name + "{true}", value, help)->type_name(type)->multi_option_policy(CLI::MultiOptionPolicy::Throw);
}

void Command::on_run(std::function<void()> action) const {
    app_->callback(std::move(action));
}

}  // namespace marque::cli
