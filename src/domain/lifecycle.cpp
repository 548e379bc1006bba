#include "domain/lifecycle.h"

#include <array>

#include "base/check.h"

namespace marque::domain {
namespace {

using enum Ruling;

// Rows: CredentialState. Columns: Activate, Pause, Resume, Rotate, Revoke.
constexpr std::array<std::array<Rule, 5>, 8> credential_rules = {{
    // Pending
    {{{Allowed, "its token was delivered"},
      {Refused, "it is not in force yet; revoke it"},
      {Refused, "it was never in force; activate it with its token"},
      {Refused, "it is not in force yet; activate it first"},
      {Allowed, "any credential can be revoked"}}},
    // Lapsed
    {{{Refused, "its token was not delivered in time; issue a new one"},
      {Refused, "it never came into force and never will"},
      {Refused, "it never came into force and never will; issue a new one"},
      {Refused, "it never came into force; issue a new one"},
      {Allowed, "any credential can be revoked"}}},
    // Active
    {{{AlreadySo, "it is in force already"},
      {Allowed, "what is in force can be paused"},
      {AlreadySo, "it is not paused"},
      {Allowed, "what is in force can be replaced"},
      {Allowed, "any credential can be revoked"}}},
    // Paused
    {{{Refused, "it was activated before; resume it"},
      {Allowed, "a pause can be lengthened"},
      {Allowed, "what is paused can be resumed"},
      {Refused, "it is paused, and its replacement would not be; resume it first"},
      {Allowed, "any credential can be revoked"}}},
    // Retiring
    {{{Refused, "it was activated before"},
      {Refused, "it ends by itself; revoke it to end it now"},
      {Refused, "it has been replaced; issue a new one"},
      {Refused, "it has been replaced already"},
      {Allowed, "any credential can be revoked"}}},
    // Retired
    {{{Refused, "it has been replaced and has ended"},
      {Refused, "it has ended"},
      {Refused, "it has been replaced and has ended; issue a new one"},
      {Refused, "it has been replaced and has ended; issue a new one"},
      {Allowed, "any credential can be revoked"}}},
    // Expired
    {{{Refused, "it has expired; issue a new one"},
      {Refused, "it has ended"},
      {Refused, "it has expired; issue a new one"},
      {Refused, "it has expired; issue a new one"},
      {Allowed, "any credential can be revoked"}}},
    // Revoked
    {{{Refused, "it is revoked, which is final"},
      {Refused, "it is revoked, which is final"},
      {Refused, "it is revoked, which is final"},
      {Refused, "it is revoked, which is final; issue a new one"},
      {AlreadySo, "it is revoked already"}}},
}};

// Rows: Standing. Columns: Pause, Resume, Revoke, IssueUnder.
constexpr std::array<std::array<Rule, 4>, 3> standing_rules = {{
    // Active
    {{{Allowed, "what is active can be paused"},
      {AlreadySo, "it is not paused"},
      {Allowed, "anything can be revoked"},
      {Allowed, "it is active"}}},
    // Paused
    {{{Allowed, "a pause can be lengthened"},
      {Allowed, "what is paused can be resumed"},
      {Allowed, "anything can be revoked"},
      {Refused, "it is paused; resume it first"}}},
    // Revoked
    {{{Refused, "it is revoked, which is final"},
      {Refused, "it is revoked, which is final"},
      {AlreadySo, "it is revoked already"},
      {Refused, "it is revoked, which is final"}}},
}};

bool has_passed(const std::optional<Instant>& end, Instant now) {
    return end && now >= *end;
}

}  // namespace

CredentialTerm term_of(const Credential& c) {
    switch (c.stored) {
        case CredentialStanding::Pending:
            return {c.stored, c.created_at + delivery_window, c.expires_at};
        case CredentialStanding::Paused:
            return {c.stored, c.paused_until, c.expires_at};
        case CredentialStanding::Retiring:
            return {c.stored, c.retire_at, c.expires_at};
        case CredentialStanding::Active:
        case CredentialStanding::Revoked:
            return {c.stored, std::nullopt, c.expires_at};
    }
    CHECK_UNREACHABLE();
}

CredentialState state_at(const CredentialTerm& term, Instant now) {
    if (term.stored == CredentialStanding::Revoked) return CredentialState::Revoked;
    const bool has_turned = has_passed(term.turns_at, now);
    if (term.stored == CredentialStanding::Pending)
        return has_turned ? CredentialState::Lapsed : CredentialState::Pending;
    if (has_passed(term.expires_at, now)) return CredentialState::Expired;
    if (term.stored == CredentialStanding::Retiring)
        return has_turned ? CredentialState::Retired : CredentialState::Retiring;
    if (term.stored == CredentialStanding::Paused && !has_turned) return CredentialState::Paused;
    return CredentialState::Active;
}

Standing standing_at(const Condition& condition, Instant now) {
    if (condition.stored == Standing::Paused && has_passed(condition.paused_until, now)) return Standing::Active;
    return condition.stored;
}

Rule rule_for(CredentialState state, CredentialAction action) {
    return credential_rules.at(static_cast<std::size_t>(state)).at(static_cast<std::size_t>(action));
}

Rule rule_for(Standing standing, StandingAction action) {
    return standing_rules.at(static_cast<std::size_t>(standing)).at(static_cast<std::size_t>(action));
}

bool is_usable(CredentialState state) {
    return state == CredentialState::Active || state == CredentialState::Retiring;
}

bool is_live(CredentialState state) {
    return is_usable(state) || state == CredentialState::Paused || state == CredentialState::Pending;
}

Result<bool> lengthens_pause(const std::optional<Instant>& in_force, const std::optional<Instant>& wanted) {
    if (in_force == wanted) return false;
    if (!in_force || (wanted && *wanted < *in_force))
        return Error(Code::StateRefuses,
                     in_force ? "it is paused until " + to_calendar(*in_force) + ", which is later"
                              : "it is paused until it is resumed, which is later",
                     "a pause can be lengthened, not shortened; use marque resume");
    return true;
}

const char* name_of(CredentialState state) {
    switch (state) {
        case CredentialState::Pending:
            return "pending";
        case CredentialState::Lapsed:
            return "lapsed";
        case CredentialState::Active:
            return "active";
        case CredentialState::Paused:
            return "paused";
        case CredentialState::Retiring:
            return "retiring";
        case CredentialState::Retired:
            return "retired";
        case CredentialState::Expired:
            return "expired";
        case CredentialState::Revoked:
            return "revoked";
    }
    CHECK_UNREACHABLE();
}

const char* name_of(CredentialAction action) {
    switch (action) {
        case CredentialAction::Activate:
            return "activate";
        case CredentialAction::Pause:
            return "pause";
        case CredentialAction::Resume:
            return "resume";
        case CredentialAction::Rotate:
            return "rotate";
        case CredentialAction::Revoke:
            return "revoke";
    }
    CHECK_UNREACHABLE();
}

const char* name_of(StandingAction action) {
    switch (action) {
        case StandingAction::Pause:
            return "pause";
        case StandingAction::Resume:
            return "resume";
        case StandingAction::Revoke:
            return "revoke";
        case StandingAction::IssueUnder:
            return "issue under";
    }
    CHECK_UNREACHABLE();
}

}  // namespace marque::domain
