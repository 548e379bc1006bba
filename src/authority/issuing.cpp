// Everything that makes a token: create, issue, rotate; and activate, which finishes them.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "authority/authority.h"
#include "authority/resolve.h"
#include "base/text.h"
#include "domain/token.h"

namespace marque::authority {

using namespace domain;

namespace {

audit::JsonArray scopes_json(const ScopeSet& scopes) {
    audit::JsonArray array;
    for (const Scope& scope : scopes.scopes()) array.emplace_back(scope.text());
    return array;
}

Error refused(const Subject& subject, const char* because) {
    return Error(Code::StateRefuses, fmt::format("{}: {}", describe(subject), because));
}

// Nothing comes into being under what is paused or revoked.
Result<void> require_may_issue_under(const Workspace& workspace, const Environment& environment,
                                     const std::optional<Identity>& identity, Instant now) {
    const auto check = [&](const Subject& subject, const Condition& condition) -> Result<void> {
        const Rule rule = rule_for(standing_at(condition, now), StandingAction::IssueUnder);
        if (rule.ruling == Ruling::Allowed) return {};
        return refused(subject, rule.because);
    };
    TRY(check(WorkspaceRef{workspace.name}, workspace.condition));
    TRY(check(EnvironmentRef{environment.workspace, environment.name}, environment.condition));
    if (identity) TRY(check(ref_of(*identity), identity->condition));
    return {};
}

// How long a credential is to live, within the environment's policy.
Result<Ending> lifetime(const std::optional<Ending>& asked, const Ending& otherwise, const Environment& environment,
                        Instant now) {
    const Ending wanted = asked.value_or(otherwise);
    if (!environment.max_lifetime) return wanted;
    const auto at = TRY(wanted.resolve(now));
    if (at && *at <= now + *environment.max_lifetime) return wanted;
    if (!asked) return Ending::after(*environment.max_lifetime);
    return Error(Code::StateRefuses,
                 fmt::format("credentials in {} live at most {}, and {} was asked for", environment.name.text(),
                             to_text(*environment.max_lifetime), wanted.text()),
                 "ask for less with --expires");
}

void gate_if_protected(Plan& plan, const Environment& environment) {
    if (environment.protection == Protection::Protected)
        plan.stop_at_gate("environment " + environment.name.text() + " is protected");
}

void note_unusual_scopes(Plan& plan, const ScopeSet& scopes) {
    for (const Scope& scope : scopes.scopes())
        if (const std::string meant = likely_meant(scope); !meant.empty())
            plan.notes.push_back(fmt::format("{} is in no preset; did you mean {}?", scope.text(), meant));
}

audit::JsonObject credential_after(const ScopeSet& scopes, const Ending& expires) {
    return {{"state", "pending, then active"}, {"scopes", scopes_json(scopes)}, {"expires", expires.text()}};
}

audit::JsonObject state_and_revision(const char* state, Revision revision) {
    return {{"state", state}, {"revision", revision}};
}

// The subject of a credential that has no id yet: its identity, which is what the plan is about.
PlannedChange planned_credential(const Identity& identity, const ScopeSet& scopes, const Ending& expires) {
    audit::JsonObject before;
    if (identity.revision > 0) before = state_and_revision(name_of(identity.condition.stored), identity.revision);
    return {ref_of(identity), std::move(before), {{"new_credential", credential_after(scopes, expires)}}};
}

// Whether trying again can't help: as opposed to a store that was away for a moment.
bool is_final(const Error& error) {
    return error.code == Code::StateRefuses || error.code == Code::PermissionDenied || error.code == Code::NotFound ||
           error.code == Code::ApprovalNeeded;
}

// The one credential that `rotate NAME` means.
Result<Credential> rotatable_of(const store::Reader& reader, const Identity& identity, Instant now) {
    std::vector<Credential> candidates,
        all = TRY(reader.credentials(identity.workspace, identity.name, store::Listing::AsFound));
    for (const Credential& credential : all)
        if (rule_for(state_at(credential, now), CredentialAction::Rotate).ruling == Ruling::Allowed)
            candidates.push_back(credential);
    if (candidates.size() == 1) return candidates.front();
    if (candidates.empty())
        return Error(Code::StateRefuses, "identity " + identity.name.text() + " has no credential in force to rotate",
                     "see marque inspect " + identity.name.text() + ", or issue a new one");
    std::string ids;
    for (const Credential& credential : candidates) ids += " " + credential.id.string();
    return Error(Code::StateRefuses, "identity " + identity.name.text() + " has more than one credential in force",
                 "say which:" + ids);
}

}  // namespace

Result<IssuedToken> Authority::make_credential(const Context& context, const Identity& identity,
                                               const Environment& environment, ScopeSet scopes,
                                               std::optional<Instant> expires_at, std::optional<Succession> succession,
                                               Plan& plan) {
    CredentialId id = CredentialId::from_bits(TRY(random_bits(random_)));
    while (TRY(context.reader.credential(id))) id = CredentialId::from_bits(TRY(random_bits(random_)));
    Secret entropy(token_entropy_bytes);
    TRY(random_.fill(entropy.writable()));
    const TokenClass token_class =
        environment.protection == Protection::Protected ? TokenClass::Live : TokenClass::Test;
    Secret token = make_token(token_class, id, entropy.reveal());
    Credential credential{id,
                          identity.workspace,
                          identity.name,
                          verify::hash_token(hashing_key(), token.reveal_text()),
                          std::move(scopes),
                          CredentialStanding::Pending,
                          context.now,
                          expires_at,
                          {},
                          {},
                          std::move(succession)};
    plan.events.emplace_back(audit::CredentialIssued{std::move(credential)});
    return IssuedToken{{identity.workspace, identity.name, id}, std::move(token)};
}

Result<Done> Authority::create(std::span<const CreateRequest> requests, const Order& order, Delivery& delivery) {
    if (requests.empty()) return Error(Code::InvalidRequest, "there is nobody to create");
    std::set<IdentityName> names;
    for (const CreateRequest& request : requests) {
        if (CredentialId::read(request.name.text()))
            return Error(Code::InvalidRequest,
                         quote(request.name.text()) + " has the form of a credential id, and would be mistaken for one",
                         "add a hyphen or another letter");
        if (request.labels.size() > most_labels)
            return Error(Code::InvalidRequest, fmt::format("more than {} labels", most_labels));
        if (!names.insert(request.name).second)
            return Error(Code::InvalidRequest, "identity " + request.name.text() + " is listed twice");
    }
    std::vector<IssuedToken> tokens;
    const auto plan_one = [&](const Context& context, const CreateRequest& request, Plan& plan) -> Result<void> {
        const WorkspaceName& workspace = context.workspace->name;
        const auto environment = TRY(require_environment(context.reader, workspace, request.environment));
        if (const auto taken = TRY(context.reader.identity(workspace, request.name)))
            return Error(
                Code::StateRefuses,
                fmt::format("there is an identity {} already{}", request.name.text(),
                            taken->condition.stored == Standing::Revoked ? ", revoked; names are not reused" : ""),
                "use another name, or give it one more credential with marque issue");
        TRY(require_may_issue_under(*context.workspace, environment, std::nullopt, context.now));
        const Ending expires =
            TRY(lifetime(request.expires, Ending::after(default_lifetime), environment, context.now));
        const Identity identity = request.identity_in(workspace, context.now);
        gate_if_protected(plan, environment);
        note_unusual_scopes(plan, request.scopes);
        PlannedChange change = planned_credential(identity, request.scopes, expires);
        for (const auto& member : audit::to_json(identity))
            if (member.key() != "state" && member.key() != "scopes" && member.key() != "labels")
                change.after[member.key()] = member.value();
        for (const auto& [key, value] : request.labels) change.after["label." + key] = value;
        plan.changes.push_back(std::move(change));
        plan.events.emplace_back(audit::IdentityCreated{identity});
        tokens.push_back(TRY(make_credential(context, identity, environment, request.scopes,
                                             TRY(expires.resolve(context.now)), std::nullopt, plan)));
        return {};
    };
    const auto planner = [&](const Context& context, Plan& plan) -> Result<void> {
        tokens.clear();
        plan.is_bulk = requests.size() > 1;
        plan.count = requests.size();
        for (const CreateRequest& request : requests) {
            plan.about = IdentityRef{context.workspace->name, request.name};
            TRY(plan_one(context, request, plan));
            if (plan.gate && requests.size() > most_in_one_approval)
                return Error(Code::StateRefuses,
                             fmt::format("{}: an approval can be for {} identities at most, and {} are asked for",
                                         *plan.gate, most_in_one_approval, requests.size()),
                             "ask for fewer at once");
        }
        return {};
    };
    TRY(delivery.prepare(std::vector<IdentityName>(names.begin(), names.end())));
    return run_and_deliver({"create", "identity.create"}, order, planner, tokens, delivery);
}

Result<Done> Authority::issue(const IssueRequest& request, const Order& order, Delivery& delivery) {
    std::vector<IssuedToken> tokens;
    const auto planner = [&](const Context& context, Plan& plan) -> Result<void> {
        tokens.clear();
        plan.about = IdentityRef{context.workspace->name, request.name};
        const Identity identity = TRY(require_identity(context.reader, context.workspace->name, request.name));
        const Environment environment =
            TRY(require_environment(context.reader, identity.workspace, identity.environment));
        TRY(require_may_issue_under(*context.workspace, environment, identity, context.now));
        const ScopeSet scopes = request.scopes.value_or(identity.scopes);
        if (!scopes.is_subset_of(identity.scopes))
            return Error(
                Code::StateRefuses,
                fmt::format("identity {} may not hold {}", identity.name.text(), scopes.minus(identity.scopes).text()),
                "it may hold " + identity.scopes.text());
        const Ending expires =
            TRY(lifetime(request.expires, Ending::after(default_lifetime), environment, context.now));
        gate_if_protected(plan, environment);
        PlannedChange change = planned_credential(identity, scopes, expires);
        change.after["environment"] = environment.name.text();
        plan.changes.push_back(std::move(change));
        tokens.push_back(TRY(make_credential(context, identity, environment, scopes, TRY(expires.resolve(context.now)),
                                             std::nullopt, plan)));
        return {};
    };
    const IdentityName names[] = {request.name};
    TRY(delivery.prepare(names));
    return run_and_deliver({"issue", "credential.issue"}, order, planner, tokens, delivery);
}

Result<Done> Authority::rotate(const RotateRequest& request, const Order& order, Delivery& delivery) {
    std::vector<IssuedToken> tokens;
    const auto planner = [&](const Context& context, Plan& plan) -> Result<void> {
        tokens.clear();
        const Resolved target = TRY(resolve(context.reader, context.workspace->name, request.target));
        const auto* by_id = std::get_if<Credential>(&target);
        const Identity identity = by_id != nullptr
                                      ? TRY(require_identity(context.reader, by_id->workspace, by_id->identity))
                                      : std::get<Identity>(target);
        plan.about = ref_of(identity);
        const Environment environment =
            TRY(require_environment(context.reader, identity.workspace, identity.environment));
        TRY(require_may_issue_under(*context.workspace, environment, identity, context.now));
        const Credential old = by_id != nullptr ? *by_id : TRY(rotatable_of(context.reader, identity, context.now));
        const CredentialState state = state_at(old, context.now);
        if (const Rule rule = rule_for(state, CredentialAction::Rotate); rule.ruling != Ruling::Allowed)
            return refused(ref_of(old), rule.because);

        const ScopeSet scopes = scopes_in_force(identity, old);  // never wider than the old one's
        const Ending as_before = old.expires_at ? Ending::after(*old.expires_at - old.created_at) : Ending::never();
        const Ending expires = TRY(lifetime(request.expires, as_before, environment, context.now));
        const bool until_used = request.old_credential == OldCredential::RetiresWhenNewIsUsed;
        const Duration overlap =
            request.old_credential == OldCredential::IsRevoked
                ? Duration(0)
                : request.overlap.value_or(until_used ? default_overlap_until_used : default_overlap);
        gate_if_protected(plan, environment);
        PlannedChange change = planned_credential(identity, scopes, expires);
        change.after["environment"] = environment.name.text();
        plan.changes.push_back(std::move(change));
        audit::JsonObject after{{"old_credential", name_of(request.old_credential)}};
        if (overlap > Duration(0)) after["overlap"] = to_text(overlap);
        plan.changes.push_back({ref_of(old), state_and_revision(name_of(state), old.revision), std::move(after)});
        const auto last_use = TRY(context.reader.last_use(old.id));
        if (request.old_credential == OldCredential::IsRevoked) plan.stops.push_back({ref_of(old), last_use});
        tokens.push_back(TRY(make_credential(context, identity, environment, scopes, TRY(expires.resolve(context.now)),
                                             Succession{old.id, request.old_credential, overlap}, plan)));
        return {};
    };
    TRY(delivery.prepare({}));
    return run_and_deliver({"rotate", "credential.rotate"}, order, planner, tokens, delivery);
}

// Commit pending ─▶ deliver ─▶ commit active. See the top of authority/authority.h.
Result<Done> Authority::run_and_deliver(const Intent& intent, const Order& order, const Planner& planner,
                                        std::vector<IssuedToken>& tokens, Delivery& delivery) {
    Barrier barrier(store_, clock_);
    Done done = TRY(plan_and_commit(intent, order, planner));
    if (done.progress != Progress::Applied) return done;
    const std::string plan = done.plan.digest();
    if (auto delivered = delivery.deliver(tokens); !delivered)
        return withdraw(tokens, plan, "the token could not be delivered", delivered.error());
    Order in_workspace = order;
    in_workspace.workspace = tokens.front().credential.workspace;
    auto revision = commit(
        [&](const Context& context) -> Result<std::vector<audit::Event>> {
            std::vector<audit::Event> events;
            for (const IssuedToken& token : tokens) {
                TRY(require_passed_gate(context, token));
                for (audit::Event& event : TRY(activation_events(context, token.credential)))
                    events.push_back(std::move(event));
            }
            return events;
        },
        in_workspace, plan);
    if (!revision && is_final(revision.error()))
        return withdraw(tokens, plan, "the token was delivered but never comes into force", revision.error());
    if (!revision)
        return Error(
            Code::OutcomeUnknown,
            fmt::format("the token was delivered, but could not be brought into force: {}", revision.error().message),
            "within ten minutes: marque activate --token-stdin --confirm, with the token on standard input");
    done.revision = *revision;
    for (const IssuedToken& token : tokens) done.issued.push_back(token.credential);
    done.receipt = barrier.await(done.revision, order.awaiting);
    return done;
}

// A token that was made in an open environment has passed no gate; it may be protected by now.
Result<void> Authority::require_passed_gate(const Context& context, const IssuedToken& token) const {
    const auto parts = TRY(parse_token(token.token.reveal_text()));
    if (parts.token_class == TokenClass::Live) return {};
    const Identity identity =
        TRY(require_identity(context.reader, token.credential.workspace, token.credential.identity));
    const Environment environment = TRY(require_environment(context.reader, identity.workspace, identity.environment));
    if (environment.protection == Protection::Open) return {};
    return Error(Code::ApprovalNeeded,
                 "environment " + environment.name.text() + " was protected meanwhile: it needs an owner's approval");
}

// Ends what is pending, and says so: the world moved while the token was on its way, or the way was closed.
Error Authority::withdraw(std::span<const IssuedToken> tokens, const std::string& plan, const std::string& what,
                          const Error& cause) {
    Order order;
    order.workspace = tokens.front().credential.workspace;
    const auto withdrawn = commit(
        [&](const Context&) -> Result<std::vector<audit::Event>> {
            std::vector<audit::Event> events;
            for (const IssuedToken& token : tokens)
                events.emplace_back(audit::CredentialUndelivered{token.credential, escaped(cause.message)});
            return events;
        },
        order, plan);
    // Unavailable: nothing usable is left, and the command can be repeated. Where the credential could not be revoked,
    // a token that was delivered can still be brought into force.
    const Code code = is_final(cause) ? cause.code : withdrawn ? Code::Unavailable : Code::OutcomeUnknown;
    const std::string& name = tokens.front().credential.identity.text();
    return Error(code,
                 fmt::format("{}, and its credential {}: {}", what, withdrawn ? "is revoked" : "lapses in ten minutes",
                             cause.message),
                 tokens.size() == 1
                     ? "see marque inspect " + name + "; marque issue " + name + " makes another credential"
                     : "see marque list; marque issue makes another credential for each");
}

Result<std::vector<audit::Event>> Authority::activation_events(const Context& context, const CredentialRef& ref) const {
    const auto credential = TRY(context.reader.credential(ref.id));
    if (!credential) return Error(Code::NotFound, "there is no " + describe(ref));
    const Rule rule = rule_for(state_at(*credential, context.now), CredentialAction::Activate);
    if (rule.ruling == Ruling::AlreadySo) return std::vector<audit::Event>{};
    if (rule.ruling == Ruling::Refused) return refused(ref, rule.because);
    const Ancestry standings = TRY(verify::ancestry_of(context.reader, *credential));
    const auto require_not_revoked = [](const Subject& subject, const Condition& condition) -> Result<void> {
        if (condition.stored == Standing::Revoked) return refused(subject, "it is revoked, which is final");
        return {};
    };
    TRY(require_not_revoked(WorkspaceRef{ref.workspace}, standings.workspace.condition));
    TRY(require_not_revoked(EnvironmentRef{ref.workspace, standings.environment.name},
                            standings.environment.condition));
    TRY(require_not_revoked(IdentityRef{ref.workspace, ref.identity}, standings.identity.condition));

    std::vector<audit::Event> events{audit::CredentialActivated{ref}};
    if (!credential->succession) return events;
    const Succession& succession = *credential->succession;
    const auto old = TRY(context.reader.credential(succession.replaces));
    if (!old) return Error(Code::Corrupt, "the credential that " + ref.id.string() + " replaces is gone");
    const CredentialState state = state_at(*old, context.now);
    const bool is_wanted_dead = succession.old_credential == OldCredential::IsRevoked;
    if (state == CredentialState::Expired || (is_wanted_dead && state == CredentialState::Revoked)) return events;
    if (is_wanted_dead) {
        events.emplace_back(audit::Revoked{ref_of(*old), name_of(state)});
        return events;
    }
    if (const Rule old_rule = rule_for(state, CredentialAction::Rotate); old_rule.ruling != Ruling::Allowed)
        return refused(ref_of(*old), old_rule.because);
    events.emplace_back(audit::CredentialRetiring{ref_of(*old), context.now + succession.overlap, ref.id});
    return events;
}

Result<Done> Authority::activate(const Secret& token, const Order& order) {
    const auto parts = parse_token(token.reveal_text());
    if (!parts) return parts.error();
    const auto planner = [&](const Context& context, Plan& plan) -> Result<void> {
        const Credential& credential = *context.credential;
        plan.about = ref_of(credential);
        const Ancestry standings = TRY(verify::ancestry_of(context.reader, credential));
        plan.events = TRY(activation_events(context, ref_of(credential)));
        if (plan.events.empty()) {
            plan.notes.push_back(describe(ref_of(credential)) + " is in force already");
            return {};
        }
        // A live token was made behind the gate, for an approval that is used up; any other has not passed it.
        if (parts->token_class != TokenClass::Live) gate_if_protected(plan, standings.environment);
        for (const audit::Event& event : plan.events) {
            const audit::JsonObject change = audit::change_of(event);
            audit::JsonObject before{{"revision", credential.revision}};
            if (const auto* was = change.if_contains("before")) before["state"] = was->at("state");
            plan.changes.push_back(
                {audit::subject_of(event), std::move(before), {{"state", change.at("after").at("state")}}});
        }
        if (plan.gate) {
            audit::JsonObject& after = plan.changes.front().after;
            after["environment"] = standings.environment.name.text();
            after["scopes"] = scopes_in_force(standings.identity, credential).text();
            after["expires_at"] = credential.expires_at ? to_rfc3339(*credential.expires_at) : "never";
        }
        return {};
    };
    return run({"activate", "credential.activate", false, Permission::Manage, &token}, order, planner);
}

}  // namespace marque::authority
