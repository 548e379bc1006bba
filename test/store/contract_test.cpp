// What every store must keep, whatever it is made of. A backend passes by being listed below.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <thread>

#include "audit/seal.h"
#include "store/append.h"
#include "test/store/backends.h"

namespace marque::store {
namespace {

using namespace domain;
using namespace std::chrono_literals;

const Instant t0(Duration(1'800'000'000'000'000));

class StoreContract : public testing::TestWithParam<Kind> {
 protected:
    Store& store() { return backend_->store(); }
    Store* other() { return backend_->other(); }

    // Commits the events; the revision.
    Result<Revision> commit(std::vector<audit::Event> events) {
        return store().change([&](const Reader&) -> Result<std::vector<audit::Draft>> {
            std::vector<audit::Draft> drafts;
            for (const audit::Event& event : events)
                drafts.push_back({event, audit::OperatorActor{}, t0, audit::Mode::Setup, "why", "", ""});
            return drafts;
        });
    }
    template <class View>
    auto read(View view) {
        return read_from(store(), view).release();
    }

    const WorkspaceName workspace = *WorkspaceName::parse("default");
    const EnvironmentName dev = *EnvironmentName::parse("dev");
    const IdentityName codex = *IdentityName::parse("codex");
    const CredentialId id = *CredentialId::parse("0123456789ab");
    const CredentialId id2 = *CredentialId::parse("0123456789ac");
    const CredentialRef ref{workspace, codex, id};
    const OperatorName ops = *OperatorName::parse("ops");

    Identity identity(const IdentityName& name) const {
        return {workspace,         name, dev, MachineKind::Agent, *ScopeSet::parse("a:b,c:d"), "ops@example.org",
                {{"team", "red"}}, {},   t0};
    }
    Credential credential(const CredentialId& credential_id) const {
        Credential c{credential_id, workspace, codex, {}, *ScopeSet::parse("a:b"), CredentialStanding::Pending, t0,
                     t0 + 1h,       {},        {},    {}};
        c.hash.fill(9);
        return c;
    }
    Operator operator_() const { return {ops, 1000, false, {{std::nullopt, Permission::Manage}}, t0}; }

    // Workspace, environment, operator: three entries.
    void SetUp() override {
        if (!backend_) GTEST_SKIP() << "there is no PostgreSQL server: MARQUE_TEST_POSTGRES names no file";
        ASSERT_TRUE(commit({audit::WorkspaceAdded{{workspace, {}, t0}},
                            audit::EnvironmentAdded{{workspace, dev, Protection::Open, Duration(90h), {}, t0}},
                            audit::OperatorAdded{operator_()}}));
    }
    void add_codex() {
        ASSERT_TRUE(commit({audit::IdentityCreated{identity(codex)}, audit::CredentialIssued{credential(id)}}));
    }
    void break_entry(Revision seq) {
        backend_->execute(fmt::format("UPDATE entry SET seal = sha256(seal) WHERE seq = {}", seq));
    }
    // By another handle.
    void add_codex_elsewhere() {
        ASSERT_TRUE(other()->change([&](const Reader&) -> Result<std::vector<audit::Draft>> {
            return std::vector<audit::Draft>{{audit::IdentityCreated{identity(codex)}, audit::OperatorActor{}, t0},
                                             {audit::CredentialIssued{credential(id)}, audit::OperatorActor{}, t0}};
        }));
    }

 private:
    std::unique_ptr<Backend> backend_ = GetParam().make();
};

TEST_P(StoreContract, Invariant1_RowsAndEntriesAppearTogether) {
    const auto revision = commit({audit::IdentityCreated{identity(codex)}, audit::CredentialIssued{credential(id)}});
    EXPECT_EQ(*revision, 5u);
    const auto entries = read([&](const Reader& r) { return r.entries(3, 10); });
    ASSERT_EQ(entries.size(), 2u);
    EXPECT_EQ(audit::decode(entries[0].bytes)->action, "identity.create");
    EXPECT_EQ(entries[1].seq, 5u);
    EXPECT_EQ(read([&](const Reader& r) { return r.head(); }).frontier.size(), 5u);
    EXPECT_EQ(read([&](const Reader& r) { return r.identity(workspace, codex); })->revision, 4u);
}

TEST_P(StoreContract, Invariant1_AFailedEventLeavesNothingOfTheOthers) {
    const auto failed = commit({audit::IdentityCreated{identity(codex)}, audit::CredentialActivated{ref}});
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().code, Code::StateRefuses);
    EXPECT_FALSE(read([&](const Reader& r) { return r.identity(workspace, codex); }));
    EXPECT_EQ(read([&](const Reader& r) { return r.head(); }).frontier.size(), 3u);
    EXPECT_TRUE(read([&](const Reader& r) { return r.entries(3, 10); }).empty());
}

// An entry that is too long to be read again would make the whole log unreadable, for ever.
TEST_P(StoreContract, Invariant11_NothingIsAppendedThatWouldNotReadBack) {
    for (const std::string& path : {std::string(audit::max_canonical_bytes, 'x'), std::string("\xff")}) {
        EXPECT_EQ(commit({audit::StoreBackedUp{path}}).error().code, Code::InvalidRequest);
        EXPECT_EQ(read([&](const Reader& r) { return r.head(); }).frontier.size(), 3u);
    }
}

TEST_P(StoreContract, ADecisionThatFailsOrDecidesNothingWritesNothing) {
    const auto failed =
        store().change([](const Reader&) -> Result<std::vector<audit::Draft>> { return Error(Code::NotFound, "x"); });
    EXPECT_EQ(failed.error().code, Code::NotFound);
    EXPECT_EQ(*commit({}), 3u);
    EXPECT_EQ(*commit({audit::StoreBackedUp{"/b"}}), 4u) << "and the store still works";
}

TEST_P(StoreContract, EverythingReadsBackAsItWasWritten) {
    add_codex();
    const auto i = read([&](const Reader& r) { return r.identity(workspace, codex); });
    EXPECT_EQ(i->environment, dev);
    EXPECT_EQ(i->kind, MachineKind::Agent);
    EXPECT_EQ(i->scopes.text(), "a:b,c:d");
    EXPECT_EQ(i->contact, "ops@example.org");
    EXPECT_EQ(i->labels.at("team"), "red");
    EXPECT_EQ(i->created_at, t0);
    const auto c = read([&](const Reader& r) { return r.credential(id); });
    EXPECT_EQ(c->hash, credential(id).hash);
    EXPECT_EQ(c->expires_at, t0 + 1h);
    EXPECT_EQ(c->stored, CredentialStanding::Pending);
    EXPECT_FALSE(c->succession);
    const auto e = read([&](const Reader& r) { return r.environment(workspace, dev); });
    EXPECT_EQ(e->protection, Protection::Open);
    EXPECT_EQ(e->max_lifetime, Duration(90h));
    const auto o = read([&](const Reader& r) { return r.operator_with_uid(1000); });
    EXPECT_EQ(o->name, ops);
    EXPECT_EQ(o->grants, operator_().grants);
    EXPECT_FALSE(read([&](const Reader& r) { return r.operator_with_uid(1001); }));
    EXPECT_FALSE(read([&](const Reader& r) { return r.credential(id2); }));
}

TEST_P(StoreContract, SuccessionReadsBack) {
    add_codex();
    Credential next = credential(id2);
    next.succession = Succession{id, OldCredential::RetiresWhenNewIsUsed, Duration(2h)};
    ASSERT_TRUE(commit({audit::CredentialIssued{next}}));
    EXPECT_EQ(read([&](const Reader& r) { return r.credential(id2); })->succession, next.succession);
    const auto both = read([&](const Reader& r) { return r.credentials(workspace, codex, Listing::Complete); });
    ASSERT_EQ(both.size(), 2u);
    EXPECT_EQ(both[0].id, id) << "oldest first, then by id";
}

TEST_P(StoreContract, TheCredentialsWayThroughItsStates) {
    add_codex();
    const auto stored = [&] { return read([&](const Reader& r) { return r.credential(id); })->stored; };
    ASSERT_TRUE(commit({audit::CredentialActivated{ref}}));
    EXPECT_EQ(stored(), CredentialStanding::Active);
    EXPECT_FALSE(commit({audit::CredentialActivated{ref}})) << "only what is pending";
    ASSERT_TRUE(commit({audit::Paused{ref, "active", t0 + 1h}}));
    EXPECT_EQ(read([&](const Reader& r) { return r.credential(id); })->paused_until, t0 + 1h);
    ASSERT_TRUE(commit({audit::Paused{ref, "paused", {}}})) << "lengthened";
    ASSERT_TRUE(commit({audit::Resumed{ref, "paused"}}));
    EXPECT_EQ(stored(), CredentialStanding::Active);
    EXPECT_FALSE(commit({audit::Resumed{ref, "paused"}}));
    ASSERT_TRUE(commit({audit::CredentialRetiring{ref, t0 + 2h, id2}}));
    EXPECT_EQ(stored(), CredentialStanding::Retiring);
    EXPECT_FALSE(commit({audit::Paused{ref, "retiring", {}}}));
    EXPECT_FALSE(commit({audit::CredentialRetiring{ref, t0 + 3h, id2}})) << "never later";
    ASSERT_TRUE(commit({audit::CredentialRetiring{ref, t0 + 1h, id2}})) << "but earlier";
    ASSERT_TRUE(commit({audit::Revoked{ref, "retiring"}}));
    EXPECT_EQ(stored(), CredentialStanding::Revoked);
}

TEST_P(StoreContract, Invariant5_NoWriteUndoesARevocation) {
    add_codex();
    const IdentityRef identity_ref{workspace, codex};
    ASSERT_TRUE(commit(
        {audit::CredentialActivated{ref}, audit::Revoked{ref, "active"}, audit::Revoked{identity_ref, "active"}}));
    const std::vector<audit::Event> attempts = {
        audit::CredentialActivated{ref},
        audit::Paused{ref, "", {}},
        audit::Resumed{ref, ""},
        audit::CredentialRetiring{ref, t0, id2},
        audit::CredentialUndelivered{ref, ""},
        audit::Revoked{ref, ""},
        audit::Paused{identity_ref, "", {}},
        audit::Resumed{identity_ref, ""},
        audit::Revoked{identity_ref, ""},
        audit::IdentityCreated{identity(codex)},
        audit::CredentialIssued{credential(id)},
    };
    for (const audit::Event& attempt : attempts) {
        const auto result = commit({attempt});
        ASSERT_FALSE(result) << audit::action_of(attempt);
        EXPECT_EQ(result.error().code, Code::StateRefuses) << audit::action_of(attempt);
    }
    EXPECT_EQ(read([&](const Reader& r) { return r.credential(id); })->stored, CredentialStanding::Revoked);
    EXPECT_EQ(read([&](const Reader& r) { return r.identity(workspace, codex); })->condition.stored, Standing::Revoked);
    EXPECT_EQ(read([&](const Reader& r) { return r.head(); }).frontier.size(), 8u);
}

TEST_P(StoreContract, PausingAboveIsOneRow) {
    add_codex();
    ASSERT_TRUE(commit({audit::Paused{EnvironmentRef{workspace, dev}, "active", t0 + 1h},
                        audit::Paused{WorkspaceRef{workspace}, "active", {}}}));
    EXPECT_EQ(read([&](const Reader& r) { return r.environment(workspace, dev); })->condition,
              (Condition{Standing::Paused, t0 + 1h}));
    EXPECT_EQ(read([&](const Reader& r) { return r.workspace(workspace); })->condition,
              (Condition{Standing::Paused, {}}));
    EXPECT_EQ(read([&](const Reader& r) { return r.identity(workspace, codex); })->condition.stored, Standing::Active);
    ASSERT_TRUE(commit({audit::Resumed{EnvironmentRef{workspace, dev}, "paused"}}));
    EXPECT_EQ(read([&](const Reader& r) { return r.environment(workspace, dev); })->condition, Condition{});
}

TEST_P(StoreContract, OperatorsAndTheirGrants) {
    const Grant view{workspace, Permission::View};
    ASSERT_TRUE(commit({audit::PermissionGranted{ops, view}}));
    EXPECT_EQ(read([&](const Reader& r) { return r.operator_named(ops); })->grants.size(), 2u);
    EXPECT_FALSE(commit({audit::PermissionGranted{ops, view}})) << "twice";
    ASSERT_TRUE(commit({audit::PermissionWithdrawn{ops, view}}));
    EXPECT_FALSE(commit({audit::PermissionWithdrawn{ops, view}}));
    Operator twin = operator_();
    twin.name = *OperatorName::parse("twin");
    EXPECT_FALSE(commit({audit::OperatorAdded{twin}})) << "one uid, one operator";
    ASSERT_TRUE(commit({audit::OperatorReassigned{ops, 1000, 4998}}));
    EXPECT_EQ(read([&](const Reader& r) { return r.operator_with_uid(4998); })->name, ops);
    EXPECT_FALSE(commit({audit::OperatorReassigned{ops, 1000, 4999}})) << "only from the uid that it has";
    ASSERT_TRUE(commit({audit::OperatorReassigned{ops, 4998, 1000}}));
    ASSERT_TRUE(commit({audit::OperatorRemoved{ops}}));
    EXPECT_FALSE(read([&](const Reader& r) { return r.operator_with_uid(1000); }));
    EXPECT_TRUE(read([&](const Reader& r) { return r.operator_named(ops); })->is_removed);
    EXPECT_FALSE(commit({audit::PermissionGranted{ops, view}})) << "removed";
    EXPECT_FALSE(commit({audit::OperatorRemoved{ops}}));
    EXPECT_FALSE(commit({audit::OperatorReassigned{ops, 1000, 4998}}));
    EXPECT_FALSE(commit({audit::OperatorAdded{operator_()}})) << "names are not reused";
    EXPECT_TRUE(commit({audit::OperatorAdded{twin}})) << "uids are";
}

TEST_P(StoreContract, OwnersAndWhatTheyMayChange) {
    const ApprovalPolicy at_first{1, false}, later{2, true};
    const Owner owner{"SHA256:a", "ssh-ed25519 AAAA", "a comment", OperatorName::parse("bob").release()};
    ASSERT_TRUE(commit({audit::InstallationCreated{{"an-id", t0, at_first}}, audit::OwnerAdded{owner}}));
    EXPECT_EQ(read([&](const Reader& r) { return r.installation(); })->policy, at_first);
    const Owner found = read([&](const Reader& r) { return r.owners(); }).at(0);
    EXPECT_EQ(std::tie(found.fingerprint, found.public_key, found.comment, found.operator_name),
              std::tie(owner.fingerprint, owner.public_key, owner.comment, owner.operator_name));
    EXPECT_FALSE(commit({audit::OwnerAdded{owner}})) << "twice";
    EXPECT_FALSE(commit({audit::ApprovalPolicyChanged{later, at_first}})) << "it was not so before";
    ASSERT_TRUE(commit({audit::ApprovalPolicyChanged{at_first, later}}));
    EXPECT_EQ(read([&](const Reader& r) { return r.installation(); })->policy, later);
    ASSERT_TRUE(commit({audit::OwnerRemoved{owner}}));
    EXPECT_TRUE(read([&](const Reader& r) { return r.owners(); }).empty());
    EXPECT_FALSE(commit({audit::OwnerRemoved{owner}}));
    EXPECT_TRUE(commit({audit::OwnerAdded{owner}})) << "a key may come back";
    EXPECT_EQ(read([&](const Reader& r) { return r.installation(); })->owners_revision,
              read([&](const Reader& r) { return r.head(); }).frontier.size());
    const EnvironmentRef where{workspace, dev};
    EXPECT_FALSE(commit({audit::ProtectionChanged{where, Protection::Open}})) << "it is open";
    ASSERT_TRUE(commit({audit::ProtectionChanged{where, Protection::Protected}}));
    EXPECT_EQ(read([&](const Reader& r) { return r.environment(workspace, dev); })->protection, Protection::Protected);
}

TEST_P(StoreContract, Invariant8_ApprovalsReadBackAndAreDecidedOnce) {
    const auto approval_with = [&](std::uint64_t bits, Instant requested_at) {
        return Approval{ApprovalId::from_bits(bits),   "nonce",   "the text\n", "a plan's digest", "create",
                        IdentityRef{workspace, codex}, workspace, ops,          requested_at,      requested_at + 24h};
    };
    const Approval one = approval_with(1, t0), two = approval_with(2, t0 + 1h), wide = [&] {
        Approval approval = approval_with(3, t0 + 2h);
        approval.workspace.reset();
        return approval;
    }();
    ASSERT_TRUE(commit({audit::ApprovalRequested{one}, audit::ApprovalRequested{two}, audit::ApprovalRequested{wide}}));
    EXPECT_FALSE(commit({audit::ApprovalRequested{one}})) << "an id is used once";
    const auto row = [&](const Approval& approval) {
        return *read([&](const Reader& r) { return r.approval(approval.id); });
    };
    const Approval found = row(one);
    EXPECT_EQ(std::tie(found.id, found.nonce, found.text, found.plan, found.action, found.about, found.workspace,
                       found.requester, found.requested_at, found.not_after),
              std::tie(one.id, one.nonce, one.text, one.plan, one.action, one.about, one.workspace, one.requester,
                       one.requested_at, one.not_after));
    EXPECT_EQ(found.stored, ApprovalStanding::Open);
    EXPECT_EQ(found.revision, 4u);
    EXPECT_FALSE(row(wide).workspace);
    EXPECT_FALSE(read([&](const Reader& r) { return r.approval(ApprovalId::from_bits(9)); }));

    const Owner owner{"SHA256:a", "ssh-ed25519 AAAA", "", {}};
    const audit::ApprovalSigned signed_by{one.id, one.plan, owner, {owner.fingerprint, "a signature", t0 + 1min}};
    ASSERT_TRUE(commit({signed_by}));
    audit::ApprovalSigned other = signed_by;
    other.signature = {"SHA256:b", "another", t0 + 2min};
    ASSERT_TRUE(commit({other}));
    ASSERT_EQ(row(one).signatures.size(), 2u);
    EXPECT_EQ(row(one).signatures[0].text, "a signature");
    EXPECT_EQ(row(one).signatures[1].at, t0 + 2min);
    EXPECT_EQ(row(one).signatures[1].revision, row(one).revision);

    const auto ids = [&](const std::optional<Instant>& open_at, std::size_t limit) {
        std::vector<std::uint64_t> all;
        for (const Approval& approval :
             read([&](const Reader& r) { return r.approvals(open_at, limit, Listing::Complete); }))
            all.push_back(approval.id.bits());
        return all;
    };
    EXPECT_EQ(ids({}, 10), (std::vector<std::uint64_t>{3, 2, 1})) << "newest first";
    EXPECT_EQ(ids({}, 2), (std::vector<std::uint64_t>{3, 2}));
    EXPECT_EQ(ids(t0 + 24h, 10), (std::vector<std::uint64_t>{3, 2})) << "the end is no part of it";
    const auto later = read([&](const Reader& r) { return r.approvals_of(ops, t0); });
    ASSERT_EQ(later.size(), 2u) << "after the time, not at it";
    EXPECT_EQ(later.front().id, wide.id) << "newest first";
    EXPECT_TRUE(read([&](const Reader& r) { return r.approvals_of(*OperatorName::parse("other"), t0 - 1h); }).empty());
    ASSERT_TRUE(commit({audit::ApprovalDenied{two.id, two.plan}, audit::ApprovalWithdrawn{wide.id, wide.plan}}));
    EXPECT_EQ(ids(t0, 10), (std::vector<std::uint64_t>{1}));

    ASSERT_TRUE(commit({audit::ApprovalRedeemed{one.id, one.plan}}));
    EXPECT_EQ(row(one).stored, ApprovalStanding::Redeemed);
    for (const Approval& decided : {one, two, wide}) {
        audit::ApprovalSigned late{decided.id, decided.plan, owner, {"SHA256:c", "late", t0}};
        const audit::Event events[] = {audit::ApprovalRedeemed{decided.id, ""}, audit::ApprovalDenied{decided.id, ""},
                                       audit::ApprovalWithdrawn{decided.id, ""}, late};
        for (const audit::Event& event : events)
            EXPECT_EQ(commit({event}).error().code, Code::StateRefuses) << "what is decided stays so";
    }
    EXPECT_EQ(row(one).signatures.size(), 2u);
}

TEST_P(StoreContract, IdentitiesComeInPages) {
    std::vector<audit::Event> events;
    for (int i = 0; i < 25; ++i)
        events.emplace_back(audit::IdentityCreated{identity(*IdentityName::parse("m" + std::to_string(100 + i)))});
    ASSERT_TRUE(commit(events));
    std::optional<IdentityName> after;
    std::vector<std::string> names;
    for (;;) {
        const auto page = read([&](const Reader& r) { return r.identities(workspace, after, 10, Listing::Complete); });
        for (const Identity& i : page) names.push_back(i.name.text());
        if (page.size() < 10) break;
        after = page.back().name;
    }
    EXPECT_EQ(names.size(), 25u);
    EXPECT_TRUE(std::ranges::is_sorted(names));
    EXPECT_TRUE(read([&](const Reader& r) {
                    return r.identities(*WorkspaceName::parse("other"), {}, 10, Listing::Complete);
                }).empty());
}

TEST_P(StoreContract, EntriesAreFoundByIdentityAndAfterARevision) {
    add_codex();
    ASSERT_TRUE(
        commit({audit::IdentityCreated{identity(*IdentityName::parse("hermes"))}, audit::CredentialActivated{ref}}));
    const auto of_codex = read([&](const Reader& r) { return r.entries_of({workspace, codex}, 10); });
    ASSERT_EQ(of_codex.size(), 3u);
    EXPECT_EQ(of_codex.front().seq, 7u) << "newest first";
    EXPECT_EQ(read([&](const Reader& r) { return r.entries_of({workspace, codex}, 1); }).size(), 1u);
    const auto since = read([&](const Reader& r) { return r.entries(5, 1); });
    ASSERT_EQ(since.size(), 1u);
    EXPECT_EQ(since.front().seq, 6u);
    EXPECT_TRUE(read([&](const Reader& r) { return r.entries(7, 10); }).empty());
}

TEST_P(StoreContract, Invariant11_TheHeadIsTheTreeOverTheEntriesAndSealed) {
    add_codex();
    const Secret key = sealing_key();
    audit::Frontier frontier;
    for (const StoredEntry& entry : read([&](const Reader& r) { return r.entries(0, 100); })) {
        const audit::Digest leaf = audit::leaf_hash(bytes_of(entry.bytes));
        EXPECT_EQ(entry.seal, audit::seal_of_entry(key, entry.seq, leaf));
        frontier.append(leaf);
    }
    const StoredHead head = read([&](const Reader& r) { return r.head(); });
    EXPECT_EQ(head.frontier, frontier);
    EXPECT_TRUE(check_head(head, key));
    EXPECT_EQ(check_head(head, Secret::copy_of(Bytes(32, 8))).error().code, Code::Corrupt);
}

TEST_P(StoreContract, Invariant13_UsesMoveForwardOnlyAndMakeNoRevision) {
    add_codex();
    const auto use = [&](Instant at, const char* from) {
        const Use uses[] = {{id, at, from}};
        return store().record_uses(uses, {});
    };
    EXPECT_FALSE(read([&](const Reader& r) { return r.last_use(id); }));
    ASSERT_TRUE(use(t0 + 2s, "b"));
    ASSERT_TRUE(use(t0 + 1s, "a")) << "late, and so not the last";
    const auto last = read([&](const Reader& r) { return r.last_use(id); });
    EXPECT_EQ(last->at, t0 + 2s);
    EXPECT_EQ(last->from, "b");
    EXPECT_EQ(last->count, 2u);
    EXPECT_EQ(read([&](const Reader& r) { return r.head(); }).frontier.size(), 5u);
}

TEST_P(StoreContract, RefusedUsesAddUpUntilWhatStopsItChanges) {
    add_codex();
    const auto refuse = [&](const char* reason, Revision since, Instant at, std::uint64_t count) {
        const RefusedUse refused[] = {{id, {reason, since, at, "10.0.0.7", count}}};
        return store().record_uses({}, refused);
    };
    EXPECT_FALSE(read([&](const Reader& r) { return r.refused_uses(id); }));
    ASSERT_TRUE(refuse("credential_paused", 4, t0 + 2s, 3));
    ASSERT_TRUE(refuse("credential_paused", 4, t0 + 1s, 2)) << "late: counts, and is not the last";
    auto uses = read([&](const Reader& r) { return r.refused_uses(id); });
    EXPECT_EQ(uses->count, 5u);
    EXPECT_EQ(uses->last_at, t0 + 2s);
    ASSERT_TRUE(refuse("credential_revoked", 5, t0 + 3s, 1));
    uses = read([&](const Reader& r) { return r.refused_uses(id); });
    EXPECT_EQ(uses->count, 1u) << "since it was revoked";
    EXPECT_EQ(uses->reason, "credential_revoked");
}

TEST_P(StoreContract, RefusedUsesAreToldOnceAMinute) {
    add_codex();
    const auto refuse = [&] {
        const RefusedUse refused[] = {{id, {"credential_revoked", 4, t0, "a", 2}}};
        return store().record_uses({}, refused);
    };
    const auto untold = [&](Instant before) {
        return read([&](const Reader& r) { return r.untold_refused_uses(before, 10); });
    };
    ASSERT_TRUE(refuse());
    ASSERT_EQ(untold(t0).size(), 1u) << "never told of";
    EXPECT_EQ(untold(t0)[0].uses.count, 2u);
    (void)commit({audit::CredentialRefused{ref, "credential_revoked", 2, t0, "a", t0}});
    EXPECT_TRUE(untold(t0 + 1h).empty()) << "nothing new";
    ASSERT_TRUE(refuse());
    EXPECT_TRUE(untold(t0 - 1s).empty()) << "told of at t0";
    EXPECT_EQ(untold(t0).size(), 1u);
    EXPECT_EQ(read([&](const Reader& r) { return r.refused_uses(id); })->count, 4u);
}

TEST_P(StoreContract, VisitsEveryRowThatAVerdictRestsOn) {
    add_codex();
    std::vector<std::string> seen;
    ASSERT_TRUE(store().read([&](const Reader& r) -> Result<void> {
        Visitor visitor = nothing_to_visit();
        visitor.workspace = [&](const Workspace& w) -> Result<void> {
            seen.push_back(w.name.text());
            return {};
        };
        visitor.environment = [&](const Environment& e) -> Result<void> {
            seen.push_back(e.name.text());
            return {};
        };
        visitor.identity = [&](const IdentityFacts& i) -> Result<void> {
            seen.push_back(fmt::format("{} {} {} {}", i.workspace, i.name, i.environment, i.scopes));
            return {};
        };
        visitor.credential = [&](const CredentialFacts& c) -> Result<void> {
            seen.push_back(fmt::format("{} {} {}", c.id.text(), c.identity, name_of(c.term.stored)));
            return {};
        };
        return r.visit_all(visitor);
    }));
    ASSERT_EQ(seen.size(), 4u);
    EXPECT_EQ(seen[0] + " " + seen[1], "default dev");
    EXPECT_NE(seen[2].find("codex"), std::string::npos);
    EXPECT_NE(seen[3].find("codex pending"), std::string::npos) << seen[3];
}

TEST_P(StoreContract, AMarkShowsEveryCommitAndNothingElse) {
    add_codex();
    Store& writer = other() == nullptr ? store() : *other();
    ASSERT_TRUE(store().mark());
    // A folder that was just made settles within some ticks of the clock.
    const auto until = std::chrono::steady_clock::now() + 30s;
    while (!*store().is_as_marked() && std::chrono::steady_clock::now() < until) ASSERT_TRUE(store().mark());
    EXPECT_TRUE(*store().is_as_marked());
    ASSERT_TRUE(read([&](const Reader& r) { return r.credential(id); }));
    EXPECT_TRUE(*store().is_as_marked()) << "reading is no change";
    ASSERT_TRUE(writer.change([&](const Reader&) -> Result<std::vector<audit::Draft>> {
        return std::vector<audit::Draft>{{audit::Revoked{ref, "pending"}, audit::OperatorActor{}, t0}};
    }));
    EXPECT_FALSE(*store().is_as_marked());
    ASSERT_TRUE(store().mark());
    EXPECT_TRUE(*store().is_as_marked());
    EXPECT_EQ(read([&](const Reader& r) { return r.head(); }).unlogged_writes, 0u) << "events account for every row";
}

TEST_P(StoreContract, AnotherHandleSeesWhatIsCommitted) {
    if (other() == nullptr) GTEST_SKIP() << "this backend lives in one process";
    add_codex();
    EXPECT_TRUE(read_from(*other(), [&](const Reader& r) { return r.credential(id); }).release());
    ASSERT_TRUE(other()->change([&](const Reader&) -> Result<std::vector<audit::Draft>> {
        return std::vector<audit::Draft>{{audit::Revoked{ref, "pending"}, audit::OperatorActor{}, t0}};
    }));
    EXPECT_EQ(read([&](const Reader& r) { return r.credential(id); })->stored, CredentialStanding::Revoked);
}

TEST_P(StoreContract, ASnapshotDoesNotMoveWhileItIsRead) {
    if (other() == nullptr) GTEST_SKIP() << "this backend lives in one process";
    add_codex();
    ASSERT_TRUE(store().read([&](const Reader& reader) -> Result<void> {
        const std::uint64_t before = TRY(reader.head()).frontier.size();
        TRY(other()->change([&](const Reader&) -> Result<std::vector<audit::Draft>> {
            return std::vector<audit::Draft>{{audit::Revoked{ref, "pending"}, audit::OperatorActor{}, t0}};
        }));
        EXPECT_EQ(TRY(reader.head()).frontier.size(), before);
        EXPECT_EQ(TRY(reader.credential(id))->stored, CredentialStanding::Pending);
        return {};
    }));
}

// Two nodes write down what they saw, in whatever order and at the same time.
TEST_P(StoreContract, UsesOfSeveralNodesMergeForwardAndRefusedOnesAddUp) {
    if (other() == nullptr) GTEST_SKIP() << "one handle";
    add_codex();
    constexpr int rounds = 40;
    const auto node = [&](Store& store, int first) {
        for (int i = first; i < rounds; i += 2) {
            const Use use{id, t0 + std::chrono::seconds(i), "node " + std::to_string(first), 3};
            const RefusedUse refused{id, {"credential_revoked", 0, t0 + std::chrono::seconds(rounds - i), "x", 2}};
            EXPECT_TRUE(store.record_uses({{use}}, {{refused}}));
        }
    };
    std::thread one([&] { node(store(), 0); });
    node(*other(), 1);
    one.join();
    const auto use = read([&](const Reader& r) { return r.last_use(id); });
    EXPECT_EQ(use->at, t0 + std::chrono::seconds(rounds - 1));
    EXPECT_EQ(use->from, "node 1") << "who saw it last";
    EXPECT_EQ(use->count, 3u * rounds);
    const auto refused = read([&](const Reader& r) { return r.refused_uses(id); });
    EXPECT_EQ(refused->count, 2u * rounds);
    EXPECT_EQ(refused->last_at, t0 + std::chrono::seconds(rounds));
}

// What a store that has rows for verifiers keeps of them.
TEST_P(StoreContract, AVerifiersRowIsItsOwnAndALeaseTellsTheHead) {
    Verifiers* const verifiers = store().verifiers();
    if (verifiers == nullptr) GTEST_SKIP() << "its verifiers ask it each time";
    const VerifierTerms terms{"web", Freshness::Lease, 3s};
    const std::string first = verifiers->add(terms).release(), second = verifiers->add(terms).release();
    EXPECT_NE(first, second) << "a process that starts anew is another";
    const auto seal = read([&](const Reader& r) { return r.entries(2, 1); }).front().seal;
    const auto renewal = verifiers->renew(first).release();
    ASSERT_TRUE(renewal);
    EXPECT_EQ(renewal->revision, 3u);
    EXPECT_EQ(renewal->seal, seal);
    ASSERT_TRUE(verifiers->acknowledge(first, 3, audit::Digest{}));
    EXPECT_EQ(verifiers->all()->rows.front().acknowledged, 0u) << "of another log";
    ASSERT_TRUE(verifiers->acknowledge(first, 3, seal));
    const auto list = other()->verifiers()->all().release();
    EXPECT_EQ(list.revision, 3u);
    ASSERT_EQ(list.rows.size(), 2u);
    const auto& row = list.rows[list.rows[0].id == first ? 0 : 1];
    EXPECT_EQ(row.acknowledged, 3u);
    EXPECT_EQ(row.renewals, 1u);
    EXPECT_EQ(row.terms.name, "web");
    EXPECT_EQ(row.terms.mode, Freshness::Lease);
    EXPECT_EQ(row.terms.lease, 3s);
    ASSERT_TRUE(other()->verifiers()->fence(first));
    EXPECT_FALSE(verifiers->renew(first).release()) << "a fenced row gives no lease";
    EXPECT_TRUE(verifiers->renew(second).release());
    ASSERT_TRUE(verifiers->remove(first));
    EXPECT_FALSE(verifiers->renew(first).release());
    EXPECT_EQ(verifiers->all()->rows.size(), 1u);
}

// After a failover the log may be another: then what its rows say is not about the change.
TEST_P(StoreContract, AHandleKnowsWhetherTheLogStillHasItsChange) {
    Verifiers* const verifiers = store().verifiers();
    if (verifiers == nullptr) GTEST_SKIP() << "its verifiers ask it each time";
    add_codex();
    EXPECT_TRUE(verifiers->all()->has_change);
    const auto nothing = [](const Reader&) -> Result<std::vector<audit::Draft>> { return std::vector<audit::Draft>{}; };
    EXPECT_EQ(*store().change(nothing), 5u);
    EXPECT_TRUE(verifiers->all()->has_change) << "found made";
    break_entry(5);
    EXPECT_FALSE(verifiers->all()->has_change);
}

TEST_P(StoreContract, AChangeIsAnnouncedAndAUseIsNot) {
    Verifiers* const verifiers = store().verifiers();
    if (verifiers == nullptr) GTEST_SKIP() << "its verifiers ask it each time";
    ASSERT_FALSE(*verifiers->wait_for_change(0s)) << "listens from now on";
    add_codex_elsewhere();
    EXPECT_TRUE(*verifiers->wait_for_change(10s));
    EXPECT_FALSE(*verifiers->wait_for_change(0s)) << "once";
    ASSERT_TRUE(other()->record_uses({{Use{id, t0, "a", 1}}}, {}));
    EXPECT_FALSE(*verifiers->wait_for_change(50ms));
}

TEST_P(StoreContract, ARowThatMakesNoSenseIsNotTaken) {
    Verifiers* const verifiers = store().verifiers();
    if (verifiers == nullptr) GTEST_SKIP() << "its verifiers ask it each time";
    EXPECT_FALSE(verifiers->add({"", Freshness::Lease, 5s}));
    EXPECT_FALSE(verifiers->add({"web", Freshness::Strict, 5s})) << "nobody waits for one that asks";
    EXPECT_FALSE(verifiers->add({"web", Freshness::Lease, 0s}));
    EXPECT_FALSE(verifiers->add({"web", Freshness::Lease, std::chrono::hours(1)}));
    EXPECT_TRUE(verifiers->all()->rows.empty());
}

INSTANTIATE_TEST_SUITE_P(Backends, StoreContract, testing::ValuesIn(kinds),
                         [](const auto& kind) { return kind.param.name; });

TEST(SqliteMigrations, GoDownAndUpAgain) {
    const TemporaryFolder folder;
    const std::string path = folder / "marque.db";
    ASSERT_TRUE(sqlite::SqliteStore::create(path));
    const auto maintenance = sqlite::open_maintenance(path, SealingKey(sealing_key)).release();
    const auto no_event = [](const Reader&, int, int) -> Result<std::vector<audit::Draft>> {
        return std::vector<audit::Draft>{};
    };
    const int newest = maintenance->status()->schema;
    EXPECT_EQ(newest, maintenance->status()->supported_schema);
    ASSERT_TRUE(maintenance->migrate(0, no_event)) << "an empty store may go all the way down";
    EXPECT_EQ(maintenance->status()->schema, 0);
    for (int version = 1; version <= newest; ++version) {
        ASSERT_TRUE(maintenance->migrate(version, no_event));
        ASSERT_TRUE(maintenance->migrate(version - 1, no_event));
        ASSERT_TRUE(maintenance->migrate(version, no_event));
        EXPECT_EQ(maintenance->status()->schema, version);
    }
    EXPECT_EQ(maintenance->migrate(newest + 1, no_event).error().code, Code::InvalidRequest);
    // With an entry in the log, nothing goes below it.
    const auto event = [](const Reader&, int from, int to) -> Result<std::vector<audit::Draft>> {
        return std::vector<audit::Draft>{{audit::StoreMigrated{from, to}, audit::OperatorActor{}, t0}};
    };
    ASSERT_TRUE(maintenance->migrate(newest - 1, event));
    EXPECT_EQ(sqlite::SqliteStore::open(path, SealingKey(sealing_key)).error().code, Code::StateRefuses)
        << "an older schema is refused";
    EXPECT_EQ(maintenance->migrate(0, event).error().code, Code::StateRefuses);
    ASSERT_TRUE(maintenance->migrate(newest, event));
    const auto store = sqlite::SqliteStore::open(path, SealingKey(sealing_key)).release();
    EXPECT_EQ(read_from(*store, [](const Reader& r) { return r.head(); })->frontier.size(), 2u);
}

TEST(PostgresMigrations, GoDownAndUpAgainAndAnOlderSchemaIsRefused) {
    if (!PostgresBackend::is_there()) GTEST_SKIP() << "there is no PostgreSQL server";
    const PostgresBackend backend;
    const auto maintenance = postgres::open_maintenance(backend.conninfo(), SealingKey(sealing_key)).release();
    const auto no_event = [](const Reader&, int, int) -> Result<std::vector<audit::Draft>> {
        return std::vector<audit::Draft>{};
    };
    const int newest = maintenance->status()->supported_schema;
    for (int version = 0; version <= newest; ++version) {
        ASSERT_TRUE(maintenance->migrate(version, no_event));
        EXPECT_EQ(maintenance->status()->schema, version);
        if (version == newest) break;
        EXPECT_EQ(postgres::PostgresStore::open(backend.conninfo(), SealingKey(sealing_key)).error().code,
                  version == 0 ? Code::Unavailable : Code::StateRefuses);
    }
    EXPECT_TRUE(postgres::PostgresStore::open(backend.conninfo(), SealingKey(sealing_key)));
}

TEST(SqliteStore, IsFullySynchronousAndWritesAhead) {
    const TemporaryFolder folder;
    const std::string path = folder / "marque.db";
    ASSERT_TRUE(sqlite::SqliteStore::create(path));
    auto database = sqlite::Database::open(path).release();
    EXPECT_EQ(*database.number("PRAGMA synchronous"), 2) << "FULL";
    EXPECT_EQ(*database.number("PRAGMA foreign_keys"), 1);
    auto mode = database.prepare("PRAGMA journal_mode").release();
    ASSERT_TRUE(*mode.step());
    EXPECT_EQ(mode.text(0), "wal");
    EXPECT_EQ(std::filesystem::status(path).permissions(), std::filesystem::perms(0600));
}

}  // namespace
}  // namespace marque::store
