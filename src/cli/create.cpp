// marque create: one identity with its first credential, or many from a file.
#include <fmt/format.h>

#include "base/small_file.h"
#include "base/text.h"
#include "cli/issue_options.h"
#include "cli/roster.h"

namespace marque::cli {
namespace {

struct Options {
    ChangeOptions change;
    IssueOptions issue;
    std::string name, scopes, environment = "dev", kind = "agent", contact, description;
    std::vector<std::string> labels;
    std::string from, token_dir;
};

constexpr std::size_t largest_roster = 64 * 1024 * 1024;

// Returns the request without its name. Scopes may be missing.
Result<RequestFor> request_for(const Options& options) {
    const auto environment = TRY(domain::EnvironmentName::parse(options.environment));
    const auto kind = TRY(domain::parse_kind(options.kind));
    const auto expires = TRY(ending_of(options.issue.expires));
    const auto contact = TRY(parse_free_text("contact", options.contact, 200));
    const auto description = TRY(parse_free_text("description", options.description, 200));
    domain::ScopeSet scopes;
    if (!options.scopes.empty()) scopes = TRY(domain::ScopeSet::parse(options.scopes));
    domain::Labels labels;
    for (const std::string& text : options.labels) {
        const auto label = TRY(authority::parse_label(text));
        if (!labels.insert(label).second)
            return Error(Code::InvalidRequest, "label " + label.first + " is given twice");
    }
    return RequestFor([=](domain::IdentityName name) {
        return authority::CreateRequest{std::move(name), environment, kind,   scopes,
                                        expires,         contact,     labels, description};
    });
}

Result<std::vector<authority::CreateRequest>> requests_of(const Options& options) {
    const RequestFor request = TRY(request_for(options));
    if (!options.from.empty()) {
        if (!options.name.empty()) return Error(Code::InvalidRequest, "give a name or --from, not both");
        if (options.token_dir.empty())
            return Error(Code::InvalidRequest, "--from needs --token-dir", "one file per token is written there");
        return parse_roster(TRY(read_text(options.from, {largest_roster})), request);
    }
    if (options.name.empty()) return Error(Code::InvalidRequest, "say who is to be created: a name, or --from FILE");
    auto name = TRY(domain::IdentityName::parse(options.name));
    std::vector requests{request(std::move(name))};
    if (requests.front().scopes.empty())
        return Error(Code::InvalidRequest, "an identity needs at least one scope",
                     "--scope card:view,card:edit or a preset, such as --scope kan");
    return requests;
}

Result<int> run_create(Shell& shell, const Options& options) {
    const auto requests = TRY(requests_of(options));
    const auto order = TRY(shell.order(options.change));
    if (!options.token_dir.empty() && !options.issue.token_file.empty())
        return Error(Code::InvalidRequest, "give --token-dir or --token-file, not both");
    if (names_standard_output(options.token_dir))
        return Error(Code::InvalidRequest, "--token-dir is a folder, and many tokens don't go to standard output");
    std::unique_ptr<authority::Delivery> delivery = options.token_dir.empty()
                                                        ? delivery_for(shell, options.issue)
                                                        : std::make_unique<FolderDelivery>(options.token_dir);
    const auto done = TRY(TRY(shell.authority())->create(requests, order, *delivery));
    return report_issued(shell, done, options.change,
                         options.token_dir.empty() ? options.issue.token_file : options.token_dir);
}

}  // namespace

void add_create(const Command& root, Shell& shell, Exit& exit) {
    auto options = std::make_shared<Options>();
    const Command command =
        root.add_command("create", "Create an identity with its first credential; prints the token");
    command.option("name", options->name, "NAME", "The new identity's name");
    command.option("--scope", options->scopes, "S[,S…]", "What it may do: card:edit,card:view or a preset (kan)");
    command.option("--env", options->environment, "NAME", "Environment");
    command.option("--kind", options->kind, "KIND", "agent, service or ci");
    command.option("--contact", options->contact, "TEXT", "Whom to ask about it");
    command.option("--description", options->description, "TEXT", "What it is for");
    command.repeated("--label", options->labels, "K=V", "A label; may be repeated");
    add_issue_options(command, options->issue);
    command.option("--from", options->from, "FILE", "Create one identity for each line of this file");
    command.option("--token-dir", options->token_dir, "DIR", "Folder for the tokens, a file each");
    add_change_options(command, options->change, Reason::Optional);
    add_approval_option(command, options->change);
    on_run(command, shell, exit, options, run_create);
}

}  // namespace marque::cli
