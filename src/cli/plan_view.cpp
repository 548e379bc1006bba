// How a plan looks, and what is said when it was carried out.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "audit/event.h"
#include "base/overloaded.h"
#include "base/text.h"
#include "cli/shell.h"

namespace marque::cli {
namespace {

using namespace domain;
using authority::Done;
using authority::Force;
using authority::Plan;
using authority::Progress;
using authority::Receipt;

constexpr std::size_t most_lines = 20;

void say_change(Shell& shell, const authority::PlannedChange& change) {
    const std::string before = authority::in_words(change.before);
    shell.say(fmt::format("  {}: {}{}", shell.paint_err().bold(escaped(describe(change.subject))),
                          before.empty() ? "" : before + " → ", authority::in_words(change.after)));
}

void say_stops(Shell& shell, const Plan& plan) {
    if (plan.stops.empty()) return;
    shell.say(fmt::format("What works now and would stop: {}{}", plan.are_stops_complete ? "" : "more than ",
                          plan.stops.size()));
    std::size_t lines = 0;
    for (const authority::Stop& stop : plan.stops) {
        if (++lines > most_lines) {
            shell.say("  …");
            break;
        }
        const std::string used = stop.last_use
                                     ? fmt::format("last used {} from {}", in_words(stop.last_use->at, shell.now()),
                                                   escaped(stop.last_use->from))
                                     : "never used";
        shell.say(fmt::format("  {}: {}", describe(stop.credential), used));
    }
}

void say_plan(Shell& shell, const Plan& plan) {
    shell.say(fmt::format("Plan: {} as {}{}", plan.action, escaped(plan.requester),
                          plan.count > 1 ? fmt::format(", {} identities", plan.count) : ""));
    std::size_t lines = 0;
    for (const authority::PlannedChange& change : plan.changes) {
        if (++lines > most_lines) {
            shell.say(fmt::format("  … and {} more", plan.changes.size() - most_lines));
            break;
        }
        say_change(shell, change);
    }
    say_stops(shell, plan);
    for (const std::string& note : plan.notes) shell.say(shell.paint_err().warning("Note: ") + escaped(note));
}

std::string until_words(const std::optional<Instant>& until) {
    return until ? " until " + to_calendar(*until) : "";
}

// One event, done, in the past tense; empty for those that another line covers.
std::string in_past_tense(const audit::Event& event) {
    const auto subject = [](const Subject& s) { return describe(s); };
    return std::visit(
        Overloaded{
            [](const audit::InstallationCreated& e) { return "created installation " + e.installation.id; },
            [](const audit::WorkspaceAdded& e) { return "added workspace " + e.workspace.name.text(); },
            [](const audit::EnvironmentAdded& e) {
                return fmt::format("added environment {}{}", e.environment.name.text(),
                                   e.environment.protection == Protection::Protected ? ", protected" : "");
            },
            [](const audit::IdentityCreated& e) {
                return fmt::format("created identity {} in {}", e.identity.name.text(), e.identity.environment.text());
            },
            [](const audit::CredentialIssued& e) {
                return fmt::format("issued credential {} of {}, which expires {}", e.credential.id.text(),
                                   e.credential.identity.text(),
                                   e.credential.expires_at ? to_calendar(*e.credential.expires_at) : "never");
            },
            [&](const audit::CredentialActivated& e) { return "activated " + subject(e.credential); },
            [&](const audit::CredentialRetiring& e) {
                return fmt::format("{} works until {}", subject(e.credential), to_calendar(e.at));
            },
            [](const audit::CredentialUndelivered&) { return std::string(); },
            [&](const audit::Paused& e) { return "paused " + subject(e.subject) + until_words(e.until); },
            [&](const audit::Resumed& e) { return "resumed " + subject(e.subject); },
            [&](const audit::Revoked& e) {
                const bool is_place = std::holds_alternative<WorkspaceRef>(e.subject) ||
                                      std::holds_alternative<EnvironmentRef>(e.subject);
                return (is_place ? "removed " : "revoked ") + subject(e.subject);
            },
            [](const audit::OperatorAdded& e) {
                return fmt::format("added operator {} with uid {}", e.operator_.name.text(), e.operator_.uid);
            },
            [](const audit::OperatorRemoved& e) { return "removed operator " + e.name.text(); },
            [](const audit::OperatorReassigned& e) {
                return fmt::format("operator {} has uid {} now, and had {}", e.name.text(), e.after, e.before);
            },
            [](const audit::PermissionGranted& e) {
                return fmt::format("granted {} {} in {}", e.name.text(), name_of(e.grant.permission),
                                   e.grant.workspace ? e.grant.workspace->text() : "all workspaces");
            },
            [](const audit::PermissionWithdrawn& e) {
                return fmt::format("withdrew {} {} in {}", e.name.text(), name_of(e.grant.permission),
                                   e.grant.workspace ? e.grant.workspace->text() : "all workspaces");
            },
            [](const audit::OwnerAdded& e) { return "registered owner key " + e.owner.fingerprint; },
            [](const audit::OwnerRemoved& e) { return "removed owner key " + e.owner.fingerprint; },
            [](const audit::ApprovalPolicyChanged& e) {
                return fmt::format("approvals need {} of the owners{}", e.after.quorum,
                                   e.after.has_sole_owner ? ", and the requester may be one" : "");
            },
            [](const audit::ProtectionChanged& e) {
                return fmt::format("environment {} is now {}", e.environment.name.text(), name_of(e.after));
            },
            [](const audit::ApprovalRequested&) { return std::string(); },
            [](const audit::ApprovalSigned& e) {
                return fmt::format("added the signature of {} to approval {}", e.owner.fingerprint, e.id.text());
            },
            [](const audit::ApprovalDenied& e) { return fmt::format("denied approval {}", e.id.text()); },
            [](const audit::ApprovalWithdrawn& e) { return fmt::format("withdrew approval {}", e.id.text()); },
            [](const audit::ApprovalRedeemed& e) { return fmt::format("used approval {}", e.id.text()); },
            [](const audit::CredentialRefused&) { return std::string(); },
            [](const audit::StoreMigrated&) { return std::string(); },
            [](const audit::StoreBackedUp&) { return std::string(); },
            [](const audit::KeyRotated&) { return std::string(); },
            [](const audit::StoreCopied& e) {
                return fmt::format("moved the store from {} to {}", e.from.location, e.to.location);
            },
            [](const audit::VerifierRemoved& e) { return "removed verifier " + e.name; },
            [](const audit::LogAccepted& e) {
                return fmt::format("accepted the log as it is, where {} entries were known", e.known_size);
            },
            [](const audit::Refused&) { return std::string(); },
        },
        event);
}

std::string milliseconds(Duration time) {
    const double ms = std::chrono::duration<double, std::milli>(time).count();
    return ms < 9.95 ? fmt::format("{:.1f} ms", ms) : fmt::format("{:.0f} ms", ms);
}

std::string seconds(Duration time) {
    return fmt::format("{:.1f} s", std::chrono::duration<double>(time).count());
}

std::string listed(const std::vector<std::string>& names) {
    return escaped(fmt::format("{}", fmt::join(names, ", ")));
}

// How it is known that the change holds; or that it is not.
std::string words_for(const Receipt& receipt) {
    const std::string confirmed = fmt::format("{} of {} verifiers confirmed", receipt.confirmed, receipt.verifiers);
    switch (receipt.force) {
        case Force::Everywhere:
            if (receipt.verifiers == 0) return "no verifier is registered";
            if (receipt.waited_out.empty()) return fmt::format("{} in {}", confirmed, milliseconds(receipt.took));
            return fmt::format("{}; waited {} until the lease of {} had ended", confirmed, seconds(receipt.took),
                               listed(receipt.waited_out));
        case Force::NotAwaited:
            return fmt::format("{}; did not wait for {}, which may answer by what was before {}", confirmed,
                               listed(receipt.silent),
                               receipt.longest == Duration(0) ? "until they confirm"
                                                              : fmt::format("for up to {}", seconds(receipt.longest)));
        case Force::NotYet:
            return confirmed + (receipt.silent.empty() ? "" : "; not by " + listed(receipt.silent));
    }
    return {};
}

audit::JsonObject to_json(const Receipt& receipt) {
    const auto names = [](const std::vector<std::string>& list) {
        audit::JsonArray array;
        for (const std::string& name : list) array.emplace_back(name);
        return array;
    };
    const char* const force = receipt.force == Force::Everywhere   ? "everywhere"
                              : receipt.force == Force::NotAwaited ? "not_awaited"
                                                                   : "not_yet";
    audit::JsonObject object{{"revision", receipt.revision},
                             {"in_force", force},
                             {"verifiers", receipt.verifiers},
                             {"confirmed", receipt.confirmed},
                             {"waited_out", names(receipt.waited_out)},
                             {"silent", names(receipt.silent)},
                             {"took_us", receipt.took.count()}};
    if (!receipt.why.empty()) object["why"] = receipt.why;
    return object;
}

// `revision 1042`, and behind it the receipt, where verifiers answer by leases.
void say_revision(Shell& shell, const Done& done) {
    const std::string revision = fmt::format("revision {}", done.revision);
    const bool has_verifiers = done.receipt && done.receipt->awaits_verifiers;
    shell.say(has_verifiers ? revision + ": " + words_for(*done.receipt) : shell.paint_err().dim(revision));
}

void say_done(Shell& shell, const Done& done) {
    std::size_t lines = 0;
    for (const audit::Event& event : done.plan.events) {
        const std::string line = in_past_tense(event);
        if (line.empty()) continue;
        if (++lines > most_lines) continue;
        shell.say(escaped(line));
    }
    // The old one's end is decided when the new one is in force, and so is no part of the plan's events.
    for (const authority::PlannedChange& change : done.plan.changes)
        if (change.after.contains("old_credential"))
            shell.say(fmt::format("{}: {}", describe(change.subject), authority::in_words(change.after)));
    if (lines > most_lines) shell.say(fmt::format("… and {} more", lines - most_lines));
    for (const std::string& note : done.plan.notes) shell.say(shell.paint_err().warning("Note: ") + escaped(note));
    say_revision(shell, done);
}

const char* word_for(Progress progress) {
    switch (progress) {
        case Progress::Shown:
            return "shown";
        case Progress::Applied:
            return "applied";
        case Progress::AlreadySo:
            return "already_so";
        case Progress::AwaitsApproval:
            return "approval_needed";
    }
    return "";
}

// What is behind the gate: the plan, and how to get through.
void say_awaited(Shell& shell, const Done& done, const ChangeOptions& change) {
    say_plan(shell, done.plan);
    shell.say(fmt::format("{} {}: it needs an owner's approval.", shell.paint_err().warning("Gate:"),
                          escaped(*done.plan.gate)));
    if (!done.approval) {
        shell.say(change.is_dry_run ? "Dry run: nothing has changed, and nobody was asked."
                                    : "Nothing has changed, and nobody was asked. To ask the owners, add --confirm");
        return;
    }
    const std::string id = done.approval->id.string();
    shell.say(fmt::format("Nothing has changed. The owners are asked: approval {}, good until {} ({}).",
                          shell.paint_err().bold(id), to_calendar(done.approval->not_after),
                          in_words(done.approval->not_after, shell.now())));
    shell.say(fmt::format("  an owner:    marque approval sign {}", id));
    shell.say(fmt::format("  then you:    this command again, with --approval {}", id));
}

}  // namespace

int Shell::report(const Done& done, const ChangeOptions& change) {
    const bool is_only_shown = done.progress == Progress::Shown;
    if (done.progress == Progress::Applied || done.approval) note_change();
    if (is_json() && done.issued.empty()) {
        audit::JsonObject object{{"result", word_for(done.progress)}, {"plan", done.plan.to_json()}};
        if (done.progress == Progress::Applied) object["revision"] = done.revision;
        if (done.receipt && done.receipt->awaits_verifiers) object["receipt"] = to_json(*done.receipt);
        if (done.approval)
            object["approval"] = {{"id", done.approval->id.text()},
                                  {"not_after", to_rfc3339(done.approval->not_after)}};
        print_json(std::move(object));
    } else if (!is_json()) {
        if (done.progress == Progress::Applied) {
            say_done(*this, done);
        } else if (done.progress == Progress::AlreadySo) {
            say("nothing to do" + std::string(done.plan.notes.empty() ? "" : ": " + escaped(done.plan.notes.front())));
            if (done.receipt && done.receipt->awaits_verifiers) say_revision(*this, done);
        } else if (done.progress == Progress::AwaitsApproval) {
            say_awaited(*this, done, change);
        } else {
            say_plan(*this, done.plan);
            const std::string digest = done.plan.digest().substr(0, 16);
            say(change.is_dry_run ? "Dry run: nothing has changed."
                : done.plan.is_bulk
                    ? fmt::format("Nothing has changed. To apply it, add --confirm={} or --confirm={}", done.plan.count,
                                  digest)
                    : fmt::format(
                          "Nothing has changed. To apply it, add --confirm, or for exactly this plan --confirm={}",
                          digest));
        }
    }
    if (done.is_asked_anew) {
        (void)finish_output();  // before anything that may take time; a failure is kept for the end
        const Approval& approval = *done.approval;
        tell("approval_requested", {{"id", approval.id.text()},
                                    {"action", approval.action},
                                    {"about", audit::to_json(approval.about)},
                                    {"requester", approval.requester.text()},
                                    {"not_after", to_rfc3339(approval.not_after)},
                                    {"plan", approval.plan},
                                    {"request", approval.text}});
    }
    if (done.receipt && done.receipt->force == Force::NotYet) {
        say(fmt::format("{}, as far as is known: {}", paint_err_.bad("NOT IN FORCE YET"), escaped(done.receipt->why)));
        say("  it is committed; the same command again waits again, and marque verifiers shows for whom");
        return static_cast<int>(Code::OutcomeUnknown);
    }
    if (done.progress == Progress::AwaitsApproval) return static_cast<int>(Code::ApprovalNeeded);
    return is_only_shown && !change.is_dry_run ? static_cast<int>(Code::NotConfirmed) : 0;
}

}  // namespace marque::cli
