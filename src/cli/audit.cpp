// marque audit: reading, verifying, signing and proving the log.
#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "authority/log.h"
#include "authority/resolve.h"
#include "base/small_file.h"
#include "base/text.h"
#include "cli/audit_list.h"
#include "cli/commands.h"
#include "cli/identity_view.h"
#include "cli/log_progress.h"
#include "cli/reading.h"
#include "crypto/base64.h"
#include "domain/span_of_time.h"

namespace marque::cli {
namespace {

using authority::Authority;

constexpr std::size_t page = 500;

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

// Returns the entries after `after`; of none, the newest `count`.
Result<std::vector<audit::Entry>> read_tail(const Authority::Overview& overview,
                                            const std::optional<std::uint64_t>& after, std::uint64_t count) {
    const std::uint64_t size = TRY(overview.reader.head()).frontier.size();
    return decode_all(TRY(overview.reader.entries(after.value_or(size > count ? size - count : 0), 10'000)));
}

Result<int> run_tail(Shell& shell, const TailOptions& options) {
    std::optional<std::uint64_t> after;
    do {
        const auto entries = TRY(read_installation(shell, [&](const Authority::Overview& overview) {
            return read_tail(overview, after, after ? 0 : options.count);
        }));
        if (!after) after = 0;
        for (const audit::Entry& entry : entries) {
            print_entry(shell, entry, shell.now());
            after = entry.seq;
        }
        TRY(shell.finish_output());
        if (!shell.has_reader()) return 0;
        if (options.follows) std::this_thread::sleep_for(std::chrono::milliseconds(500));
    } while (options.follows);
    return 0;
}

Result<store::StoredEntry> read_entry(const Authority::Overview& overview, std::uint64_t seq) {
    auto entries = TRY(overview.reader.entries(seq - 1, 1));
    if (entries.empty() || entries.front().seq != seq)
        return Error(Code::NotFound, fmt::format("there is no entry {}", seq),
                     fmt::format("the log has {}", TRY(overview.reader.head()).frontier.size()));
    return std::move(entries.front());
}

Result<int> run_show(Shell& shell, const ShowOptions& options) {
    if (options.seq == 0) return Error(Code::InvalidRequest, "entries count from 1");
    const auto stored = TRY(read_installation(
        shell, [&](const Authority::Overview& overview) { return read_entry(overview, options.seq); }));
    const audit::Entry entry = TRY(decode_all({stored})).front();
    // As it is hashed: byte for byte, which is also JSON.
    if (shell.is_json()) {
        shell.print_exact(stored.bytes + "\n");
        return 0;
    }
    shell.print(
        fmt::format("{}  {}\n", shell.paint().bold(fmt::format("entry {}", entry.seq)), when(entry.at, shell.now())));
    for (const auto& member : entry.body)
        if (member.key() != "seq" && member.key() != "at")
            shell.print(fmt::format("  {:<8} {}\n", std::string_view(member.key()),
                                    escaped(member.value().is_string() ? std::string(member.value().get_string())
                                                                       : audit::canonical(member.value()))));
    shell.print(fmt::format("  {:<8} {}\n", "leaf", to_hex(audit::leaf_hash(bytes_of(stored.bytes)))));
    return 0;
}

Result<std::optional<audit::Checkpoint>> earlier_checkpoint(const VerifyOptions& options,
                                                            const audit::VerifierKey& own) {
    if (options.checkpoint.empty()) return std::nullopt;
    const audit::VerifierKey key = options.key.empty() ? own : TRY(audit::VerifierKey::parse(options.key));
    const std::string text = TRY(audit::open_note(TRY(read_text(options.checkpoint, {})), key));
    return TRY(audit::Checkpoint::parse(text));
}

struct Verified {
    authority::LogReport report;
    std::optional<audit::Checkpoint> earlier;
};

Result<Verified> read_verified(Shell& shell, const VerifyOptions& options) {
    const Secret& root_key = *TRY(shell.root_key());
    Verified verified;
    TRY(TRY(shell.authority())->view_unchecked([&](const store::Reader& reader, Instant) -> Result<void> {
        verified.earlier = TRY(earlier_checkpoint(options, TRY(authority::log_verifier_key(reader, root_key))));
        verified.report =
            TRY(authority::verify_log(reader, root_key, verified.earlier, log_progress(shell, "reading the log"),
                                      &shell.owner_keys().owner_signatures()));
        return authority::verify_rows(reader, verified.report);
    }));
    return verified;
}

Result<int> run_verify(Shell& shell, const VerifyOptions& options) {
    const auto [report, earlier] = TRY(read_verified(shell, options));
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

// A log that was read whole and found sound, and a signed checkpoint of it.
struct SoundLog {
    authority::LogReport report;
    std::string note;
};

Result<SoundLog> read_sound_log(Shell& shell, const Authority::Overview& overview, authority::Leaves leaves) {
    const Secret& root_key = *TRY(shell.root_key());
    auto report = TRY(authority::verify_log(overview.reader, root_key, std::nullopt,
                                            log_progress(shell, "reading the log"), nullptr, leaves));
    if (!report.is_sound())
        return Error(Code::Corrupt, "the log is not sound: " + report.findings.front().what, "run marque audit verify");
    auto note = TRY(authority::sign_checkpoint(overview.reader, root_key, report));
    return SoundLog{std::move(report), std::move(note)};
}

Result<SoundLog> sound_log(Shell& shell, authority::Leaves leaves) {
    return read_installation(
        shell, [&](const Authority::Overview& overview) { return read_sound_log(shell, overview, leaves); });
}

Result<int> run_checkpoint(Shell& shell, const NoOptions&) {
    const SoundLog log = TRY(sound_log(shell, authority::Leaves::Dropped));
    if (shell.is_json())
        shell.print_json({{"size", log.report.size}, {"root", crypto::to_base64(log.report.root)}, {"note", log.note}});
    else
        shell.print(log.note);
    return 0;
}

Result<std::string> read_key(Shell& shell) {
    const Secret& root_key = *TRY(shell.root_key());
    const auto key = TRY(read_installation(shell, [&](const Authority::Overview& overview) {
        return authority::log_verifier_key(overview.reader, root_key);
    }));
    return key.text();
}

Result<int> run_key(Shell& shell, const NoOptions&) {
    const std::string key = TRY(read_key(shell));
    if (shell.is_json())
        shell.print_json({{"verifier_key", key}});
    else
        shell.print(key + "\n");
    return 0;
}

Result<int> run_prove(Shell& shell, const ProveOptions& options) {
    if ((options.entry == 0) == (options.since == 0))
        return Error(Code::InvalidRequest,
                     "say which proof: --entry N (it is in the log) or --since SIZE (nothing before was changed)");
    const SoundLog log = TRY(sound_log(shell, authority::Leaves::Kept));
    const authority::LogReport& report = log.report;
    if (std::max(options.entry, options.since) > report.size)
        return Error(Code::NotFound, fmt::format("the log has only {} entries", report.size));
    const std::string proof =
        options.entry > 0
            ? audit::inclusion_text(options.entry - 1, audit::inclusion_proof(options.entry - 1, report.leaves),
                                    log.note)
            : audit::consistency_text(options.since, audit::consistency_proof(options.since, report.leaves), log.note);
    if (shell.is_json())
        shell.print_json({{"proof", proof}});
    else
        shell.print(proof);
    return 0;
}

Result<std::vector<store::StoredEntry>> read_page(const Authority::Overview& overview, std::uint64_t after) {
    auto entries = TRY(overview.reader.entries(after, page));
    TRY(decode_all(entries));  // what is no entry might be more than one line, or none of JSON
    return entries;
}

// Each page is read in a transaction of its own, so a slow reader of our output holds none open. The log only grows, so
// the pages fit together.
Result<int> run_export(Shell& shell, const NoOptions&) {
    for (std::uint64_t after = 0;;) {
        const auto entries = TRY(
            read_installation(shell, [&](const Authority::Overview& overview) { return read_page(overview, after); }));
        for (const store::StoredEntry& entry : entries) shell.print_exact(entry.bytes + "\n");
        TRY(shell.finish_output());
        if (entries.size() < page || !shell.has_reader()) return 0;
        after = entries.back().seq;
    }
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
