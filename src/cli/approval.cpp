// marque approval: what operators ask the owners for, and what the owners say.
#include <fmt/format.h>

#include <chrono>
#include <map>
#include <thread>

#include "base/small_file.h"
#include "base/text.h"
#include "cli/commands.h"
#include "crypto/digest.h"

namespace marque::cli {
namespace {

using namespace domain;
using authority::Authority;

struct Options {
    ChangeOptions change;
    std::string id, key, file;
    bool is_all = false, watches = false;
};

constexpr std::size_t most_listed = 1000, most_read = 30'000;
constexpr auto between_looks = std::chrono::seconds(1);

// An approval with what its state follows from.
struct View {
    Approval approval;
    Approvers approvers;
    Instant now;

    std::vector<Counting> counts() const { return counting(approval, approvers); }
    ApprovalState state() const { return state_at(approval, approvers, now); }
    std::string signatures() const { return fmt::format("{} of {}", count_of(counts()), approvers.policy.quorum); }
};

audit::JsonObject to_json(const View& view) {
    const Approval& approval = view.approval;
    audit::JsonArray signatures;
    const auto counts = view.counts();
    for (std::size_t i = 0; i < counts.size(); ++i)
        signatures.emplace_back(audit::JsonObject{{"fingerprint", approval.signatures[i].fingerprint},
                                                  {"at", to_rfc3339(approval.signatures[i].at)},
                                                  {"counts", counts[i] == Counting::Counts}});
    audit::JsonObject object{{"id", approval.id.text()},
                             {"state", name_of(view.state())},
                             {"action", approval.action},
                             {"about", audit::to_json(approval.about)},
                             {"requester", approval.requester.text()},
                             {"requested_at", to_rfc3339(approval.requested_at)},
                             {"not_after", to_rfc3339(approval.not_after)},
                             {"quorum", view.approvers.policy.quorum},
                             {"signatures", std::move(signatures)},
                             {"plan", approval.plan},
                             {"request", approval.text}};
    if (approval.workspace) object["workspace"] = approval.workspace->text();
    return object;
}

Result<View> view_of(Shell& shell, const ApprovalId& id) {
    std::optional<View> view;
    TRY(TRY(shell.authority())->view_permitted([&](const Authority::Overview& overview) -> Result<void> {
        auto approval = TRY(authority::find_approval(overview.reader, overview.viewer, id));
        auto approvers = TRY(authority::approvers_of(overview.reader));
        view = View{std::move(approval), std::move(approvers), overview.now};
        return {};
    }));
    return std::move(*view);
}

Result<std::vector<View>> views(Shell& shell, bool is_all, store::Listing listing) {
    std::vector<View> views;
    TRY(TRY(shell.authority())->view_permitted([&](const Authority::Overview& overview) -> Result<void> {
        const Approvers approvers = TRY(authority::approvers_of(overview.reader));
        const auto open_at = is_all ? std::nullopt : std::optional(overview.now);
        for (Approval& approval : TRY(overview.reader.approvals(open_at, most_read, listing)))
            if (views.size() < most_listed && authority::holds(overview.viewer, approval.workspace, Permission::View))
                views.push_back({std::move(approval), approvers, overview.now});
        return {};
    }));
    return views;
}

std::vector<std::string> row_of(Shell& shell, const View& view) {
    const Approval& approval = view.approval;
    return {approval.id.string(),
            shell.paint().state(name_of(view.state())),
            view.signatures(),
            approval.action,
            describe(approval.about),
            approval.requester.text(),
            in_words(approval.not_after, view.now)};
}

void print_list(Shell& shell, const std::vector<View>& views) {
    Table table({"APPROVAL", "STATE", "SIGNATURES", "ACTION", "ABOUT", "REQUESTER", "GOOD UNTIL"});
    for (const View& view : views) table.add(row_of(shell, view));
    shell.print(table);
}

// One line for each request that is new, or has moved on, since the last look.
Result<int> watch(Shell& shell) {
    std::map<ApprovalId, std::string> known;
    for (;;) {
        auto all = TRY(views(shell, true, store::Listing::AsFound));
        std::ranges::reverse(all);
        for (const View& view : all) {
            const std::string now = fmt::format("{} ({})", name_of(view.state()), view.signatures());
            std::string& before = known[view.approval.id];
            const bool is_news = before.empty() ? is_open(view.state()) : before != now;
            before = now;
            if (!is_news) continue;
            if (shell.is_json())
                shell.print_json(to_json(view));
            else
                shell.print(fmt::format("{}  {}  {} {} for {}, good until {}\n", view.approval.id.text(), now,
                                        view.approval.action, describe(view.approval.about),
                                        view.approval.requester.text(), to_calendar(view.approval.not_after)));
        }
        TRY(shell.finish_output());
        if (!shell.has_reader()) return 0;
        std::this_thread::sleep_for(between_looks);
    }
}

Result<int> run_list(Shell& shell, const Options& options) {
    if (options.watches) return watch(shell);
    const auto all = TRY(views(shell, options.is_all, store::Listing::Complete));
    if (shell.is_json()) {
        audit::JsonArray list;
        for (const View& view : all) list.emplace_back(to_json(view));
        shell.print_json({{"approvals", std::move(list)}});
    } else if (all.empty()) {
        shell.say(options.is_all ? "nothing was ever asked for" : "nothing waits for an owner (--all shows the rest)");
    } else {
        print_list(shell, all);
    }
    return 0;
}

// A stored text is shown only when it is what the eye takes it for.
Result<std::string> text_of(const Approval& approval) {
    if (is_plain_text(approval.text)) return approval.text;
    return Error(Code::Corrupt, describe(ApprovalRef{approval.id}) + " holds characters that can't be seen",
                 "somebody wrote to the database; run marque audit verify");
}

void print_view(Shell& shell, const View& view, const std::string& text) {
    shell.print(text + "\n");
    shell.print(fmt::format("state:         {}\n", shell.paint().state(name_of(view.state()))));
    shell.print(fmt::format("signatures:    {}\n", view.signatures()));
    const auto counts = view.counts();
    for (std::size_t i = 0; i < counts.size(); ++i)
        shell.print(fmt::format("  {}, {}: {}\n", escaped(view.approval.signatures[i].fingerprint),
                                to_calendar(view.approval.signatures[i].at), name_of(counts[i])));
}

Result<int> run_show(Shell& shell, const Options& options) {
    const ApprovalId id = TRY(ApprovalId::parse(options.id));
    for (std::string before;;) {
        const View view = TRY(view_of(shell, id));
        const std::string text = TRY(text_of(view.approval));
        const std::string now = fmt::format("{} {}", name_of(view.state()), view.signatures());
        if (now != before) {
            if (shell.is_json())
                shell.print_json(to_json(view));
            else
                print_view(shell, view, text);
            TRY(shell.finish_output());
        }
        if (!options.watches || !is_open(view.state()) || !shell.has_reader()) return 0;
        before = now;
        std::this_thread::sleep_for(between_looks);
    }
}

Result<int> run_export(Shell& shell, const Options& options) {
    const View view = TRY(view_of(shell, TRY(ApprovalId::parse(options.id))));
    const std::string text = TRY(text_of(view.approval));
    if (shell.is_json())
        shell.print_json({{"id", view.approval.id.text()}, {"request", text}});
    else
        shell.print(text);
    return 0;
}

Result<int> run_sign(Shell& shell, const Options& options) {
    auto order = TRY(shell.order(options.change));
    const View view = TRY(view_of(shell, TRY(ApprovalId::parse(options.id))));
    const std::string text = TRY(text_of(view.approval));
    if (const Rule rule = rule_for(view.state(), ApprovalAction::Sign); rule.ruling != Ruling::Allowed)
        return Error(Code::StateRefuses, fmt::format("{}: {}", describe(ApprovalRef{view.approval.id}), rule.because));
    const std::string digest = to_hex(crypto::sha256(bytes_of(text)));
    // What nobody could read is not signed.
    TRY(shell.show(text));
    if (!order.confirmation.is_given()) {
        shell.say(fmt::format("Nothing is signed. To sign this, add --confirm, or for exactly this text --confirm={}",
                              digest.substr(0, 16)));
        return order.confirmation.is_dry_run() ? 0 : static_cast<int>(Code::NotConfirmed);
    }
    const bool is_digest = options.change.confirm.size() >= authority::Confirmation::shortest_digest;
    if (options.change.confirm != "true" && (!is_digest || !digest.starts_with(options.change.confirm)))
        return Error(Code::NotConfirmed, "the text is not the one that was shown; nothing is signed",
                     "--confirm=" + digest.substr(0, 16));
    const std::string signature = TRY(shell.owner_keys().sign_as_owner(text, options.key, view.approvers.owners));
    order.confirmation = TRY(authority::Confirmation::parse(""));
    return shell.report(TRY(TRY(shell.authority())->sign_approval(view.approval.id, signature, order)), options.change);
}

Result<int> run_import(Shell& shell, const Options& options) {
    const auto order = TRY(shell.order(options.change));
    const ApprovalId id = TRY(ApprovalId::parse(options.id));
    const std::string signature = TRY(read_text(options.file, {}));
    return shell.report(TRY(TRY(shell.authority())->sign_approval(id, signature, order)), options.change);
}

Result<int> run_deny(Shell& shell, const Options& options) {
    const auto order = TRY(shell.order(options.change));
    const ApprovalId id = TRY(ApprovalId::parse(options.id));
    return shell.report(TRY(TRY(shell.authority())->deny_approval(id, order)), options.change);
}

Result<int> run_withdraw(Shell& shell, const Options& options) {
    const auto order = TRY(shell.order(options.change));
    const ApprovalId id = TRY(ApprovalId::parse(options.id));
    return shell.report(TRY(TRY(shell.authority())->withdraw_approval(id, order)), options.change);
}

}  // namespace

void add_approval(const Command& root, Shell& shell, Exit& exit) {
    const Command group =
        root.add_command("approval", "What needs the owners: list, show, export, sign, import, deny, withdraw");
    group.needs_subcommand();
    const auto add = [&](const char* name, const char* help, const auto& fill, auto body) {
        auto options = std::make_shared<Options>();
        const Command command = group.add_command(name, help);
        fill(command, *options);
        on_run(command, shell, exit, options, body);
    };
    const auto id = [](const Command& command, Options& options) {
        command.option("id", options.id, "ID", "As marque approval list shows it", Presence::Required);
    };
    add(
        "list", "List the requests that wait for the owners",
        [](const Command& command, Options& options) {
            command.flag("--all", options.is_all, "Also what was used, denied, withdrawn, or is out of time");
            command.flag("--watch", options.watches, "Go on, with a line for each request that is new or moves on");
        },
        run_list);
    add(
        "show", "Show one request: the text that owners sign, and who has signed",
        [&](const Command& command, Options& options) {
            id(command, options);
            command.flag("--watch", options.watches, "Show it again whenever it moves on, until it is decided");
        },
        run_show);
    add("export", "Print the text to sign, byte for byte: ssh-keygen -Y sign -n marque-approval -f KEY request.txt", id,
        run_export);
    add(
        "sign", "Sign a request as an owner, with ssh-keygen: from the agent, ~/.ssh, or a hardware key",
        [&](const Command& command, Options& options) {
            id(command, options);
            command.option("--key", options.key, "FILE", "The owner's key (default: one that is registered)");
            add_change_options(command, options.change, Reason::Optional);
        },
        run_sign);
    add(
        "import", "Add a signature that was made elsewhere",
        [&](const Command& command, Options& options) {
            id(command, options);
            command.option("file", options.file, "FILE.sig", "What ssh-keygen wrote; - for standard input",
                           Presence::Required);
            add_change_options(command, options.change, Reason::Optional);
        },
        run_import);
    add(
        "deny", "Refuse a request for ever",
        [&](const Command& command, Options& options) {
            id(command, options);
            add_change_options(command, options.change, Reason::Required);
        },
        run_deny);
    add(
        "withdraw", "Take back a request of your own",
        [&](const Command& command, Options& options) {
            id(command, options);
            add_change_options(command, options.change, Reason::Optional);
        },
        run_withdraw);
}

}  // namespace marque::cli
