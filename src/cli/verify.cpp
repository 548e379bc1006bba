// marque verify: exits 0 when the token on standard input is accepted, and 3 when it is not.
#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/delivery.h"

namespace marque::cli {
namespace {

struct Options {
    std::string scope, environment;
};

constexpr int refused = static_cast<int>(Code::StateRefuses);

audit::JsonObject verdict_json(const verify::Judgement& verdict, bool tells_why) {
    audit::JsonObject object{{"accepted", verdict.is_accepted()}};
    if (tells_why) object["reason"] = name_of(verdict.reason);
    if (verdict.whose && (verdict.is_accepted() || tells_why)) {
        const domain::Ancestry& whose = *verdict.whose;
        audit::JsonArray scopes;
        for (const domain::Scope& scope : domain::scopes_in_force(whose.identity, whose.credential).scopes())
            scopes.emplace_back(scope.text());
        object["identity"] = whose.identity.name.text();
        object["workspace"] = whose.workspace.name.text();
        object["environment"] = whose.environment.name.text();
        object["credential"] = whose.credential.id.text();
        object["scopes"] = std::move(scopes);
        if (whose.credential.expires_at) object["expires_at"] = to_rfc3339(*whose.credential.expires_at);
    }
    return object;
}

void print_verdict(Shell& shell, const authority::Authority::Answer& answer) {
    const verify::Judgement& verdict = answer.verdict;
    if (shell.is_json()) {
        shell.print_json(verdict_json(verdict, answer.tells_why));
        return;
    }
    const std::string who =
        verdict.whose ? fmt::format(": {} in {}, {} (credential {})", verdict.whose->identity.name.text(),
                                    verdict.whose->workspace.name.text(), verdict.whose->environment.name.text(),
                                    verdict.whose->credential.id.text())
                      : "";
    if (verdict.is_accepted())
        shell.print(shell.paint().state("accepted") + who + "\n");
    else
        shell.print(shell.paint().state("refused") +
                    (answer.tells_why ? fmt::format(": {}{}", name_of(verdict.reason), who) : "") + "\n");
}

Result<int> run_verify(Shell& shell, const Options& options) {
    domain::Demand demand;
    if (!options.scope.empty()) demand.scope = TRY(domain::Scope::parse(options.scope));
    if (!options.environment.empty()) demand.environment = TRY(domain::EnvironmentName::parse(options.environment));
    auto input = read_token_from_stdin();
    if (!input && input.error().code != Code::InvalidRequest) return std::move(input).error();
    const Secret token = input ? input.release() : Secret();  // nothing at all is a malformed token
    // Exit 3 says "not accepted"; a store that can't be asked is another matter.
    const auto cannot_tell = [](Error error) {
        if (error.code == Code::StateRefuses) error.code = Code::Unavailable;
        return error;
    };
    auto opened = shell.authority();
    if (!opened) return cannot_tell(std::move(opened).error());
    authority::Authority& authority = **opened;
    const auto known = TRY(shell.host_files().known_log(shell.store_folder()));
    auto asked = authority.verify(token.reveal_text(), demand, known);
    if (!asked) {
        authority.note_tampering(asked.error());
        return cannot_tell(std::move(asked).error());
    }
    const auto& answer = *asked;
    print_verdict(shell, answer);
    if (!answer.verdict.is_accepted()) return refused;
    TRY(shell.finish_output());  // a verdict that nobody read is no use
    // The verdict is given; that its use can't be noted does not change it.
    if (auto noted = authority.record_use(answer.verdict, "command line"); !noted)
        shell.say(shell.paint_err().warning("Note: ") + "this use could not be noted: " + noted.error().message);
    return 0;
}

}  // namespace

void add_verify(const Command& root, Shell& shell, Exit& exit) {
    auto options = std::make_shared<Options>();
    const Command command =
        root.add_command("verify", "Check the token on standard input: exit 0 if it is accepted, 3 if not");
    command.option("--scope", options->scope, "SCOPE", "Accept it only if it holds this scope");
    command.option("--env", options->environment, "NAME", "Accept it only if it is of this environment");
    on_run(command, shell, exit, options, run_verify);
}

}  // namespace marque::cli
