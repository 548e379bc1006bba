// marque audit list: the entries that meet conditions.
#include "cli/audit_list.h"

#include <fmt/format.h>

#include <algorithm>

#include "authority/resolve.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/identity_view.h"
#include "cli/reading.h"
#include "domain/span_of_time.h"

namespace marque::cli {
namespace {

using authority::Authority;

constexpr std::size_t page = 500;

struct ListOptions {
    std::string identity, credential, operator_name, action, approval, outcome, since, until;
    std::uint64_t limit = 50;
};

// The conditions of `audit list`, understood: names are those of things that there are.
struct Wanted {
    std::optional<Instant> since, until;
    std::optional<domain::IdentityRef> identity;  // of the credential, too
    std::optional<domain::CredentialId> credential;
    std::optional<domain::ApprovalId> approval;
    std::string operator_name, action, outcome;

    bool matches(const audit::Entry& entry) const;
};

bool Wanted::matches(const audit::Entry& entry) const {
    if ((since && entry.at < *since) || (until && entry.at > *until)) return false;
    if (!operator_name.empty() && (entry.actor != operator_name || entry.body.at("actor").at("kind") != "operator"))
        return false;
    // A whole action, or the kind before its dot.
    if (!action.empty() && entry.action != action && !entry.action.starts_with(action + ".")) return false;
    if (!outcome.empty() && entry.outcome != outcome) return false;
    if (credential) {
        const auto* subject = std::get_if<domain::CredentialRef>(&entry.subject);
        if (subject == nullptr || subject->id != *credential) return false;
    }
    if (!approval) return true;
    const auto* subject = std::get_if<domain::ApprovalRef>(&entry.subject);
    const auto* redeemed = entry.body.if_contains("approval");
    return (subject != nullptr && subject->id == *approval) ||
           (redeemed != nullptr && redeemed->is_string() &&
            std::string_view(redeemed->get_string()) == approval->text());
}

Result<void> require_action(const std::string& action) {
    if (action.empty()) return {};
    std::vector<std::string> known;
    for (const std::string_view name : audit::known_actions) {
        known.emplace_back(name);
        known.emplace_back(name.substr(0, name.find('.')));
    }
    if (std::ranges::find(known, action) != known.end()) return {};
    return Error(Code::InvalidRequest, quote(action) + " is no action, and no kind of actions",
                 authority::did_you_mean(action, known, "write identity.revoke, or identity for all of that kind"));
}

// Says that an operator does not exist only to a viewer who may list all operators.
Result<void> require_operator(const store::Reader& reader, const domain::Operator& viewer, const std::string& name) {
    if (name.empty() || !authority::holds(viewer, std::nullopt, domain::Permission::View)) return {};
    std::vector<std::string> names;
    for (const domain::Operator& one : TRY(reader.operators())) names.push_back(one.name.text());
    if (std::ranges::find(names, name) != names.end()) return {};
    return Error(Code::NotFound, "there is no operator " + quote(name),
                 authority::did_you_mean(name, names, "see marque operator list"));
}

Result<void> require_named(const store::Reader& reader, const domain::Operator& viewer, const Wanted& wanted) {
    TRY(require_operator(reader, viewer, wanted.operator_name));
    if (wanted.approval) TRY(authority::find_approval(reader, viewer, *wanted.approval));
    return {};
}

Result<Wanted> wanted_of(const ListOptions& options, Instant now) {
    Wanted wanted;
    if (!options.since.empty()) wanted.since = TRY(domain::parse_moment(options.since, now, domain::DayEdge::Begin));
    if (!options.until.empty()) wanted.until = TRY(domain::parse_moment(options.until, now, domain::DayEdge::End));
    if (wanted.since && wanted.until && *wanted.since > *wanted.until)
        return Error(Code::InvalidRequest, "--since is later than --until", "nothing is between them: exchange them");
    TRY(require_action(options.action));
    wanted.operator_name = options.operator_name;
    wanted.action = options.action;
    wanted.outcome = options.outcome;
    if (!options.approval.empty()) wanted.approval = TRY(domain::ApprovalId::parse(options.approval));
    if (!options.credential.empty()) wanted.credential = TRY(domain::CredentialId::parse(options.credential));
    return wanted;
}

// One more than `limit`, if there are more: newest first.
Result<std::vector<audit::Entry>> select(const store::Reader& reader, const Wanted& wanted, std::size_t limit) {
    std::vector<audit::Entry> found;
    const auto add = [&](audit::Entry& entry) {
        if (found.size() <= limit && wanted.matches(entry)) found.push_back(std::move(entry));
    };
    if (wanted.identity) {
        for (std::size_t most = page;; most *= 4) {
            auto entries = TRY(decode_all(TRY(reader.entries_of(*wanted.identity, most))));
            found.clear();
            const bool are_all = entries.size() < most;
            for (audit::Entry& entry : entries) add(entry);
            if (are_all || found.size() > limit) return found;
        }
    }
    std::uint64_t end = TRY(reader.head()).frontier.size();
    while (end > 0 && found.size() <= limit) {
        const std::uint64_t begin = end > page ? end - page : 0;
        auto entries = TRY(decode_all(TRY(reader.entries(begin, end - begin))));
        const bool is_before = wanted.since && !entries.empty() && entries.front().at < *wanted.since;
        for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) add(*entry);
        if (is_before) break;
        end = begin;
    }
    return found;
}

// An operator of one workspace may see the entries of its identities; the whole log is for
// those who may see the whole installation.
Result<std::vector<audit::Entry>> find_entries(Shell& shell, const ListOptions& options, std::size_t limit) {
    Authority& authority = *TRY(shell.authority());
    Wanted wanted = TRY(wanted_of(options, shell.now()));
    std::vector<audit::Entry> entries;
    if (options.identity.empty() && options.credential.empty()) {
        TRY(authority.view_installation([&](const Authority::Overview& overview) -> Result<void> {
            TRY(require_named(overview.reader, overview.viewer, wanted));
            entries = TRY(select(overview.reader, wanted, limit));
            return {};
        }));
        return entries;
    }
    TRY(authority.view_workspace(TRY(shell.workspace()), [&](const Authority::Sight& sight) -> Result<void> {
        const domain::WorkspaceName& workspace = sight.workspace.name;
        TRY(require_named(sight.reader, sight.viewer, wanted));
        if (wanted.credential) {
            const auto found = TRY(authority::resolve(sight.reader, workspace, options.credential));
            wanted.identity = domain::IdentityRef{workspace, std::get<domain::Credential>(found).identity};
        }
        if (!options.identity.empty()) {
            const auto name = TRY(domain::IdentityName::parse(options.identity));
            TRY(authority::require_identity(sight.reader, workspace, name));
            if (wanted.identity && wanted.identity->name != name)
                return Error(Code::InvalidRequest,
                             fmt::format("credential {} is not one of {}", options.credential, name.text()),
                             "leave out --identity");
            wanted.identity = domain::IdentityRef{workspace, name};
        }
        entries = TRY(select(sight.reader, wanted, limit));
        return {};
    }));
    return entries;
}

Result<int> run_list(Shell& shell, const ListOptions& options) {
    auto entries = TRY(find_entries(shell, options, options.limit));
    const bool is_truncated = entries.size() > options.limit;
    if (is_truncated) entries.pop_back();
    std::ranges::reverse(entries);
    if (shell.is_json()) {
        audit::JsonArray list;
        for (const audit::Entry& entry : entries) list.emplace_back(entry.body);
        audit::JsonObject object{{"entries", std::move(list)}};
        if (is_truncated) object["truncated"] = true;
        shell.print_json(std::move(object));
        return 0;
    }
    if (!entries.empty()) shell.print(shell.paint().dim(entry_heading(shell.now())) + "\n");
    for (const audit::Entry& entry : entries) print_entry(shell, entry, shell.now());
    if (entries.empty()) shell.say("no entry meets these conditions");
    if (is_truncated)
        shell.say(fmt::format("the newest {} are shown, and there are more: --limit N shows N", entries.size()));
    return 0;
}

}  // namespace

void print_entry(Shell& shell, const audit::Entry& entry, Instant now) {
    if (shell.is_json())
        shell.print_exact(audit::canonical(entry.body) + "\n");
    else
        shell.print(entry_line(entry, now, shell.paint()) + "\n");
}

void add_list_command(const Command& audit, Shell& shell, Exit& exit) {
    auto options = std::make_shared<ListOptions>();
    const Command command = audit.add_command("list", "List entries, oldest first");
    command.option("--identity", options->identity, "NAME", "About this identity and its credentials");
    command.option("--credential", options->credential, "ID", "About this credential");
    command.option("--operator", options->operator_name, "NAME", "By this operator");
    command.option("--action", options->action, "ACTION",
                   "An action, such as identity.revoke, or a kind, such as credential");
    command.option("--approval", options->approval, "ID", "About this approval, and what it allowed");
    command.one_of("--outcome", options->outcome, {"done", "refused", "failed"}, "OUTCOME", "done, refused or failed");
    command.option("--since", options->since, "WHEN", "2026-11-01, an instant, or 7d: counted back from now");
    command.option("--until", options->until, "WHEN", "The same; of a day, its end");
    command.number("--limit", options->limit, 1, 1'000'000, "N", "At most so many: the newest");
    on_run(command, shell, exit, options, run_list);
}

}  // namespace marque::cli
