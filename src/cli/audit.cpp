// marque audit: reading, verifying, signing and proving the log.
#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "authority/log.h"
#include "authority/resolve.h"
#include "base/small_file.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/identity_view.h"
#include "cli/log_progress.h"
#include "crypto/base64.h"
#include "domain/span_of_time.h"

namespace marque::cli {
namespace {

using authority::Authority;

constexpr std::size_t page = 500;

struct ListOptions {
    std::string identity, credential, operator_name, action, approval, outcome, since, until;
    std::uint64_t limit = 50;
};
struct TailOptions {
    std::uint64_t count = 10;
    bool follows = false;
};
struct ShowOptions {
    std::uint64_t seq = 0;
};
struct VerifyOptions {
    std::string checkpoint, key;
};
struct ProveOptions {
    std::uint64_t entry = 0, since = 0;
};
struct NoOptions {};

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

void print_entry(Shell& shell, const audit::Entry& entry, Instant now) {
    if (shell.is_json())
        shell.print_exact(audit::canonical(entry.body) + "\n");
    else
        shell.print(entry_line(entry, now, shell.paint()) + "\n");
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
        TRY(authority.look_over([&](const Authority::Overview& overview) -> Result<void> {
            TRY(require_named(overview.reader, overview.viewer, wanted));
            entries = TRY(select(overview.reader, wanted, limit));
            return {};
        }));
        return entries;
    }
    TRY(authority.look(TRY(shell.workspace()), [&](const Authority::Sight& sight) -> Result<void> {
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

Result<int> run_tail(Shell& shell, const TailOptions& options) {
    Authority& authority = *TRY(shell.authority());
    std::optional<std::uint64_t> after;
    do {
        TRY(authority.look_over([&](const Authority::Overview& overview) -> Result<void> {
            const std::uint64_t size = TRY(overview.reader.head()).frontier.size();
            if (!after) after = size > options.count ? size - options.count : 0;
            for (const audit::Entry& entry : TRY(decode_all(TRY(overview.reader.entries(*after, 10'000))))) {
                print_entry(shell, entry, overview.now);
                after = entry.seq;
            }
            return {};
        }));
        TRY(shell.finish_output());
        if (!shell.has_reader()) return 0;
        if (options.follows) std::this_thread::sleep_for(std::chrono::milliseconds(500));
    } while (options.follows);
    return 0;
}

Result<int> run_show(Shell& shell, const ShowOptions& options) {
    if (options.seq == 0) return Error(Code::InvalidRequest, "entries count from 1");
    TRY(TRY(shell.authority())->look_over([&](const Authority::Overview& overview) -> Result<void> {
        const auto entries = TRY(overview.reader.entries(options.seq - 1, 1));
        if (entries.empty() || entries.front().seq != options.seq)
            return Error(Code::NotFound, fmt::format("there is no entry {}", options.seq),
                         fmt::format("the log has {}", TRY(overview.reader.head()).frontier.size()));
        const audit::Entry entry = TRY(decode_all(entries)).front();
        // As it is hashed: byte for byte, which is also JSON.
        if (shell.is_json()) {
            shell.print_exact(entries.front().bytes + "\n");
            return {};
        }
        shell.print(fmt::format("{}  {}\n", shell.paint().bold(fmt::format("entry {}", entry.seq)),
                                when(entry.at, overview.now)));
        for (const auto& member : entry.body)
            if (member.key() != "seq" && member.key() != "at")
                shell.print(fmt::format("  {:<8} {}\n", std::string_view(member.key()),
                                        escaped(member.value().is_string() ? std::string(member.value().get_string())
                                                                           : audit::canonical(member.value()))));
        shell.print(fmt::format("  {:<8} {}\n", "leaf", to_hex(audit::leaf_hash(bytes_of(entries.front().bytes)))));
        return {};
    }));
    return 0;
}

Result<std::optional<audit::Checkpoint>> earlier_checkpoint(const VerifyOptions& options,
                                                            const audit::VerifierKey& own) {
    if (options.checkpoint.empty()) return std::nullopt;
    const audit::VerifierKey key = options.key.empty() ? own : TRY(audit::VerifierKey::parse(options.key));
    const std::string text = TRY(audit::open_note(TRY(read_text(options.checkpoint, {})), key));
    return TRY(audit::Checkpoint::parse(text));
}

Result<int> run_verify(Shell& shell, const VerifyOptions& options) {
    const Secret& root_key = *TRY(shell.root_key());
    authority::LogReport report;
    std::optional<audit::Checkpoint> earlier;
    TRY(TRY(shell.authority())->examine([&](const store::Reader& reader, Instant) -> Result<void> {
        earlier = TRY(earlier_checkpoint(options, TRY(authority::log_verifier_key(reader, root_key))));
        report = TRY(authority::verify_log(reader, root_key, earlier, log_progress(shell, "reading the log"),
                                           &shell.system().owner_signatures()));
        return authority::verify_rows(reader, report);
    }));
    if (shell.is_json()) {
        audit::JsonArray findings;
        for (const authority::LogFinding& finding : report.findings)
            findings.emplace_back(audit::JsonObject{{"seq", finding.seq}, {"what", finding.what}});
        shell.print_json({{"sound", report.is_sound()},
                          {"size", report.size},
                          {"root", crypto::to_base64(report.root)},
                          {"owner_signatures", report.signatures},
                          {"findings", std::move(findings)}});
    } else if (report.is_sound()) {
        const std::string signatures =
            report.signatures == 0 ? "" : fmt::format(", owners' signatures: {}", report.signatures);
        shell.print(fmt::format("{}: {} entries{}, root {}{}\n", shell.paint().good("sound"), report.size, signatures,
                                crypto::to_base64(report.root),
                                earlier ? fmt::format(", an extension of the checkpoint of {}", earlier->size) : ""));
    } else {
        for (const authority::LogFinding& finding : report.findings)
            shell.print(fmt::format("{}: {}\n", shell.paint().bad("NOT SOUND"), finding.what));
    }
    return report.is_sound() ? 0 : static_cast<int>(Code::Corrupt);
}

// The log read whole and found sound, for what is to be signed over it.
Result<authority::LogReport> sound_log(Shell& shell, const Authority::Overview& overview, authority::Leaves leaves) {
    auto report = TRY(authority::verify_log(overview.reader, *TRY(shell.root_key()), std::nullopt,
                                            log_progress(shell, "reading the log"), nullptr, leaves));
    if (!report.is_sound())
        return Error(Code::Corrupt, "the log is not sound: " + report.findings.front().what, "run marque audit verify");
    return report;
}

Result<int> run_checkpoint(Shell& shell, const NoOptions&) {
    TRY(TRY(shell.authority())->look_over([&](const Authority::Overview& overview) -> Result<void> {
        const auto report = TRY(sound_log(shell, overview, authority::Leaves::Dropped));
        const std::string note = TRY(authority::sign_checkpoint(overview.reader, *TRY(shell.root_key()), report));
        if (shell.is_json())
            shell.print_json({{"size", report.size}, {"root", crypto::to_base64(report.root)}, {"note", note}});
        else
            shell.print(note);
        return {};
    }));
    return 0;
}

Result<int> run_key(Shell& shell, const NoOptions&) {
    TRY(TRY(shell.authority())->look_over([&](const Authority::Overview& overview) -> Result<void> {
        const std::string key = TRY(authority::log_verifier_key(overview.reader, *TRY(shell.root_key()))).text();
        if (shell.is_json())
            shell.print_json({{"verifier_key", key}});
        else
            shell.print(key + "\n");
        return {};
    }));
    return 0;
}

Result<int> run_prove(Shell& shell, const ProveOptions& options) {
    if ((options.entry == 0) == (options.since == 0))
        return Error(Code::InvalidRequest,
                     "say which proof: --entry N (it is in the log) or --since SIZE (nothing before was changed)");
    TRY(TRY(shell.authority())->look_over([&](const Authority::Overview& overview) -> Result<void> {
        const auto report = TRY(sound_log(shell, overview, authority::Leaves::Kept));
        const std::uint64_t asked = std::max(options.entry, options.since);
        if (asked > report.size) return Error(Code::NotFound, fmt::format("the log has only {} entries", report.size));
        const std::string note = TRY(authority::sign_checkpoint(overview.reader, *TRY(shell.root_key()), report));
        const std::string proof =
            options.entry > 0
                ? audit::inclusion_text(options.entry - 1, audit::inclusion_proof(options.entry - 1, report.leaves),
                                        note)
                : audit::consistency_text(options.since, audit::consistency_proof(options.since, report.leaves), note);
        if (shell.is_json())
            shell.print_json({{"proof", proof}});
        else
            shell.print(proof);
        return {};
    }));
    return 0;
}

Result<int> run_export(Shell& shell, const NoOptions&) {
    TRY(TRY(shell.authority())->look_over([&](const Authority::Overview& overview) -> Result<void> {
        for (std::uint64_t after = 0;;) {
            const auto entries = TRY(overview.reader.entries(after, page));
            TRY(decode_all(entries));  // what is no entry might be more than one line, or none of JSON
            for (const store::StoredEntry& entry : entries) shell.print_exact(entry.bytes + "\n");
            TRY(shell.finish_output());
            if (entries.size() < page || !shell.has_reader()) return {};
            after = entries.back().seq;
        }
    }));
    return 0;
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

}  // namespace

void add_audit(const Command& root, Shell& shell, Exit& exit) {
    const Command audit =
        root.add_command("audit", "The audit log: list, tail, show, verify, checkpoint, key, prove, export");
    audit.needs_subcommand();
    add_list_command(audit, shell, exit);

    auto tail = std::make_shared<TailOptions>();
    Command command = audit.add_command("tail", "Show the newest entries, and with -f those to come");
    command.number("-n,--count", tail->count, 1, 10'000, "N", "How many");
    command.flag("-f,--follow", tail->follows, "And those to come");
    on_run(command, shell, exit, tail, run_tail);

    auto show = std::make_shared<ShowOptions>();
    command = audit.add_command("show", "Show one entry as it is in the log");
    command.number("entry", show->seq, 1, 1ULL << 53, "N", "Its number", Presence::Required);
    on_run(command, shell, exit, show, run_show);

    auto verify = std::make_shared<VerifyOptions>();
    command = audit.add_command("verify", "Check every entry, and that nothing was cut since a checkpoint");
    command.option("--checkpoint", verify->checkpoint, "FILE", "A checkpoint saved earlier");
    command.option("--key", verify->key, "KEY", "Its verifier key (default: this installation's)");
    on_run(command, shell, exit, verify, run_verify);

    auto none = std::make_shared<NoOptions>();
    command = audit.add_command("checkpoint", "Sign the log as it is, as a C2SP signed note; keep it elsewhere");
    on_run(command, shell, exit, none, run_checkpoint);
    command = audit.add_command("key", "Print the key that checkpoints are verified with");
    on_run(command, shell, exit, none, run_key);

    auto prove = std::make_shared<ProveOptions>();
    command = audit.add_command("prove", "Print a proof, as a text that other tools can check");
    command.number("--entry", prove->entry, 1, 1ULL << 53, "N", "That this entry is in the log");
    command.number("--since", prove->since, 1, 1ULL << 53, "SIZE",
                   "That the log of this size is the beginning of this one");
    on_run(command, shell, exit, prove, run_prove);

    command = audit.add_command("export", "Print every entry as a line of canonical JSON");
    on_run(command, shell, exit, none, run_export);
}

}  // namespace marque::cli
