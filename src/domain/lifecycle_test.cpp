// domain/lifecycle: the tables, whole; what follows from time alone; the strictest state wins.
#include "domain/lifecycle.h"

#include <gtest/gtest.h>

#include <set>

#include "domain/verdict.h"

namespace marque::domain {
namespace {

using namespace std::chrono_literals;
using CS = CredentialState;
using CA = CredentialAction;
using SA = StandingAction;
using enum Ruling;

const Instant t0(Duration(1'800'000'000'000'000));

struct CredentialRow {
    CS state;
    CA action;
    Ruling ruling;
    const char* because;
};

const CredentialRow credential_rows[] = {
    {CS::Pending, CA::Activate, Allowed, "delivery is followed by activation"},
    {CS::Pending, CA::Pause, Refused, "nothing is in force that could stop"},
    {CS::Pending, CA::Resume, Refused, "a pending one is not paused; resuming must not be a way into force"},
    {CS::Pending, CA::Rotate, Refused, "nobody has it, so nobody needs another"},
    {CS::Pending, CA::Revoke, Allowed, "any state may be revoked"},
    {CS::Lapsed, CA::Activate, Refused, "ten minutes are over: whoever finds the token later gets nothing"},
    {CS::Lapsed, CA::Pause, Refused, "it never came into force"},
    {CS::Lapsed, CA::Resume, Refused, "it never came into force"},
    {CS::Lapsed, CA::Rotate, Refused, "there is nothing to replace"},
    {CS::Lapsed, CA::Revoke, Allowed, "any state may be revoked"},
    {CS::Active, CA::Activate, AlreadySo, "activation may be repeated after a crash"},
    {CS::Active, CA::Pause, Allowed, "the point of a pause"},
    {CS::Active, CA::Resume, AlreadySo, "it is not paused"},
    {CS::Active, CA::Rotate, Allowed, "the point of a rotation"},
    {CS::Active, CA::Revoke, Allowed, "any state may be revoked"},
    {CS::Paused, CA::Activate, Refused, "activation must not be a way around resume"},
    {CS::Paused, CA::Pause, Allowed, "a pause may be lengthened"},
    {CS::Paused, CA::Resume, Allowed, "the way back"},
    {CS::Paused, CA::Rotate, Refused, "the replacement would be in force, and so undo the pause"},
    {CS::Paused, CA::Revoke, Allowed, "any state may be revoked"},
    {CS::Retiring, CA::Activate, Refused, "its end is decided"},
    {CS::Retiring, CA::Pause, Refused, "it could come back from a pause; it must not"},
    {CS::Retiring, CA::Resume, Refused, "its end is decided"},
    {CS::Retiring, CA::Rotate, Refused, "it has its successor: two rotations, one wins"},
    {CS::Retiring, CA::Revoke, Allowed, "any state may be revoked"},
    {CS::Retired, CA::Activate, Refused, "ended is ended"},
    {CS::Retired, CA::Pause, Refused, "ended is ended"},
    {CS::Retired, CA::Resume, Refused, "ended is ended"},
    {CS::Retired, CA::Rotate, Refused, "ended is ended; issue instead"},
    {CS::Retired, CA::Revoke, Allowed, "any state may be revoked"},
    {CS::Expired, CA::Activate, Refused, "ended is ended"},
    {CS::Expired, CA::Pause, Refused, "ended is ended"},
    {CS::Expired, CA::Resume, Refused, "ended is ended"},
    {CS::Expired, CA::Rotate, Refused, "ended is ended; issue instead"},
    {CS::Expired, CA::Revoke, Allowed, "any state may be revoked"},
    {CS::Revoked, CA::Activate, Refused, "invariant 5"},
    {CS::Revoked, CA::Pause, Refused, "invariant 5"},
    {CS::Revoked, CA::Resume, Refused, "invariant 5"},
    {CS::Revoked, CA::Rotate, Refused, "invariant 5"},
    {CS::Revoked, CA::Revoke, AlreadySo, "invariant 5: may be repeated, changes nothing"},
};

struct StandingRow {
    Standing standing;
    SA action;
    Ruling ruling;
    const char* because;
};

const StandingRow standing_rows[] = {
    {Standing::Active, SA::Pause, Allowed, "the point of a pause"},
    {Standing::Active, SA::Resume, AlreadySo, "it is not paused"},
    {Standing::Active, SA::Revoke, Allowed, "any state may be revoked"},
    {Standing::Active, SA::IssueUnder, Allowed, "the usual case"},
    {Standing::Paused, SA::Pause, Allowed, "a pause may be lengthened"},
    {Standing::Paused, SA::Resume, Allowed, "the way back"},
    {Standing::Paused, SA::Revoke, Allowed, "any state may be revoked"},
    {Standing::Paused, SA::IssueUnder, Refused, "what is stopped gets nothing new"},
    {Standing::Revoked, SA::Pause, Refused, "invariant 5"},
    {Standing::Revoked, SA::Resume, Refused, "invariant 5"},
    {Standing::Revoked, SA::Revoke, AlreadySo, "invariant 5"},
    {Standing::Revoked, SA::IssueUnder, Refused, "invariant 5"},
};

TEST(Lifecycle, CredentialTable) {
    for (const CredentialRow& row : credential_rows)
        EXPECT_EQ(rule_for(row.state, row.action).ruling, row.ruling)
            << name_of(row.state) << " × " << name_of(row.action) << ": " << row.because;
}

TEST(Lifecycle, CredentialTableIsComplete) {
    std::set<std::pair<CS, CA>> rows;
    for (const CredentialRow& row : credential_rows) rows.emplace(row.state, row.action);
    EXPECT_EQ(rows.size(), 8u * 5u);
    EXPECT_EQ(std::size(credential_rows), rows.size()) << "no row twice";
    for (const auto& [state, action] : rows) EXPECT_STRNE(rule_for(state, action).because, "");
}

TEST(Lifecycle, StandingTable) {
    for (const StandingRow& row : standing_rows)
        EXPECT_EQ(rule_for(row.standing, row.action).ruling, row.ruling)
            << name_of(row.standing) << " × " << name_of(row.action) << ": " << row.because;
}

TEST(Lifecycle, StandingTableIsComplete) {
    std::set<std::pair<Standing, SA>> rows;
    for (const StandingRow& row : standing_rows) rows.emplace(row.standing, row.action);
    EXPECT_EQ(rows.size(), 3u * 4u);
    EXPECT_EQ(std::size(standing_rows), rows.size());
}

Credential credential(CredentialStanding stored) {
    return Credential{*CredentialId::parse("0123456789ab"),
                      *WorkspaceName::parse("w"),
                      *IdentityName::parse("i"),
                      {},
                      *ScopeSet::parse("a:b"),
                      stored,
                      t0,
                      {},
                      {},
                      {},
                      {}};
}

// What a stored row amounts to at moments around its edges; every end is exclusive of its instant.
TEST(Lifecycle, TimeAloneDecides) {
    using enum CredentialStanding;
    struct Row {
        const char* what;
        CredentialStanding stored;
        std::optional<Duration> expires, paused_until, retire;
        Duration at;
        CS expected;
    };
    const Row rows[] = {
        {"new", Pending, {}, {}, {}, 0s, CS::Pending},
        {"one µs before it lapses", Pending, {}, {}, {}, delivery_window - 1us, CS::Pending},
        {"lapses", Pending, {}, {}, {}, delivery_window, CS::Lapsed},
        {"lapsed before expired", Pending, 1h, {}, {}, 2h, CS::Lapsed},
        {"in force", Active, 1h, {}, {}, 1h - 1us, CS::Active},
        {"expires", Active, 1h, {}, {}, 1h, CS::Expired},
        {"never expires", Active, {}, {}, {}, 876'000h, CS::Active},
        {"paused for ever", Paused, {}, {}, {}, 876'000h, CS::Paused},
        {"paused", Paused, {}, 1h, {}, 1h - 1us, CS::Paused},
        {"resumes by itself", Paused, {}, 1h, {}, 1h, CS::Active},
        {"paused and expired", Paused, 1h, {}, {}, 2h, CS::Expired},
        {"retiring", Retiring, {}, {}, 1h, 1h - 1us, CS::Retiring},
        {"retires", Retiring, {}, {}, 1h, 1h, CS::Retired},
        {"retiring does not outlive expiry", Retiring, 1h, {}, 2h, 1h, CS::Expired},
        {"revoked", Revoked, {}, {}, {}, 0s, CS::Revoked},
        {"revoked stays so after expiry", Revoked, 1h, {}, {}, 2h, CS::Revoked},
    };
    for (const Row& row : rows) {
        Credential c = credential(row.stored);
        const auto at = [](const std::optional<Duration>& d) { return d ? std::optional(t0 + *d) : std::nullopt; };
        c.expires_at = at(row.expires);
        c.paused_until = at(row.paused_until);
        c.retire_at = at(row.retire);
        EXPECT_EQ(state_at(c, t0 + row.at), row.expected) << row.what;
    }
}

TEST(Lifecycle, StandingByTime) {
    EXPECT_EQ(standing_at({Standing::Active, {}}, t0), Standing::Active);
    EXPECT_EQ(standing_at({Standing::Paused, {}}, t0), Standing::Paused);
    EXPECT_EQ(standing_at({Standing::Paused, t0 + 1us}, t0), Standing::Paused);
    EXPECT_EQ(standing_at({Standing::Paused, t0}, t0), Standing::Active);
    EXPECT_EQ(standing_at({Standing::Revoked, t0}, t0 + 1h), Standing::Revoked) << "no end undoes a revocation";
}

TEST(Lifecycle, OnlyTwoStatesAreUsable) {
    std::size_t usable = 0, live = 0;
    for (int i = 0; i < 8; ++i) {
        usable += is_usable(static_cast<CS>(i)) ? 1u : 0u;
        live += is_live(static_cast<CS>(i)) ? 1u : 0u;
    }
    EXPECT_EQ(usable, 2u);
    EXPECT_TRUE(is_usable(CS::Active) && is_usable(CS::Retiring));
    EXPECT_EQ(live, 4u);
    EXPECT_TRUE(is_live(CS::Paused) && is_live(CS::Pending));
}

TEST(Lifecycle, APauseIsLengthenedAndNeverShortened) {
    const std::optional<Instant> forever, soon = t0 + 1h, later = t0 + 2h;
    EXPECT_EQ(*lengthens_pause(soon, later), true);
    EXPECT_EQ(*lengthens_pause(soon, forever), true);
    EXPECT_EQ(*lengthens_pause(soon, soon), false);
    EXPECT_EQ(*lengthens_pause(forever, forever), false);
    EXPECT_EQ(lengthens_pause(later, soon).error().code, Code::StateRefuses);
    EXPECT_EQ(lengthens_pause(forever, later).error().code, Code::StateRefuses);
}

Ancestry standings() {
    const auto w = *WorkspaceName::parse("w");
    const auto e = *EnvironmentName::parse("e");
    Credential c = credential(CredentialStanding::Active);
    c.scopes = *ScopeSet::parse("a:b,c:d");
    return {{w, {}, t0},
            {w, e, Protection::Open, {}, {}, t0},
            {w, *IdentityName::parse("i"), e, MachineKind::Agent, *ScopeSet::parse("a:b,c:d,e:f"), "", {}, {}, t0},
            c};
}

Demand scope(const char* text) {
    return {.scope = *Scope::parse(text), .environment = {}};
}

TEST(Verdict, AcceptsWhatIsInForceAndNothingElse) {
    EXPECT_EQ(judge(standings(), {}, t0), Reason::Accepted);
    EXPECT_EQ(judge(standings(), scope("a:b"), t0), Reason::Accepted);
    EXPECT_EQ(judge(standings(), scope("e:f"), t0), Reason::ScopeMissing) << "the identity may, this credential not";
    Ancestry narrowed = standings();
    narrowed.identity.scopes = *ScopeSet::parse("c:d");
    EXPECT_EQ(judge(narrowed, scope("a:b"), t0), Reason::ScopeMissing) << "never more than the identity may";
}

TEST(Verdict, ADemandedEnvironmentIsTheTokensOwn) {
    const std::vector own = {*EnvironmentName::parse("e")}, others = {*EnvironmentName::parse("e2")},
                      several = {*EnvironmentName::parse("production"), *EnvironmentName::parse("e")};
    const auto scoped = [](const char* wanted) { return Scope::parse(wanted).release(); };
    struct Row {
        const char* because;
        Demand demand;
        Reason reason;
    };
    const Row rows[] = {
        {"its own", {{}, own[0]}, Reason::Accepted},
        {"another, though its name begins so", {{}, others[0]}, Reason::EnvironmentDiffers},
        {"the listener takes its own", {{}, {}, own}, Reason::Accepted},
        {"the listener takes its own among others", {{}, {}, several}, Reason::Accepted},
        {"the listener takes another", {{}, {}, others}, Reason::EnvironmentDiffers},
        {"the caller can't lift what the listener demands", {{}, own[0], others}, Reason::EnvironmentDiffers},
        {"nor the listener what the caller demands", {{}, others[0], own}, Reason::EnvironmentDiffers},
        {"both", {scoped("a:b"), own[0], several}, Reason::Accepted},
        {"a missing scope shows only where the token fits", {scoped("x:y"), own[0]}, Reason::ScopeMissing},
        {"and not elsewhere", {scoped("x:y"), others[0]}, Reason::EnvironmentDiffers},
    };
    for (const Row& row : rows) {
        EXPECT_EQ(judge(standings(), row.demand, t0), row.reason) << row.because;
        Ancestry stopped = standings();
        stopped.identity.condition = {Standing::Revoked, {}};
        EXPECT_EQ(judge(stopped, row.demand, t0), Reason::IdentityRevoked) << "what stopped it comes first";
    }
}

// Each of the four, paused and revoked, alone and together with the others.
TEST(Verdict, TheStrictestStateWins) {
    const Condition conditions[] = {{Standing::Active, {}}, {Standing::Paused, {}}, {Standing::Revoked, {}}};
    const CredentialStanding credentials[] = {CredentialStanding::Active, CredentialStanding::Paused,
                                              CredentialStanding::Revoked};
    for (int w = 0; w < 3; ++w)
        for (int e = 0; e < 3; ++e)
            for (int i = 0; i < 3; ++i)
                for (int c = 0; c < 3; ++c) {
                    Ancestry s = standings();
                    s.workspace.condition = conditions[w];
                    s.environment.condition = conditions[e];
                    s.identity.condition = conditions[i];
                    s.credential.stored = credentials[c];
                    const int strictest = std::max({w, e, i, c});
                    const std::string reason = name_of(judge(s, {}, t0));
                    const char* expected = strictest == 0 ? "accepted" : strictest == 1 ? "paused" : "revoked";
                    EXPECT_NE(reason.find(expected), std::string::npos) << w << e << i << c << " " << reason;
                }
}

TEST(Verdict, NeverAcceptsACredentialThatIsNotUsable) {
    for (const CredentialStanding stored :
         {CredentialStanding::Pending, CredentialStanding::Paused, CredentialStanding::Revoked}) {
        Ancestry s = standings();
        s.credential.stored = stored;
        EXPECT_NE(judge(s, {}, t0), Reason::Accepted);
    }
    Ancestry s = standings();
    s.credential.expires_at = t0;
    EXPECT_EQ(judge(s, {}, t0), Reason::Expired);
    s.credential.stored = CredentialStanding::Retiring;
    s.credential.expires_at.reset();
    s.credential.retire_at = t0 + 1us;
    EXPECT_EQ(judge(s, {}, t0), Reason::Accepted) << "it still works while it retires";
    EXPECT_EQ(judge(s, {}, t0 + 1us), Reason::Retired);
}

}  // namespace
}  // namespace marque::domain
