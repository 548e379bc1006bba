// The owner's gate: what passes it, asking the owners, and what they and the requester decide.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>

#include "authority/approval_text.h"
#include "authority/authority.h"
#include "base/text.h"

namespace marque::authority {

using namespace domain;

namespace {

// Who decided it, and with what words: the row tells only that it was.
std::string decision_of(const store::Reader& reader, const Approval& approval) {
    const auto entries = reader.entries(approval.revision - 1, 1);
    if (!entries || entries->empty()) return {};
    const auto entry = audit::decode(entries->front().bytes);
    if (!entry || entry->subject != Subject(ApprovalRef{approval.id})) return {};
    const std::string words = entry->reason.empty() ? "" : ": " + quote(entry->reason, 500);
    return fmt::format(" (by {}, {}{})", entry->actor, to_calendar(entry->at), words);
}

// "1 of 2 signatures; that of SHA256:… does not count, because …"
std::string shortfall(const Approval& approval, const Approvers& approvers) {
    const auto counts = counting(approval, approvers);
    std::string text = fmt::format("it has {} of {} signatures", count_of(counts), approvers.policy.quorum);
    for (std::size_t i = 0; i < counts.size(); ++i)
        if (counts[i] != Counting::Counts)
            text += fmt::format("; that of {} {}", approval.signatures[i].fingerprint, name_of(counts[i]));
    return text;
}

Result<void> require_redeemable(const store::Reader& reader, const Approval& approval, const Approvers& approvers,
                                Instant now) {
    const ApprovalState state = state_at(approval, approvers, now);
    const Rule rule = rule_for(state, ApprovalAction::Redeem);
    if (rule.ruling == Ruling::Allowed) return {};
    const std::string name = describe(ApprovalRef{approval.id});
    if (state == ApprovalState::Waiting)
        return Error(Code::ApprovalNeeded, fmt::format("{}: {}", name, shortfall(approval, approvers)),
                     "an owner signs it with marque approval sign " + approval.id.string());
    const std::string when =
        state == ApprovalState::Expired ? ", since " + to_calendar(approval.not_after) : decision_of(reader, approval);
    return Error(Code::ApprovalNeeded, fmt::format("{}: {}{}", name, rule.because, when),
                 "to ask anew, leave out --approval");
}

// What the signatures have to be over is made anew; what is stored is only what was shown.
Result<void> require_same_text(const Approval& approval, const Plan& plan, const Operator& requester) {
    if (approval.text == TRY(approval_text(plan, approval, requester))) return {};
    if (!is_of_this_form(approval.text))
        return Error(Code::ApprovalNeeded,
                     describe(ApprovalRef{approval.id}) + " was asked for with another version of marque",
                     "to ask anew, leave out --approval");
    // An operator's uid is in the text, and may be another since.
    const auto but_for_the_requester = [](std::string_view text) {
        std::string rest(text);
        const std::size_t from = rest.find("\nasked by:");
        if (from != std::string::npos) rest.erase(from, rest.find('\n', from + 1) - from);
        return rest;
    };
    if (but_for_the_requester(approval.text) == but_for_the_requester(TRY(approval_text(plan, approval, requester))))
        return Error(Code::ApprovalNeeded,
                     fmt::format("{} was asked for when operator {} had another uid",
                                 describe(ApprovalRef{approval.id}), requester.name.text()),
                     "to ask anew, leave out --approval");
    return Error(Code::Corrupt, describe(ApprovalRef{approval.id}) + " is not stored as it was asked for",
                 "somebody wrote to the database; run marque audit verify");
}

Result<void> require_same_plan(const Approval& approval, const Plan& plan) {
    if (approval.plan == plan.digest()) return {};
    const std::string name = describe(ApprovalRef{approval.id});
    const auto found = differences(approval.text, plan);
    const std::string what = found.empty() ? "" : fmt::format(" ({})", fmt::join(found, "; "));
    if (asks_for_the_same(approval.text, plan))
        return Error(Code::ApprovalNeeded, name + ": what it is about has changed since it was asked for" + what,
                     "to ask anew, leave out --approval");
    return Error(
        Code::ApprovalNeeded,
        fmt::format("{} is for another plan than this: it allows {} of {}, exactly as it was asked for{}", name,
                    approval.action, describe(approval.about), what),
        fmt::format("see marque approval show {}; to ask for this one, leave out --approval", approval.id.text()));
}

Result<std::string> make_nonce(Random& random) {
    std::array<std::uint8_t, 16> bytes{};
    TRY(random.fill(bytes));
    return to_hex(bytes);
}

audit::JsonObject state_json(const Approval& approval, const Approvers& approvers, Instant now) {
    return {{"state", name_of(state_at(approval, approvers, now))},
            {"signatures", fmt::format("{} of {}", count_of(counting(approval, approvers)), approvers.policy.quorum)}};
}

// What whoever asks should know before they send anybody to sign.
void note_who_can_approve(Plan& plan, const OperatorName& requester, const Approvers& approvers) {
    if (approvers.policy.quorum > 1)
        plan.notes.push_back(fmt::format("{} of the owners have to sign", approvers.policy.quorum));
    if (!can_approve_for(requester, approvers))
        plan.notes.push_back(fmt::format(
            "it can't be approved as things are: {} can't approve what they ask for, and without them there "
            "are too few owners",
            requester.text()));
}

}  // namespace

Result<Approval> find_approval(const store::Reader& reader, const Operator& viewer, const ApprovalId& id) {
    auto approval = TRY(reader.approval(id));
    if (approval && holds(viewer, approval->workspace, Permission::View)) return std::move(*approval);
    return Error(Code::NotFound, "there is no " + describe(ApprovalRef{id}), "see marque approval list --all");
}

Result<Approvers> approvers_of(const store::Reader& reader) {
    Approvers approvers;
    approvers.owners = TRY(reader.owners());
    const auto installation = TRY(reader.installation());
    if (!installation) return Error(Code::Unavailable, "the store is empty", "run marque init");
    approvers.policy = installation->policy;
    for (const Operator& one : TRY(reader.operators())) approvers.uids.emplace(one.name, one.uid);
    return approvers;
}

Result<void> Authority::pass_gate(const Context& context, const Order& order, Proven& proven, Plan& plan) const {
    // Whatever was planned, it was planned of everything that there is.
    TRY(context.reader.require_complete());
    const Approvers approvers = TRY(approvers_of(context.reader));
    if (approvers.owners.empty())
        return Error(
            Code::ApprovalNeeded,
            *plan.gate +
                ": it needs an owner's approval, and this installation has no owner key, so nobody can give it",
            "register one: marque owner add FILE.pub");
    if (!order.approval) {
        plan.awaits_approval = true;
        note_who_can_approve(plan, context.requester.name, approvers);
        return {};
    }
    const Approval approval = TRY(find_approval(context.reader, context.requester, *order.approval));
    if (approval.requester != context.requester.name)
        return Error(Code::PermissionDenied,
                     fmt::format("{} was asked for by {}, and only they can use it", describe(ApprovalRef{approval.id}),
                                 approval.requester.text()));
    TRY(require_redeemable(context.reader, approval, approvers, context.now));
    TRY(require_same_plan(approval, plan));
    TRY(require_same_text(approval, plan, context.requester));
    TRY(require_genuine(approval, approvers, proven));
    plan.events.insert(plan.events.begin(), audit::ApprovalRedeemed{approval.id, approval.plan});
    return {};
}

Result<void> Authority::require_genuine(const Approval& approval, const Approvers& approvers, Proven& proven) const {
    if (proven.text != approval.text && !proven.is_complete) proven = {approval.text, {}, false};
    const auto counts = counting(approval, approvers);
    for (std::size_t i = 0; i < counts.size(); ++i) {
        if (counts[i] != Counting::Counts) continue;
        const OwnerSignature& signature = approval.signatures[i];
        const auto owner = std::ranges::find(approvers.owners, signature.fingerprint, &Owner::fingerprint);
        const std::pair wanted(owner->public_key, signature.text);
        if (proven.text == approval.text && std::ranges::count(proven.signatures, wanted) != 0) continue;
        if (proven.is_complete)
            return Error(Code::StateRefuses, describe(ApprovalRef{approval.id}) + " changed meanwhile",
                         "look at it and try again");
        const auto signer = signatures_.signer(approval.text, signature.text, approvers.owners);
        if (!signer && signer.error().code != Code::PermissionDenied) return signer.error();
        if (!signer || *signer != signature.fingerprint)
            return Error(Code::Corrupt,
                         fmt::format("a stored signature of {} is not that of {}", describe(ApprovalRef{approval.id}),
                                     signature.fingerprint),
                         "somebody wrote to the database; run marque audit verify");
        proven.signatures.push_back(wanted);
    }
    return {};
}

Result<Approval> Authority::ask_owners(const store::Reader& reader, const Plan& plan, Instant now,
                                       std::vector<audit::Event>& events) {
    const auto requester = TRY(reader.operator_named(TRY(OperatorName::parse(plan.requester))));
    if (!requester) return Error(Code::Corrupt, "operator " + plan.requester + " is gone");
    const std::string digest = plan.digest();
    auto today = TRY(reader.approvals_of(requester->name, now - std::chrono::days(1)));
    std::size_t open = 0;
    for (Approval& other : today) {
        if (other.stored != ApprovalStanding::Open || other.not_after <= now) continue;
        if (other.plan == digest) return std::move(other);
        ++open;
    }
    if (open >= most_open_approvals)
        return Error(Code::StateRefuses, fmt::format("{} has {} open requests for an approval", plan.requester, open),
                     "withdraw some: marque approval withdraw ID");
    if (today.size() >= most_approvals_a_day)
        return Error(Code::StateRefuses,
                     fmt::format("{} has asked for {} approvals in a day", plan.requester, today.size()));
    ApprovalId id = ApprovalId::from_bits(TRY(random_bits(random_)));
    while (TRY(reader.approval(id))) id = ApprovalId::from_bits(TRY(random_bits(random_)));
    const std::string nonce = TRY(make_nonce(random_));
    Approval approval{
        id, nonce, "", digest, plan.action, plan.about, {}, requester->name, now, now + approval_lifetime};
    if (const auto* workspace = plan.request.if_contains("workspace"))
        approval.workspace = TRY(WorkspaceName::parse(std::string_view(workspace->get_string())));
    approval.text = TRY(approval_text(plan, approval, *requester));
    events.emplace_back(audit::ApprovalRequested{approval});
    return approval;
}

Result<Order> Authority::placed(const ApprovalId& id, const Order& order) const {
    Order placed = order;
    TRY(store_.read([&](const store::Reader& reader) -> Result<void> {
        const Operator who = TRY(viewer(reader, false));
        placed.workspace = TRY(find_approval(reader, who, id)).workspace;
        return {};
    }));
    placed.approval.reset();
    return placed;
}

Result<Done> Authority::sign_approval(const ApprovalId& id, const std::string& signature, const Order& order) {
    const Order in_place = TRY(placed(id, order));
    // OpenSSH is asked before the store is locked; the text never changes, and the key is looked for again below.
    std::vector<Owner> asked_about;
    auto signer = store::read_from(store_, [&](const store::Reader& reader) -> Result<std::string> {
        const Operator who = TRY(viewer(reader, false));
        const Approval approval = TRY(find_approval(reader, who, id));
        asked_about = TRY(reader.owners());
        auto found = signatures_.signer(approval.text, signature, asked_about);
        if (found || found.error().code != Code::PermissionDenied) return found;
        for (const Approval& other : TRY(reader.approvals(clock_.now(), 10, store::Listing::AsFound)))
            if (other.id != id && holds(who, other.workspace, Permission::View) &&
                signatures_.signer(other.text, signature, asked_about))
                return Error(Code::PermissionDenied,
                             fmt::format("the signature is over the text of {}, not of {}",
                                         describe(ApprovalRef{other.id}), describe(ApprovalRef{id})));
        return found;
    });
    if (!signer && signer.error().code != Code::PermissionDenied) return std::move(signer).error();

    const auto planner = [&](const Context& context, Plan& plan) -> Result<void> {
        plan.about = ApprovalRef{id};
        TRY(context.reader.require_complete());
        const Approval approval = TRY(find_approval(context.reader, context.requester, id));
        const Approvers approvers = TRY(approvers_of(context.reader));
        const ApprovalState state = state_at(approval, approvers, context.now);
        if (const Rule rule = rule_for(state, ApprovalAction::Sign); rule.ruling != Ruling::Allowed)
            return Error(Code::StateRefuses, fmt::format("{}: {}", describe(plan.about), rule.because));
        if (!signer) return signer.error();
        const auto owner = std::ranges::find(approvers.owners, *signer, &Owner::fingerprint);
        const auto before = std::ranges::find(asked_about, *signer, &Owner::fingerprint);
        if (owner == approvers.owners.end() || owner->public_key != before->public_key)
            return Error(Code::PermissionDenied, "the signature's key, " + *signer + ", is no owner's any more");
        for (const OwnerSignature& other : approval.signatures)
            if (other.fingerprint == *signer && other.revision >= owner->revision) {
                plan.notes.push_back(*signer + " has signed it already, and counts once");
                return {};
            }
        Approval after = approval;
        after.signatures.push_back({*signer, signature, context.now, std::numeric_limits<Revision>::max()});
        const auto counts = counting(after, approvers);
        if (counts.back() == Counting::IsRequesters)
            return Error(
                Code::PermissionDenied,
                fmt::format("{} asked for {}, and {} is {}'s own key: somebody else has to approve it",
                            approval.requester.text(), describe(plan.about), *signer, approval.requester.text()));
        if (counts.back() == Counting::HolderCounted)
            return Error(Code::PermissionDenied,
                         fmt::format("operator {} has signed it with another key already, and counts once",
                                     owner->operator_name->text()));
        audit::JsonObject then = state_json(after, approvers, context.now);
        then["signed_by"] = *signer;
        if (owner->operator_name) then["operator"] = owner->operator_name->text();
        plan.changes.push_back({plan.about, state_json(approval, approvers, context.now), std::move(then)});
        const std::size_t count = count_of(counts);
        plan.notes.push_back(count < approvers.policy.quorum
                                 ? fmt::format("it still needs {} of the owners", approvers.policy.quorum - count)
                                 : fmt::format("it is approved: {} can use it until {}", approval.requester.text(),
                                               to_calendar(approval.not_after)));
        plan.events.emplace_back(audit::ApprovalSigned{id, approval.plan, *owner, after.signatures.back()});
        return {};
    };
    Intent intent{"approval sign", "approval.sign", !in_place.workspace, Permission::View};
    intent.is_for_viewers = true;
    return run(intent, in_place, planner);
}

Result<Done> Authority::decide_approval(const ApprovalId& id, ApprovalAction action, const Order& order) {
    const bool denies = action == ApprovalAction::Deny;
    const Order in_place = TRY(placed(id, order));
    const auto planner = [&](const Context& context, Plan& plan) -> Result<void> {
        plan.about = ApprovalRef{id};
        const Approval approval = TRY(find_approval(context.reader, context.requester, id));
        if (!denies && approval.requester != context.requester.name)
            return Error(Code::PermissionDenied,
                         fmt::format("{} was asked for by {}, and only they can withdraw it", describe(plan.about),
                                     approval.requester.text()),
                         "to refuse it: marque approval deny " + id.string());
        const ApprovalState state = state_at(approval, TRY(approvers_of(context.reader)), context.now);
        const Rule rule = rule_for(state, action);
        if (rule.ruling == Ruling::Refused)
            return Error(Code::StateRefuses, fmt::format("{}: {}", describe(plan.about), rule.because));
        if (rule.ruling == Ruling::AlreadySo) {
            plan.notes.push_back(fmt::format("{}: {}", describe(plan.about), rule.because));
            return {};
        }
        const ApprovalStanding standing = denies ? ApprovalStanding::Denied : ApprovalStanding::Withdrawn;
        plan.changes.push_back(
            {plan.about, {{"state", name_of(state)}, {"revision", approval.revision}}, {{"state", name_of(standing)}}});
        if (denies)
            plan.events.emplace_back(audit::ApprovalDenied{id, approval.plan});
        else
            plan.events.emplace_back(audit::ApprovalWithdrawn{id, approval.plan});
        return {};
    };
    const std::string verb = name_of(action);
    const Permission permission = denies ? Permission::Manage : Permission::View;
    return run({"approval " + verb, "approval." + verb, !in_place.workspace, permission}, in_place, planner);
}

Result<Done> Authority::deny_approval(const ApprovalId& id, const Order& order) {
    return decide_approval(id, ApprovalAction::Deny, order);
}

Result<Done> Authority::withdraw_approval(const ApprovalId& id, const Order& order) {
    return decide_approval(id, ApprovalAction::Withdraw, order);
}

}  // namespace marque::authority
