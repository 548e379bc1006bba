// marque inspect: everything about one identity, or one credential of it.
#include <fmt/format.h>

#include <map>
#include <set>

#include "authority/resolve.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/identity_view.h"
#include "cli/reading.h"

namespace marque::cli {
namespace {

using namespace domain;

struct Options {
    std::string target;
    bool from_stdin = false;
    std::uint64_t events = 10;
};

constexpr std::size_t most_credentials_shown = 50;

// The view of an identity, or of one of its credentials.
struct View {
    authority::IdentityView identity;
    std::optional<CredentialId> only;  // the credential that was asked for
    std::vector<audit::Entry> events;  // the newest that are about it
    // The entries that last wrote the rows of what is stopped, by their number: they tell who stopped it, and why.
    std::map<Revision, audit::Entry> stops;
    Instant now;
};

std::string by_whom(const View& view, Revision revision) {
    const auto stop = view.stops.find(revision);
    if (stop == view.stops.end()) return "";
    const audit::Entry& entry = stop->second;
    return fmt::format(" {} by {}{}", in_words(entry.at, view.now), escaped(entry.actor),
                       entry.reason.empty() ? "" : " “" + escaped(entry.reason) + "”");
}

std::string state_line(const View& shown, const Paint& paint) {
    const authority::IdentityView& view = shown.identity;
    const Identity& identity = view.identity;
    const Instant now = shown.now;
    std::string line = paint.state(name_of(view.own_state));
    if (view.own_state != Standing::Active) line += by_whom(shown, identity.revision);
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

bool is_stopped(const authority::CredentialView& view) {
    return view.state == CredentialState::Paused || view.state == CredentialState::Revoked;
}

std::string credential_note(const View& shown, const authority::CredentialView& view) {
    const Credential& c = view.credential;
    if (is_stopped(view)) {
        const bool resumes = view.state == CredentialState::Paused && c.paused_until;
        return by_whom(shown, c.revision) + (resumes ? ", resumes " + in_words(*c.paused_until, shown.now) : "");
    }
    if (view.state == CredentialState::Retiring || view.state == CredentialState::Retired)
        return " " + in_words(*c.retire_at, shown.now);
    if (view.state == CredentialState::Pending) return " lapses " + in_words(c.created_at + delivery_window, shown.now);
    return std::string();
}

void print_text(Shell& shell, const View& shown) {
    const Paint& paint = shell.paint();
    const authority::IdentityView& view = shown.identity;
    const Identity& identity = view.identity;
    const Instant now = shown.now;
    shell.print(fmt::format("{}  {} in {}, {}{}\n", paint.bold(identity.name.text()), name_of(identity.kind),
                            identity.workspace.text(), identity.environment.text(),
                            view.is_protected ? " (protected)" : ""));
    shell.print(fmt::format("  state    {}\n", state_line(shown, paint)));
    shell.print(identity_lines(identity, now));
    Table table({"CREDENTIAL", "STATE", "EXPIRES", "LAST USED", "SCOPES"});
    std::size_t count = 0;
    for (const authority::CredentialView& credential : view.credentials) {
        if (shown.only && credential.credential.id != *shown.only) continue;
        if (++count > most_credentials_shown) break;
        const bool has_all = credential.credential.scopes == identity.scopes;
        table.add({credential.credential.id.string(),
                   state_in_force(view, credential, paint) + credential_note(shown, credential),
                   when(credential.credential.expires_at, now), use_in_words(credential.last_use, now),
                   has_all ? "all" : credential.credential.scopes.text()});
    }
    shell.print("\n");
    shell.print(table);
    if (view.credentials.size() > most_credentials_shown && !shown.only)
        shell.print(fmt::format("… {} in all; -o json has them\n", view.credentials.size()));
    for (const authority::CredentialView& credential : view.credentials)
        if (credential.refused && (!shown.only || credential.credential.id == *shown.only))
            shell.print(paint.warning(
                fmt::format("\n{} {}\n", credential.credential.id.text(), refused_in_words(*credential.refused, now))));
    if (!shown.events.empty()) shell.print("\n" + paint.dim("RECENT EVENTS") + "\n");
    for (const audit::Entry& event : shown.events) shell.print(entry_line(event, now, paint) + "\n");
}

void print_json(Shell& shell, const View& shown) {
    audit::JsonObject object = to_json(shown.identity);
    audit::JsonArray entries;
    for (const audit::Entry& event : shown.events) entries.emplace_back(event.body);
    object["events"] = std::move(entries);
    if (shown.only) object["asked_for"] = shown.only->text();
    shell.print_json(std::move(object));
}

Result<std::map<Revision, audit::Entry>> read_stops(const store::Reader& reader, const View& view) {
    std::set<Revision> revisions;
    if (view.identity.own_state != Standing::Active) revisions.insert(view.identity.identity.revision);
    std::size_t shown = 0;
    for (const authority::CredentialView& credential : view.identity.credentials) {
        if (view.only && credential.credential.id != *view.only) continue;
        if (++shown > most_credentials_shown) break;
        if (is_stopped(credential)) revisions.insert(credential.credential.revision);
    }
    std::map<Revision, audit::Entry> stops;
    for (const Revision revision : revisions) {
        if (revision == 0) continue;
        for (audit::Entry& entry : TRY(decode_all(TRY(reader.entries(revision - 1, 1)))))
            stops.emplace(revision, std::move(entry));
    }
    return stops;
}

Result<View> read_view(const Authority::Sight& sight, const authority::Resolved& found, std::size_t most_events) {
    std::optional<CredentialId> only;
    std::optional<Identity> identity;
    if (const auto* credential = std::get_if<Credential>(&found)) {
        only = credential->id;
        identity = TRY(authority::require_identity(sight.reader, sight.workspace.name, credential->identity));
    } else {
        identity = std::get<Identity>(found);
    }
    auto of_identity = TRY(authority::view_of(sight.reader, sight.workspace, *identity, sight.now));
    auto events = TRY(decode_all(TRY(sight.reader.entries_of(authority::ref_of(*identity), most_events))));
    View view{std::move(of_identity), only, std::move(events), {}, sight.now};
    view.stops = TRY(read_stops(sight.reader, view));
    return view;
}

Result<View> view_of_token(Shell& shell, const Secret& token, std::size_t most_events) {
    std::optional<View> view;
    TRY(TRY(shell.authority())
            ->view_by_token(TRY(shell.workspace()), token,
                            [&](const Authority::Sight& sight, const Credential& found) -> Result<void> {
                                view = TRY(read_view(sight, found, most_events));
                                return {};
                            }));
    return std::move(*view);
}

Result<int> run_inspect(Shell& shell, const Options& options) {
    const auto target = TRY(target_of(options.target, options.from_stdin));
    const auto by_name = [&](const Authority::Sight& sight) -> Result<View> {
        const auto& name = std::get<authority::ByNameOrId>(target).text;
        const auto found = TRY(authority::resolve(sight.reader, sight.workspace.name, name));
        return read_view(sight, found, options.events);
    };
    const auto* const token = std::get_if<authority::ByToken>(&target);
    const View view =
        TRY(token != nullptr ? view_of_token(shell, token->token, options.events) : read_workspace(shell, by_name));
    if (shell.is_json())
        print_json(shell, view);
    else
        print_text(shell, view);
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
