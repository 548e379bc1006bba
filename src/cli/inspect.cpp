// marque inspect: everything about one identity, or one credential of it.
#include <fmt/format.h>

#include "authority/resolve.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/identity_view.h"

namespace marque::cli {
namespace {

using namespace domain;

struct Options {
    std::string target;
    bool from_stdin = false;
    std::uint64_t events = 10;
};

constexpr std::size_t most_credentials_shown = 50;

// Who put it into the state it is in, from the entry that last wrote its row.
Result<std::optional<audit::Entry>> entry_at(const store::Reader& reader, Revision revision) {
    if (revision == 0) return std::nullopt;
    auto entries = TRY(decode_all(TRY(reader.entries(revision - 1, 1))));
    if (entries.empty()) return std::nullopt;
    return std::move(entries.front());
}

std::string by_whom(const std::optional<audit::Entry>& entry, Instant now) {
    if (!entry) return "";
    return fmt::format(" {} by {}{}", in_words(entry->at, now), escaped(entry->actor),
                       entry->reason.empty() ? "" : " “" + escaped(entry->reason) + "”");
}

Result<std::string> state_line(const store::Reader& reader, const authority::IdentityView& view, Instant now,
                               const Paint& paint) {
    const Identity& identity = view.identity;
    std::string line = paint.state(name_of(view.own_state));
    if (view.own_state != Standing::Active) line += by_whom(TRY(entry_at(reader, identity.revision)), now);
    if (view.own_state == Standing::Paused && identity.condition.paused_until)
        line += ", resumes " + when(identity.condition.paused_until, now);
    if (authority::lacks_live_credential(view))
        line += ", with " + paint.warning("no live credential") + ": marque issue makes one";
    if (!view.stopped_by.empty())
        line += fmt::format(", and {} because {} is", paint.state(name_of(view.state)), view.stopped_by);
    return line;
}

// The strictest counts: what stands under something stopped is stopped.
std::string state_in_force(const authority::IdentityView& view, const authority::CredentialView& credential,
                           const Paint& paint) {
    const std::string own = name_of(credential.state);
    if (view.state == Standing::Active || !is_live(credential.state)) return paint.state(own);
    return fmt::format("{} with its {}", paint.state(name_of(view.state)),
                       view.stopped_by.empty() ? "identity" : view.stopped_by);
}

Result<std::string> credential_note(const store::Reader& reader, const authority::CredentialView& view, Instant now) {
    const Credential& c = view.credential;
    switch (view.state) {
        case CredentialState::Paused:
        case CredentialState::Revoked: {
            std::string note = by_whom(TRY(entry_at(reader, c.revision)), now);
            if (view.state == CredentialState::Paused && c.paused_until)
                note += ", resumes " + in_words(*c.paused_until, now);
            return note;
        }
        case CredentialState::Retiring:
        case CredentialState::Retired:
            return " " + in_words(*c.retire_at, now);
        case CredentialState::Pending:
            return " lapses " + in_words(c.created_at + delivery_window, now);
        default:
            return std::string();
    }
}

Result<void> print_text(Shell& shell, const store::Reader& reader, const authority::IdentityView& view,
                        const std::optional<CredentialId>& only, const std::vector<audit::Entry>& events, Instant now) {
    const Paint& paint = shell.paint();
    const Identity& identity = view.identity;
    shell.print(fmt::format("{}  {} in {}, {}{}\n", paint.bold(identity.name.text()), name_of(identity.kind),
                            identity.workspace.text(), identity.environment.text(),
                            view.is_protected ? " (protected)" : ""));
    shell.print(fmt::format("  state    {}\n", TRY(state_line(reader, view, now, paint))));
    shell.print(identity_lines(identity, now));
    Table table({"CREDENTIAL", "STATE", "EXPIRES", "LAST USED", "SCOPES"});
    std::size_t shown = 0;
    for (const authority::CredentialView& credential : view.credentials) {
        if (only && credential.credential.id != *only) continue;
        if (++shown > most_credentials_shown) break;
        const bool has_all = credential.credential.scopes == identity.scopes;
        const std::string note = TRY(credential_note(reader, credential, now));
        table.add({credential.credential.id.string(), state_in_force(view, credential, paint) + note,
                   when(credential.credential.expires_at, now), use_in_words(credential.last_use, now),
                   has_all ? "all" : credential.credential.scopes.text()});
    }
    shell.print("\n");
    shell.print(table);
    if (view.credentials.size() > most_credentials_shown && !only)
        shell.print(fmt::format("… {} in all; -o json has them\n", view.credentials.size()));
    for (const authority::CredentialView& credential : view.credentials)
        if (credential.refused && (!only || credential.credential.id == *only))
            shell.print(paint.warning(
                fmt::format("\n{} {}\n", credential.credential.id.text(), refused_in_words(*credential.refused, now))));
    if (!events.empty()) shell.print("\n" + paint.dim("RECENT EVENTS") + "\n");
    for (const audit::Entry& event : events) shell.print(entry_line(event, now, paint) + "\n");
    return {};
}

Result<void> inspect(Shell& shell, const Options& options, const authority::Resolved& found,
                     const authority::Authority::Sight& sight) {
    std::optional<CredentialId> only;
    if (const auto* credential = std::get_if<Credential>(&found)) only = credential->id;
    const Identity identity =
        only
            ? TRY(authority::require_identity(sight.reader, sight.workspace.name, std::get<Credential>(found).identity))
            : std::get<Identity>(found);
    const auto view = TRY(authority::view_of(sight.reader, sight.workspace, identity, sight.now));
    const auto events = TRY(decode_all(TRY(sight.reader.entries_of(authority::ref_of(identity), options.events))));
    if (!shell.is_json()) return print_text(shell, sight.reader, view, only, events, sight.now);
    audit::JsonObject object = to_json(view);
    audit::JsonArray entries;
    for (const audit::Entry& event : events) entries.emplace_back(event.body);
    object["events"] = std::move(entries);
    if (only) object["asked_for"] = only->text();
    shell.print_json(std::move(object));
    return {};
}

Result<int> run_inspect(Shell& shell, const Options& options) {
    const auto target = TRY(target_of(options.target, options.from_stdin));
    authority::Authority& authority = *TRY(shell.authority());
    using Sight = authority::Authority::Sight;
    if (const auto* by_token = std::get_if<authority::ByToken>(&target))
        TRY(authority.look_by_token(
            TRY(shell.workspace()), by_token->token,
            [&](const Sight& sight, const Credential& found) { return inspect(shell, options, found, sight); }));
    else
        TRY(authority.look(TRY(shell.workspace()), [&](const Sight& sight) -> Result<void> {
            const auto& name = std::get<authority::ByNameOrId>(target).text;
            return inspect(shell, options, TRY(authority::resolve(sight.reader, sight.workspace.name, name)), sight);
        }));
    return 0;
}

}  // namespace

void add_inspect(const Command& root, Shell& shell, Exit& exit) {
    auto options = std::make_shared<Options>();
    const Command command =
        root.add_command("inspect", "Show an identity: scopes, credentials, expiry, last use, recent events");
    command.option("target", options->target, "NAME|CREDENTIAL", "The identity, or one of its credentials");
    add_token_option(command, options->from_stdin);
    command.number("--events", options->events, 0, 10000, "N", "How many recent events");
    on_run(command, shell, exit, options, run_inspect);
}

}  // namespace marque::cli
