// test/store/every_row.h: the events that make a store with rows of every kind.
#pragma once

#include "audit/event.h"
#include "store/store.h"

namespace marque::store {

// Commits them to an empty store, always the same ones, and notes uses beside them.
inline void fill_with_every_kind_of_row(Store& store) {
    using namespace domain;
    using namespace std::chrono_literals;
    const Instant t0(Duration(1'800'000'000'000'000));
    const auto commit = [&](std::vector<audit::Event> events) {
        const auto done = store.change([&](const Reader&) -> Result<std::vector<audit::Draft>> {
            std::vector<audit::Draft> drafts;
            for (audit::Event& event : events) drafts.push_back({std::move(event), audit::OperatorActor{}, t0});
            return drafts;
        });
        CHECK(done.has_value());
    };
    const WorkspaceName workspace = *WorkspaceName::parse("default"), other = *WorkspaceName::parse("other");
    const EnvironmentName dev = *EnvironmentName::parse("dev"), production = *EnvironmentName::parse("production");
    const OperatorName ops = *OperatorName::parse("ops"), bob = *OperatorName::parse("bob");
    const ApprovalId approval = *ApprovalId::parse("4ygg40s8"), denied = *ApprovalId::parse("4ygg40s9");
    const Grant everything{std::nullopt, Permission::Manage}, one_workspace{workspace, Permission::View};

    Installation installation;
    installation.id = "zj1ag1skkg2n4mac8rsbvkm3y4";
    installation.created_at = t0;
    commit({audit::InstallationCreated{installation}, audit::WorkspaceAdded{{workspace, {}, t0}},
            audit::WorkspaceAdded{{other, {}, t0}},
            audit::EnvironmentAdded{{workspace, dev, Protection::Open, 24h, {}, t0}},
            audit::EnvironmentAdded{{workspace, production, Protection::Protected, {}, {}, t0}},
            audit::OperatorAdded{{ops, 1000, false, {everything}, t0}},
            audit::OperatorAdded{{bob, 1001, false, {one_workspace}, t0}}, audit::PermissionGranted{bob, everything}});
    const Owner owner{"SHA256:one", "ssh-ed25519 AAAA", "ana's", ops};
    commit({audit::OwnerAdded{owner}, audit::OwnerAdded{{"SHA256:two", "ssh-ed25519 BBBB", "", {}}},
            audit::ApprovalPolicyChanged{{1, false}, {2, false}}, audit::OperatorRemoved{bob}});

    std::vector<audit::Event> events;
    std::uint8_t number = 0;
    const auto add = [&](const char* name, const EnvironmentName& environment) {
        const IdentityName identity = *IdentityName::parse(name);
        events.emplace_back(audit::IdentityCreated{{workspace,
                                                    identity,
                                                    environment,
                                                    MachineKind::Service,
                                                    *ScopeSet::parse("a:b,c:d"),
                                                    "ops@example.org",
                                                    {{"team", "blue"}},
                                                    {},
                                                    t0}});
        return identity;
    };
    const auto issue = [&](const IdentityName& identity, const char* id, std::optional<Succession> succession = {}) {
        Credential c{*CredentialId::parse(id),    workspace, identity, {}, *ScopeSet::parse("a:b"),
                     CredentialStanding::Pending, t0,        t0 + 1h,  {}, {},
                     std::move(succession)};
        c.hash.fill(++number);
        events.emplace_back(audit::CredentialIssued{c});
        return CredentialRef{workspace, identity, c.id};
    };
    const IdentityName codex = add("codex", dev), board = add("board", production), gone = add("gone", dev);
    const auto active = issue(codex, "0123456789ab"), paused = issue(codex, "0123456789ac");
    const auto retiring = issue(board, "0123456789ad");
    const auto revoked = issue(gone, "0123456789ae");
    issue(board, "0123456789af", Succession{retiring.id, OldCredential::RetiresAfterOverlap, 1h});
    for (const auto& ref : {active, paused, retiring, revoked}) events.emplace_back(audit::CredentialActivated{ref});
    events.emplace_back(audit::Paused{paused, "active", t0 + 2h});
    events.emplace_back(audit::CredentialRetiring{retiring, t0 + 30min, *CredentialId::parse("0123456789af")});
    events.emplace_back(audit::Revoked{revoked, "active"});
    events.emplace_back(audit::Revoked{IdentityRef{workspace, gone}, "active"});
    events.emplace_back(audit::Paused{WorkspaceRef{other}, "active", {}});
    commit(std::move(events));

    const auto request = [&](const ApprovalId& id) {
        return Approval{id,       std::string(32, 'a'),          "a text",  std::string(64, 'b'),
                        "create", IdentityRef{workspace, board}, workspace, ops,
                        t0,       t0 + approval_lifetime};
    };
    commit({audit::ApprovalRequested{request(approval)}, audit::ApprovalRequested{request(denied)},
            audit::ApprovalSigned{approval, std::string(64, 'b'), owner, {owner.fingerprint, "a signature", t0}},
            audit::ApprovalDenied{denied, std::string(64, 'b')}});
    const Use uses[] = {{active.id, t0 + 1min, "127.0.0.1", 3}};
    const RefusedUse refused[] = {{revoked.id, {"credential_revoked", 1, t0 + 2min, "127.0.0.1", 2}}};
    CHECK(store.record_uses(uses, refused).has_value());
}

}  // namespace marque::store
