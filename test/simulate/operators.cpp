#include "test/simulate/operators.h"

#include <fmt/format.h>

#include "authority/keys.h"
#include "base/check.h"
#include "base/overloaded.h"
#include "domain/token.h"

namespace marque::simulation {

using namespace domain;
using authority::Authority;
using authority::Done;
using authority::IssueRequest;
using authority::Order;

namespace {

constexpr std::uint32_t uid = 1000;
constexpr const char *paused_name = "napping", *protected_name = "vault";
constexpr int most_tries = 3;

const Owner owner{"SHA256:owner", "ssh-ed25519 owner", "owner", {}};

Order confirmed() {
    return {{}, authority::Confirmation::parse("").release(), "why not"};
}

Order with(const ApprovalId& id) {
    Order order = confirmed();
    order.approval = id;
    return order;
}

audit::Process caller() {
    audit::Process process;
    process.uid = uid;
    return process;
}

// Tokens are delivered to whoever verifies them.
class Delivery final : public authority::Delivery {
 public:
    explicit Delivery(std::vector<Token>& tokens) : tokens_(tokens) {}
    Result<void> prepare(std::span<const IdentityName>) override { return {}; }
    Result<void> deliver(std::span<const authority::IssuedToken> tokens) override {
        for (const auto& one : tokens)
            tokens_.push_back({std::string(one.token.reveal_text()), one.credential.id, one.credential.identity});
        return {};
    }

 private:
    std::vector<Token>& tokens_;
};

authority::CreateRequest creation(const std::string& name, const char* environment) {
    return {*IdentityName::parse(name),
            *EnvironmentName::parse(environment),
            MachineKind::Agent,
            *ScopeSet::parse("card:view,card:edit"),
            {},
            "",
            {}};
}

class StandingClock final : public Clock {
    Instant now() const override { return Instant(Duration(1'799'999'999'000'000)); }
    Duration since_boot() const override { return {}; }
};

}  // namespace

Beginning::Beginning() : root_key(Secret::copy_of(Bytes(authority::root_key_bytes, 5))) {
    store::memory::MemoryStore store(authority::log_seal_key(root_key));
    const StandingClock clock;
    Chance chance(1);
    PlainSignatures signatures;
    Authority ops(store, clock, chance, root_key, signatures, caller());
    const authority::InitRequest init{*OperatorName::parse("ops"), *WorkspaceName::parse("default"), {}};
    CHECK(ops.init(init, authority::Confirmation::parse("").release()));
    store.rows.owners.emplace(owner.fingerprint, owner);
    Delivery delivery(tokens);
    for (const char* name : {"a", "b", paused_name}) {
        const authority::CreateRequest requests[] = {creation(name, "dev")};
        CHECK(ops.create(requests, confirmed(), delivery));
    }
    const authority::CreateRequest requests[] = {creation(protected_name, "production")};
    const ApprovalId id = ops.create(requests, confirmed(), delivery)->approval->id;
    CHECK(ops.sign_approval(id, PlainSignatures::by(owner, store.rows.approvals.at(id).text), confirmed()));
    CHECK(ops.create(requests, with(id), delivery));
    rows = std::move(store.rows);
}

Operators::Operators(World& world, Database& database, Promises& promises, const Secret& root_key, Meanwhile meanwhile)
    : world_(world), database_(database), promises_(promises), root_key_(root_key), meanwhile_(std::move(meanwhile)) {}

void Operators::begin(std::function<void(Machine&)> work) {
    const int lost_parts = world_.chance.one_in(4) ? static_cast<int>(world_.chance.below(101)) : 0;
    machines.push_back(std::make_unique<Machine>(world_, fmt::format("operator-{}", machines.size() + 1), lost_parts));
    Machine& machine = *machines.back();
    ++at_work_;
    world_.tasks.start([this, &machine, work = std::move(work)] {
        machine.sleep_for(world_.chance.up_to(2 * world_.lease));
        work(machine);
        --at_work_;
    });
}

void Operators::start() {
    for (int i = 0; i < 2; ++i)
        begin([this](Machine& from) {
            const Duration beat = world_.lease / 2;
            for (int changes = 3; changes > 0; --changes) {
                change_something(from);
                from.sleep_for(world_.chance.up_to(beat));
                // Often at the same moment as the other.
                if (world_.chance.one_in(2)) from.sleep_for(beat - world_.now() % beat + world_.chance.up_to(2ms));
            }
        });
    if (world_.chance.one_in(2)) begin([this](Machine& from) { pause_and_resume(from); });
    if (!world_.fails_over && world_.chance.one_in(2)) begin([this](Machine& from) { use_approvals(from); });
}

bool Operators::run(Machine& from, std::string_view what, const Act& act) {
    for (int tries = 1; tries <= most_tries; ++tries) {
        meanwhile_.before(from);
        SimulatedStore store(world_, database_, from, SimulatedStore::Reads::Primary);
        Authority ops(store, from, world_.chance, root_key_, signatures_, caller());
        world_.step(from.name(), what);
        const Time began = world_.now();
        const auto done = act(ops);
        ++world_.changes;
        const Duration took = world_.now() - began;
        const auto& receipt = done ? done->receipt : std::nullopt;
        const bool is_everywhere = done && (!receipt || receipt->force == authority::Force::Everywhere);
        world_.step(from.name(), is_everywhere ? "returned: in force" : "returned: not in force",
                    done ? done->revision : 0, done ? receipt ? receipt->why : "" : done.error().message);
        // The link cut is no news; else the lease is the bound.
        if (!world_.is_faulty && took > store::longest_in_force(world_.lease) + 1s)
            world_.violate(fmt::format("without a fault a change took {} us", took.count()));
        if (!world_.is_faulty && receipt && !is_everywhere)
            world_.violate("without a fault a change is not in force: " + receipt->why);
        const bool is_unknown =
            !done && (done.error().code == Code::Unavailable || done.error().code == Code::OutcomeUnknown);
        if (!is_unknown) return is_everywhere;
        from.sleep_for(world_.chance.up_to(world_.lease / 4));
    }
    return false;
}

void Operators::ended(const std::function<bool(const Token&)>& is_meant) {
    for (const Token& token : std::vector(promises_.tokens))
        if (is_meant(token)) meanwhile_.afterwards(token);
}

void Operators::change_something(Machine& from) {
    Delivery delivery(promises_.tokens);
    // Often the one that the other has chosen.
    std::size_t at = world_.chance.one_in(3) ? world_.chance.below(promises_.tokens.size()) : chosen_;
    while (promises_.tokens[at].identity.text() == paused_name ||
           promises_.tokens[at].identity.text() == protected_name)
        at = world_.chance.below(promises_.tokens.size());
    chosen_ = at;
    const Token token = promises_.tokens[at];
    const IdentityName name = token.identity;
    const std::string id = token.credential.string();
    const auto revokes = [&](const std::string& what) {
        return [&, what](Authority& ops) { return ops.revoke(authority::ByNameOrId{what}, confirmed()); };
    };
    switch (world_.chance.below(6)) {
        case 0:
        case 1:
            if (!run(from, "revoke the credential " + id, revokes(id))) return;
            promises_.ended.insert(token.credential);
            return ended([&](const Token& other) { return other.credential == token.credential; });
        case 2:
            if (!run(from, "revoke " + name.text(), revokes(name.text()))) return;
            promises_.ended_identities.insert(name);
            return ended([&](const Token& other) { return other.identity == name; });
        case 3: {
            const authority::RotateRequest request{id, OldCredential::IsRevoked, {}, {}};
            if (!run(from, "rotate " + id, [&](Authority& ops) { return ops.rotate(request, confirmed(), delivery); }))
                return;
            promises_.ended.insert(token.credential);
            return ended([&](const Token& other) { return other.credential == token.credential; });
        }
        case 4:
            run(from, "issue " + name.text(),
                [&](Authority& ops) { return ops.issue({name, {}, {}}, confirmed(), delivery); });
            return;
        default: {
            const authority::CreateRequest requests[] = {creation(fmt::format("c{}", promises_.tokens.size()), "dev")};
            run(from, "create", [&](Authority& ops) { return ops.create(requests, confirmed(), delivery); });
        }
    }
}

void Operators::pause_and_resume(Machine& from) {
    const IdentityName name = *IdentityName::parse(paused_name);
    const authority::ByNameOrId target{paused_name};
    // A resumption whose outcome nobody knows may be shown by a deposed server alone, and a verifier may have read it
    // there. A pause that is made after it is in force everywhere; one that is found made already, on a server that
    // never had that resumption, is known to the verifier from before it, and is not promised.
    bool is_in_doubt = false;
    for (int turns = 2; turns > 0; --turns) {
        bool is_made = false;
        const bool is_everywhere = run(from, "pause", [&](Authority& ops) {
            auto done = ops.pause(target, {}, confirmed());
            is_made |= done && done->progress == authority::Progress::Applied;
            return done;
        });
        is_in_doubt = is_in_doubt && !is_made;
        if (is_everywhere && !is_in_doubt) {
            promises_.paused.insert(name);
            ended([&](const Token& token) { return token.identity == name; });
        }
        from.sleep_for(world_.chance.up_to(world_.lease));
        promises_.paused.erase(name);
        ++promises_.resumes;
        run(from, "resume", [&](Authority& ops) {
            auto done = ops.resume(target, confirmed());
            is_in_doubt |= !done;
            return done;
        });
        from.sleep_for(world_.chance.up_to(world_.lease / 2));
    }
}

void Operators::use_approvals(Machine& from) {
    const IdentityName name = *IdentityName::parse(protected_name);
    const IssueRequest asked{name, *ScopeSet::parse("card:view"), {}}, wider{name, {}, {}};
    Delivery delivery(promises_.tokens);
    std::optional<Approval> approval;
    run(from, "ask for an approval", [&](Authority& ops) {
        auto done = ops.issue(asked, confirmed(), delivery);
        if (done && done->approval) approval = done->approval;
        return done;
    });
    if (!approval) return;
    signed_texts_[approval->id] = approval->text;
    const std::string signature = PlainSignatures::by(owner, approval->text);
    run(from, "sign the approval",
        [&](Authority& ops) { return ops.sign_approval(approval->id, signature, confirmed()); });
    for (int i = 0; i < 2; ++i)
        begin([this, id = approval->id, request = world_.chance.one_in(2) ? wider : asked](Machine& own) {
            use(id, request, own);
        });
}

void Operators::use(const ApprovalId& approval, const IssueRequest& request, Machine& from) {
    Delivery delivery(promises_.tokens);
    run(from, "use the approval", [&](Authority& ops) { return ops.issue(request, with(approval), delivery); });
}

void Operators::judge(const store::memory::Rows& before, const std::vector<audit::Draft>& drafts) {
    const auto require_not_revoked = [&](const WorkspaceName& workspace, const IdentityName& name) {
        const auto found = before.identities.find(std::pair(workspace, name));
        if (found != before.identities.end() && found->second.condition.stored == Standing::Revoked)
            world_.violate("P1: a credential of " + name.text() + " comes after its revocation");
    };
    for (const audit::Draft& draft : drafts)
        std::visit(Overloaded{
                       [&](const audit::CredentialActivated& event) {
                           require_not_revoked(event.credential.workspace, event.credential.identity);
                       },
                       [&](const audit::CredentialIssued& event) {
                           const Credential& credential = event.credential;
                           require_not_revoked(credential.workspace, credential.identity);
                           if (credential.identity.text() != protected_name) return;
                           std::string scopes;
                           for (const Scope& scope : credential.scopes.scopes())
                               scopes += fmt::format("{}\"{}\"", scopes.empty() ? "" : ",", scope.text());
                           const auto text = draft.approval ? signed_texts_.find(*draft.approval) : signed_texts_.end();
                           if (text == signed_texts_.end() ||
                               text->second.find("\"scopes\":[" + scopes + "]") == std::string::npos)
                               world_.violate("P2: what is issued is not what was signed");
                           else if (++uses_[*draft.approval] > 1)
                               world_.violate("P3: an approval is used twice");
                       },
                       [](const auto&) {},
                   },
                   draft.event);
}

}  // namespace marque::simulation
