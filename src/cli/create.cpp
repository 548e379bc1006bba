// marque create: one identity with its first credential, or many from a file.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "base/text.h"
#include "cli/issue_options.h"
#include "cli/roster.h"

namespace marque::cli {
namespace {

struct Options {
    ChangeOptions change;
    IssueOptions issue;
    std::string name, scopes, environment = "dev", kind = "agent", contact;
    std::vector<std::string> labels;
    std::string from, token_dir;
};

constexpr std::uintmax_t largest_roster = 64 * 1024 * 1024;

Result<RosterDefaults> defaults_of(const Options& options) {
    RosterDefaults defaults{TRY(domain::EnvironmentName::parse(options.environment)),
                            TRY(domain::parse_kind(options.kind)),
                            {},
                            TRY(ending_of(options.issue.expires)),
                            TRY(parse_free_text("contact", options.contact, 200)),
                            {}};
    if (!options.scopes.empty()) defaults.scopes = TRY(domain::ScopeSet::parse(options.scopes));
    for (const std::string& label : options.labels) defaults.labels.insert(TRY(authority::parse_label(label)));
    return defaults;
}

Result<std::string> read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) return Error(Code::InvalidRequest, fmt::format("cannot read {}: {}", quote(path, 200), std::strerror(errno)));
    std::string text;
    char buffer[16 * 1024];
    while (file.read(buffer, sizeof buffer) || file.gcount() > 0) {
        text.append(buffer, static_cast<std::size_t>(file.gcount()));
        if (text.size() > largest_roster) return Error(Code::InvalidRequest, quote(path, 200) + " is too large");
    }
    return text;
}

Result<std::vector<authority::CreateRequest>> requests_of(const Options& options) {
    const RosterDefaults defaults = TRY(defaults_of(options));
    if (!options.from.empty()) {
        if (!options.name.empty()) return Error(Code::InvalidRequest, "give a name or --from, not both");
        if (options.token_dir.empty())
            return Error(Code::InvalidRequest, "--from needs --token-dir", "one file per token is written there");
        return parse_roster(TRY(read_file(options.from)), defaults);
    }
    if (options.name.empty()) return Error(Code::InvalidRequest, "say who is to be created: a name, or --from FILE");
    const auto name = TRY(domain::IdentityName::parse(options.name));
    if (!defaults.scopes)
        return Error(Code::InvalidRequest, "an identity needs at least one scope",
                     "--scope card:view,card:edit or a preset, such as --scope kan");
    return std::vector{authority::CreateRequest{name, defaults.environment, defaults.kind, *defaults.scopes,
                                                defaults.expires, defaults.contact, defaults.labels}};
}

Result<int> run_create(Shell& shell, const Options& options) {
    const auto requests = TRY(requests_of(options));
    const auto order = TRY(shell.order(options.change));
    if (!options.token_dir.empty() && !options.issue.token_file.empty())
        return Error(Code::InvalidRequest, "give --token-dir or --token-file, not both");
    std::unique_ptr<authority::Delivery> delivery = options.token_dir.empty()
                                                        ? delivery_for(shell, options.issue)
                                                        : std::make_unique<FolderDelivery>(options.token_dir);
    const auto done = TRY(TRY(shell.authority())->create(requests, order, *delivery));
    return report_issued(shell, done, options.change,
                         options.token_dir.empty() ? options.issue.token_file : options.token_dir);
}

}  // namespace

void add_create(CLI::App& root, Shell& shell, Exit& exit) {
    auto options = std::make_shared<Options>();
    CLI::App* command = root.add_subcommand("create", "Create an identity with its first credential; prints the token");
    command->add_option("name", options->name, "The new identity's name")->type_name("NAME");
    command->add_option("--scope", options->scopes, "What it may do: card:edit,card:view or a preset (kan)")
        ->type_name("S[,S…]");
    command->add_option("--env", options->environment, "Environment")->type_name("NAME")->capture_default_str();
    command->add_option("--kind", options->kind, "agent, service or ci")->type_name("KIND")->capture_default_str();
    command->add_option("--contact", options->contact, "Whom to ask about it")->type_name("TEXT");
    command->add_option("--label", options->labels, "A label; may be repeated")->type_name("K=V")->allow_extra_args(false);
    add_issue_options(*command, options->issue);
    command->add_option("--from", options->from, "Create one identity for each line of this file")->type_name("FILE");
    command->add_option("--token-dir", options->token_dir, "Folder for the tokens, a file each")->type_name("DIR");
    add_change_options(*command, options->change, Reason::Optional);
    on_run(*command, shell, exit, options, run_create);
}

}  // namespace marque::cli
