// marque issue: one more credential for an identity.
#include "cli/issue_options.h"

namespace marque::cli {
namespace {

struct Options {
    ChangeOptions change;
    IssueOptions issue;
    std::string name, scopes;
};

Result<int> run_issue(Shell& shell, const Options& options) {
    const auto name = TRY(domain::IdentityName::parse(options.name));
    authority::IssueRequest request{name};
    request.expires = TRY(ending_of(options.issue.expires));
    if (!options.scopes.empty()) request.scopes = TRY(domain::ScopeSet::parse(options.scopes));
    const auto order = TRY(shell.order(options.change));
    const auto delivery = delivery_for(shell, options.issue);
    const auto done = TRY(TRY(shell.authority())->issue(request, order, *delivery));
    return report_issued(shell, done, options.change, options.issue.token_file);
}

}  // namespace

void add_issue(const Command& root, Shell& shell, Exit& exit) {
    auto options = std::make_shared<Options>();
    const Command command = root.add_command("issue", "Issue one more credential to an identity; prints the token");
    command.option("name", options->name, "NAME", "The identity", Presence::Required);
    command.option("--scope", options->scopes, "S[,S…]", "Some of the identity's scopes (default: all)");
    add_issue_options(command, options->issue);
    add_change_options(command, options->change, Reason::Optional);
    add_approval_option(command, options->change);
    on_run(command, shell, exit, options, run_issue);
}

}  // namespace marque::cli
