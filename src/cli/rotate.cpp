// marque rotate: a new credential in the place of an old one.
#include "cli/issue_options.h"

namespace marque::cli {
namespace {

struct Options {
    ChangeOptions change;
    IssueOptions issue;
    std::string target, overlap;
    bool until_used = false, is_compromised = false;
};

Result<authority::RotateRequest> request_of(const Options& options) {
    authority::RotateRequest request{options.target};
    request.expires = TRY(ending_of(options.issue.expires));
    if (options.is_compromised && (options.until_used || !options.overlap.empty()))
        return Error(Code::InvalidRequest, "--compromised ends the old credential at once; it takes no overlap");
    if (options.is_compromised) request.old_credential = domain::OldCredential::IsRevoked;
    if (options.until_used) request.old_credential = domain::OldCredential::RetiresWhenNewIsUsed;
    if (!options.overlap.empty()) {
        auto overlap = domain::parse_duration(options.overlap);
        if (!overlap && overlap.error().hint.starts_with("0 "))
            return Error(Code::InvalidRequest, "an overlap of nothing would end the old credential at once",
                         "that is --compromised");
        request.overlap = TRY(std::move(overlap));
    }
    return request;
}

Result<int> run_rotate(Shell& shell, const Options& options) {
    const auto request = TRY(request_of(options));
    const auto order = TRY(shell.order(options.change));
    const auto delivery = delivery_for(shell, options.issue);
    const auto done = TRY(TRY(shell.authority())->rotate(request, order, *delivery));
    return report_issued(shell, done, options.change, options.issue.token_file);
}

}  // namespace

void add_rotate(const Command& root, Shell& shell, Exit& exit) {
    auto options = std::make_shared<Options>();
    const Command command =
        root.add_command("rotate", "Replace a credential; the old one goes only when the new one works");
    command.option("target", options->target, "NAME|CREDENTIAL", "The identity, or one of its credentials",
                   Presence::Required);
    command.option("--overlap", options->overlap, "TIME", "How long the old one goes on working (default: 1h)");
    command.flag("--until-used", options->until_used,
                 "The old one works until the new one is used, at most --overlap (default: 7d)");
    command.flag("--compromised", options->is_compromised, "The old one is revoked as soon as the new one is in force");
    add_issue_options(command, options->issue);
    add_change_options(command, options->change, Reason::Optional);
    add_approval_option(command, options->change);
    on_run(command, shell, exit, options, run_rotate);
}

}  // namespace marque::cli
