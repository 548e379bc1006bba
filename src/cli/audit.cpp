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

namespace marque::cli {
namespace {

using authority::Authority;

constexpr std::size_t page = 500;

struct ListOptions {
    std::string identity, operator_name, action, since;
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

bool is_wanted(const audit::Entry& entry, const ListOptions& options, const std::optional<Instant>& since) {
    if (since && entry.at < *since) return false;
    if (!options.operator_name.empty() &&
        (entry.actor != options.operator_name || entry.body.at("actor").at("kind") != "operator"))
        return false;
    // A whole action, or the kind before its dot.
    return options.action.empty() || entry.action == options.action || entry.action.starts_with(options.action + ".");
}

// How far back `--since` reaches: a date, an instant, or a duration counted back from now.
Result<std::optional<Instant>> since_of(const std::string& text, Instant now) {
    if (text.empty()) return std::nullopt;
    if (const auto duration = domain::parse_duration(text)) return now - *duration;
    const auto at_midnight = parse_rfc3339(text.size() == 10 ? text + "T00:00:00.000000Z" : text);
    if (at_midnight) return *at_midnight;
    return Error(Code::InvalidRequest, quote(text) + " is neither a date nor a duration", "write 2026-11-01 or 7d");
}

void print_entry(Shell& shell, const audit::Entry& entry, Instant now) {
    if (shell.is_json())
        shell.print(audit::canonical(entry.body) + "\n");
    else
        shell.print(entry_line(entry, now, shell.paint()) + "\n");
}

// Newest first, until `limit` are found or the log is through.
Result<std::vector<audit::Entry>> select(const Authority::Overview& overview, const ListOptions& options,
                                         const std::optional<domain::IdentityRef>& identity) {
    const auto since = TRY(since_of(options.since, overview.now));
    std::vector<audit::Entry> wanted;
    if (identity) {
        for (audit::Entry& entry : TRY(decode_all(TRY(overview.reader.entries_of(*identity, options.limit * 20)))))
            if (is_wanted(entry, options, since) && wanted.size() < options.limit) wanted.push_back(std::move(entry));
        return wanted;
    }
    std::uint64_t end = TRY(overview.reader.head()).frontier.size();
    while (end > 0 && wanted.size() < options.limit) {
        const std::uint64_t begin = end > page ? end - page : 0;
        auto entries = TRY(decode_all(TRY(overview.reader.entries(begin, end - begin))));
        for (auto entry = entries.rbegin(); entry != entries.rend() && wanted.size() < options.limit; ++entry)
            if (is_wanted(*entry, options, since)) wanted.push_back(std::move(*entry));
        if (since && !entries.empty() && entries.front().at < *since) break;
        end = begin;
    }
    return wanted;
}

// An operator of one workspace may see the entries of its identities; the whole log is for
// those who may see the whole installation.
Result<int> run_list(Shell& shell, const ListOptions& options) {
    Authority& authority = *TRY(shell.authority());
    std::vector<audit::Entry> entries;
    if (options.identity.empty()) {
        TRY(authority.look_over([&](const Authority::Overview& overview) -> Result<void> {
            entries = TRY(select(overview, options, std::nullopt));
            return {};
        }));
    } else {
        const auto name = TRY(domain::IdentityName::parse(options.identity));
        TRY(authority.look(TRY(shell.workspace()), [&](const Authority::Sight& sight) -> Result<void> {
            TRY(authority::require_identity(sight.reader, sight.workspace.name, name));
            entries = TRY(select({sight.reader, sight.viewer, sight.now}, options,
                                 domain::IdentityRef{sight.workspace.name, name}));
            return {};
        }));
    }
    std::ranges::reverse(entries);
    if (shell.is_json()) {
        audit::JsonArray list;
        for (const audit::Entry& entry : entries) list.emplace_back(entry.body);
        shell.print_json({{"entries", std::move(list)}});
        return 0;
    }
    for (const audit::Entry& entry : entries) print_entry(shell, entry, shell.now());
    if (entries.empty()) shell.say("no entry meets these conditions");
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
            shell.print(entries.front().bytes + "\n");
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
            for (const store::StoredEntry& entry : entries) shell.print(entry.bytes + "\n");
            TRY(shell.finish_output());
            if (entries.size() < page) return {};
            after = entries.back().seq;
        }
    }));
    return 0;
}

void add_list_command(const Command& audit, Shell& shell, Exit& exit) {
    auto options = std::make_shared<ListOptions>();
    const Command command = audit.add_command("list", "List entries, oldest first");
    command.option("--identity", options->identity, "NAME", "About this identity and its credentials");
    command.option("--operator", options->operator_name, "NAME", "By this operator");
    command.option("--action", options->action, "ACTION",
                   "An action, such as identity.revoke, or a kind, such as credential");
    command.option("--since", options->since, "WHEN", "2026-11-01, or 7d: counted back from now");
    command.number("--limit", options->limit, 1, 1'000'000, "N", "The newest so many");
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
