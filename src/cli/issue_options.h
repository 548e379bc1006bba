// cli/issue_options.h: what create, issue and rotate share: where the token goes, and for how long it lives.
#pragma once

#include <memory>

#include "base/text.h"
#include "cli/commands.h"
#include "cli/delivery.h"

namespace marque::cli {

struct IssueOptions {
    std::string token_file;
    std::string expires;
};

inline void add_issue_options(const Command& command, IssueOptions& options) {
    command.option("--token-file", options.token_file, "FILE",
                   "Write the token to this new file, 0600, and not to stdout");
    command.option("--expires", options.expires, "WHEN", "90d, 2h30m, 2027-01-31 or never");
}

inline std::unique_ptr<authority::Delivery> delivery_for(const Shell& shell, const IssueOptions& options) {
    if (options.token_file.empty() || names_standard_output(options.token_file))
        return std::make_unique<StdoutDelivery>(shell.is_json());
    return std::make_unique<FileDelivery>(options.token_file);
}

inline Result<std::optional<domain::Ending>> ending_of(const std::string& text) {
    if (text.empty()) return std::nullopt;
    return TRY(domain::Ending::parse(text));
}

// What create, issue and rotate end with: where the token went is part of it.
inline int report_issued(Shell& shell, const authority::Done& done, const ChangeOptions& change,
                         const std::string& where) {
    const int code = shell.report(done, change);
    if (done.progress != authority::Progress::Applied || where.empty() || names_standard_output(where)) return code;
    if (shell.is_json()) {
        audit::JsonArray issued;
        for (const domain::CredentialRef& ref : done.issued)
            issued.emplace_back(audit::JsonObject{{"credential", ref.id.text()}, {"identity", ref.identity.text()}});
        shell.print_json(
            {{"result", "applied"}, {"revision", done.revision}, {"issued", std::move(issued)}, {"token_path", where}});
    } else {
        shell.say((done.issued.size() == 1 ? "token written to " : "tokens written to ") + quote(where, 200));
    }
    return code;
}

}  // namespace marque::cli
