// The core with memory that runs out at the first allocation, at the second, and so on, once or for good: an exception
// or an error, and afterwards what was worked on refuses or works. Nobody is accepted who should not be.
#include <fmt/format.h>

#include <functional>
#include <new>

#include "audit/note.h"
#include "authority/authority.h"
#include "authority/keys.h"
#include "authority/log.h"
#include "base/check.h"
#include "crypto/digest.h"
#include "domain/token.h"
#include "store/forwarding_store.h"
#include "test/faults/failing_memory.h"
#include "test/faults/installation.h"
#include "test/faults/replay.h"
#include "test/faults/report.h"
#include "test/leased_store.h"
#include "verify/facts.h"
#include "verify/verifier.h"
#include "verify/verify.h"

namespace marque::faults {
namespace {

using namespace domain;
using namespace std::chrono_literals;

constexpr const char* group = "memory";

enum class Ended { Well, InError, InException };

// `act` is true when it did what it is for. `check` hears how it ended, once for each n.
struct Case {
    std::function<bool()> act;
    std::function<void(Ended)> check = [](Ended) {};
};

void try_case(Report& report, const std::string& name, const std::function<Case()>& make) {
    report.begin(group, name);
    for (const Scarcity scarcity : {Scarcity::Once, Scarcity::ForGood})
        for (std::uint64_t n = 1;; ++n) {
            const Case one = make();
            Ended ended = Ended::InException;
            FailingMemory::begin(n, scarcity);
            try {
                ended = one.act() ? Ended::Well : Ended::InError;
            } catch (const std::bad_alloc&) {
            }
            FailingMemory::end();
            const bool has_struck = FailingMemory::has_struck();
            if (!has_struck && ended != Ended::Well) report.fail("it does not do what it is for");
            one.check(ended);
            if (!has_struck || report.has_failed()) break;
            report.survived();
        }
}

// --- pure

void try_domain(Report& report) {
    const std::string name = "a-name-that-is-longer-than-fifteen", scopes = "board:view,card:edit-of-many-kinds,kan";
    const auto token = std::make_shared<std::string>(
        make_token(TokenClass::Live, CredentialId::from_bits(77), Bytes(token_entropy_bytes, 3)).reveal_text());
    try_case(report, "domain: names, scopes, durations, tokens", [=] {
        return Case{[=] {
            const auto parsed = IdentityName::parse(name);
            const auto set = ScopeSet::parse(scopes);
            const auto parts = parse_token(*token);
            const auto bad = parse_token(token->substr(1));
            return parsed && parsed->text() == name && set && set->text().size() > scopes.size() && parts &&
                   parts->id == CredentialId::from_bits(77) && !bad;
        }};
    });
    try_case(report, "domain: a token is made", [&report] {
        const auto made = std::make_shared<Secret>();
        return Case{[=] {
                        *made = make_token(TokenClass::Test, CredentialId::from_bits(5), Bytes(token_entropy_bytes, 3));
                        return true;
                    },
                    [=, &report](Ended ended) {
                        if (ended == Ended::Well && !parse_token(made->reveal_text())) report.fail("it is none");
                        if (ended != Ended::Well && !made->empty()) report.fail("half a token");
                    }};
    });
}

audit::Draft draft() {
    const Identity identity{*WorkspaceName::parse("default"),
                            *IdentityName::parse("codex-with-a-long-name"),
                            *EnvironmentName::parse("dev"),
                            MachineKind::Agent,
                            *ScopeSet::parse("card:view"),
                            "somebody@example.org",
                            {{"team", "blue"}},
                            {},
                            t0};
    return {audit::IdentityCreated{identity},
            audit::OperatorActor{},
            t0,
            audit::Mode::Setup,
            "a reason that is given",
            "",
            ""};
}

void try_audit(Report& report) {
    const auto one = std::make_shared<audit::Draft>(draft());
    const std::string bytes = audit::encode(*one, 7);
    try_case(report, "audit: entries, canonical JSON", [=] {
        return Case{[=] {
            const std::string again = audit::encode(*one, 7);
            const auto decoded = audit::decode(again);
            return again == bytes && decoded && decoded->seq == 7 && audit::canonical(decoded->body) == bytes;
        }};
    });
    try_case(report, "audit: the tree", [=, &report] {
        const auto frontier = std::make_shared<audit::Frontier>();
        for (int i = 0; i < 7; ++i) frontier->append(audit::leaf_hash(Bytes(1, static_cast<std::uint8_t>(i))));
        const audit::Frontier before = *frontier;
        const auto leaf = audit::leaf_hash(bytes_of(bytes));
        return Case{[=] {
                        frontier->append(leaf);
                        const std::vector<audit::Digest> leaves(8, leaf);
                        const auto proof = audit::inclusion_proof(3, leaves);
                        const auto read = audit::Frontier::parse(8, frontier->bytes());
                        return audit::is_included(leaf, 3, 8, proof, audit::root_of(leaves)) && read &&
                               read->root() == frontier->root();
                    },
                    [=, &report](Ended) {
                        audit::Frontier after = before;
                        after.append(leaf);
                        if (*frontier != before && *frontier != after) report.fail("half a leaf is in it");
                    }};
    });
    const auto key = std::make_shared<crypto::SigningKey>(
        authority::checkpoint_key(Secret::copy_of(Bytes(authority::root_key_bytes, 5))));
    try_case(report, "audit: notes and checkpoints", [=] {
        return Case{[=] {
            const audit::Checkpoint checkpoint{"marque/origin", 7, audit::leaf_hash(bytes_of(bytes))};
            const std::string note = audit::sign_note(checkpoint.text(), checkpoint.origin, *key);
            const auto opened = audit::open_note(note, {checkpoint.origin, key->public_key()});
            const auto read = opened ? audit::Checkpoint::parse(*opened) : Result<audit::Checkpoint>(opened.error());
            return read && *read == checkpoint;
        }};
    });
}

// --- whoever verifies

struct Holder {
    IdentityName name;
    CredentialId id;
    std::string token;
};

const WorkspaceName workspace = *WorkspaceName::parse("default");
const EnvironmentName dev = *EnvironmentName::parse("dev");

Holder holder(const std::string& name, std::uint64_t bits) {
    const auto id = CredentialId::from_bits(bits);
    return {*IdentityName::parse(name), id,
            std::string(make_token(TokenClass::Test, id, Bytes(token_entropy_bytes, 5)).reveal_text())};
}

Credential credential_of(const Holder& one) {
    return {one.id,
            workspace,
            one.name,
            verify::hash_token(key(1), one.token),
            *ScopeSet::parse("a:b"),
            CredentialStanding::Active,
            t0,
            {},
            {},
            {},
            {}};
}

Identity identity_of(const Holder& one) {
    return {workspace, one.name, dev, MachineKind::Agent, *ScopeSet::parse("a:b,resource-of-a-long-name:read"), "",
            {},        {},       t0};
}

// A store in memory with identities whose names are too long to lie in the strings themselves.
class Scene {
 public:
    Scene() {
        std::vector<audit::Event> events{audit::InstallationCreated{{"zj1ag1skkg2n4mac8rsbvkm3y4", t0, {}}},
                                         audit::WorkspaceAdded{{workspace, {}, t0}},
                                         audit::EnvironmentAdded{{workspace, dev, Protection::Open, {}, {}, t0}}};
        for (const Holder* one : {&stays, &goes}) {
            events.emplace_back(audit::IdentityCreated{identity_of(*one)});
            events.emplace_back(audit::CredentialIssued{credential_of(*one)});
        }
        commit(events);
    }
    void commit(const std::vector<audit::Event>& events) {
        CHECK(store.change([&](const store::Reader&) -> Result<std::vector<audit::Draft>> {
            std::vector<audit::Draft> drafts;
            for (const audit::Event& event : events)
                drafts.push_back({event, audit::OperatorActor{}, clock.now(), audit::Mode::Setup, "", "", ""});
            return drafts;
        }));
    }
    // Accepts, or why not.
    static std::string verdict(verify::Verifier& of, const Holder& one) {
        const auto session = of.session();
        if (!session) return "none";
        verify::TokenHasher hasher(key(1));
        const auto verdict = session->index().verify(hasher, one.token, {}, t0);
        return session->may_answer() ? domain::name_of(verdict.reason) : "none";
    }

    bool is_away = false;
    MovingClock clock;
    store::memory::MemoryStore store{key(9)};
    MemoryVerifiers verifiers{store, clock};
    const Holder stays = holder("an-identity-that-stays-as-it-is", 1), goes = holder("an-identity-that-is-stopped", 2);
};

// What every verifier has of a store: none of its own.
class Shared final : public store::ForwardingStore {
 public:
    // `is_away`: it can't be read, though it can be opened and marked.
    Shared(store::Store& inner, const bool& is_away) : ForwardingStore(inner), is_away_(is_away) {}
    Result<void> read(const std::function<Result<void>(const store::Reader&)>& view) override {
        if (is_away_) return Error(Code::Unavailable, "the store is away, and this is said in many words");
        return inner_.read(view);
    }

 private:
    const bool& is_away_;
};

std::shared_ptr<verify::Verifier> make_verifier(const std::shared_ptr<Scene>& scene, store::Freshness mode) {
    return std::make_shared<verify::Verifier>(
        [scene, mode]() -> Result<std::unique_ptr<store::Store>> {
            if (mode == store::Freshness::Strict) return std::make_unique<Shared>(scene->store, scene->is_away);
            return std::make_unique<LeasedStore>(scene->store, scene->verifiers);
        },
        key(9), scene->clock, [](const verify::Notice&) {}, store::VerifierTerms{"web", mode, 5s});
}

// Paused with the workspace, then by itself, then no longer with the workspace: at no moment may it be accepted.
void pause_in_turns(Scene& scene) {
    scene.commit({audit::Paused{IdentityRef{workspace, scene.goes.name}, "active", {}}});
    scene.commit({audit::Resumed{WorkspaceRef{workspace}, "paused"}});
}

void try_verifiers(Report& report) {
    try_case(report, "verify: the index takes rows", [&report] {
        const auto index = std::make_shared<verify::Index>();
        const auto scene = std::make_shared<Scene>();
        const auto put_all = [=] {
            index->put(Workspace{workspace, {}, t0});
            if (!index->put(Environment{workspace, dev, Protection::Open, {}, {}, t0})) return false;
            Identity paused = identity_of(scene->goes);
            paused.condition = {Standing::Paused, t0 + 1h};
            return verify::put_identity(*index, identity_of(scene->stays)).has_value() &&
                   verify::put_identity(*index, paused).has_value() &&
                   verify::put_credential(*index, credential_of(scene->stays)).has_value() &&
                   verify::put_credential(*index, credential_of(scene->goes)).has_value();
        };
        const auto judge = [=](const Holder& one) {
            verify::TokenHasher hasher(key(1));
            return index->verify(hasher, one.token, {}, t0).reason;
        };
        return Case{put_all, [=, &report](Ended) {
                        if (judge(scene->goes) == Reason::Accepted) report.fail("who is paused is accepted");
                        if (!put_all() || judge(scene->stays) != Reason::Accepted ||
                            judge(scene->goes) != Reason::IdentityPaused)
                            report.fail("put again, the rows are not those");
                    }};
    });

    report.begin(group, "verify: a verdict allocates nothing");
    {
        const auto scene = std::make_shared<Scene>();
        const auto verifier = make_verifier(scene, store::Freshness::Strict);
        const auto session = verifier->session();
        verify::TokenHasher hasher(key(1));
        for (const std::string& token : {scene->stays.token, scene->goes.token + "x", holder("nobody", 9).token}) {
            FailingMemory::begin(1, Scarcity::ForGood);
            (void)session->index().verify(hasher, token, {}, t0);
            if (FailingMemory::end() != 0) report.fail("it does");
            report.survived();
        }
    }

    for (const store::Freshness mode : {store::Freshness::Strict, store::Freshness::Lease}) {
        const bool is_leased = mode == store::Freshness::Lease;
        const std::string how = is_leased ? "a verifier with a lease" : "a verifier that asks each time";
        const auto turn = [=](verify::Verifier& verifier) {
            return is_leased ? verifier.keep().has_value() : verifier.session().has_value();
        };
        const auto times = std::make_shared<int>(0);
        // Whatever state it is in, it refuses or is right; and in the end it works.
        const auto check = [=, &report](const std::shared_ptr<Scene>& scene,
                                        const std::shared_ptr<verify::Verifier>& verifier, Ended ended) {
            if (Scene::verdict(*verifier, scene->goes) == "accepted")
                report.fail(ended == Ended::InException ? "who is stopped is accepted, after an exception"
                                                        : "who is stopped is accepted");
            // A tenth of a second has to pass before it tries again: so not each time.
            constexpr int patience = 8;
            if (ended != Ended::Well && ++*times % patience != 0) return;
            for (int tries = 0; tries < 20 && Scene::verdict(*verifier, scene->stays) != "accepted"; ++tries) {
                verifier->rest(10ms);  // it tries again after a while
                scene->clock.pass(2s);
                (void)turn(*verifier);
            }
            if (Scene::verdict(*verifier, scene->stays) != "accepted")
                report.fail("it does not come back: " + verifier->status().why_not);
            if (Scene::verdict(*verifier, scene->goes) == "accepted")
                report.fail("come back, it accepts who is stopped");
        };
        try_case(report, "verify: " + how + ", at its beginning", [=] {
            const auto scene = std::make_shared<Scene>();
            scene->commit({audit::Revoked{CredentialRef{workspace, scene->goes.name, scene->goes.id}, "active"}});
            const auto verifier = make_verifier(scene, mode);
            return Case{[=] { return turn(*verifier); }, [=](Ended ended) { check(scene, verifier, ended); }};
        });
        try_case(report, "verify: " + how + ", catching up with a revocation", [=] {
            const auto scene = std::make_shared<Scene>();
            const auto verifier = make_verifier(scene, mode);
            CHECK(turn(*verifier));
            scene->commit({audit::Revoked{CredentialRef{workspace, scene->goes.name, scene->goes.id}, "active"}});
            scene->clock.pass(2s);
            return Case{[=] { return turn(*verifier); },
                        [=](Ended ended) {
                            // With a lease the old answer stands until it ends: then this is not yet a verdict on it.
                            if (is_leased) scene->clock.pass(ended == Ended::Well ? 0s : 5s);
                            check(scene, verifier, ended);
                        }};
        });
        if (!is_leased)
            try_case(report, "verify: " + how + ", which can't catch up", [=] {
                const auto scene = std::make_shared<Scene>();
                const auto verifier = make_verifier(scene, mode);
                CHECK(turn(*verifier));
                scene->commit({audit::Revoked{CredentialRef{workspace, scene->goes.name, scene->goes.id}, "active"}});
                scene->is_away = true;
                return Case{[=] { return !turn(*verifier); },
                            [=](Ended ended) {
                                scene->is_away = false;
                                check(scene, verifier, ended);
                            }};
            });
        try_case(report, "verify: " + how + ", catching up with a pause that moved", [=] {
            const auto scene = std::make_shared<Scene>();
            scene->commit({audit::Paused{WorkspaceRef{workspace}, "active", {}}});
            const auto verifier = make_verifier(scene, mode);
            CHECK(turn(*verifier));
            pause_in_turns(*scene);
            scene->clock.pass(2s);
            return Case{[=] { return turn(*verifier); }, [=](Ended ended) { check(scene, verifier, ended); }};
        });
    }
}

// --- the authority

class Delivery final : public authority::Delivery {
 public:
    Result<void> prepare(std::span<const IdentityName>) override { return {}; }
    Result<void> deliver(std::span<const authority::IssuedToken> tokens) override {
        for (const auto& one : tokens) delivered.emplace_back(one.token.reveal_text());
        return {};
    }
    std::vector<std::string> delivered;
};

// An installation made once, and put back for each n.
class Office {
 public:
    Office() {
        CHECK(installation.run({"init", "--operator", "ops", "--confirm"}).code == 0);
        const auto made = installation.run({"create", "alice", "--scope", "card:view", "--confirm"});
        CHECK(made.code == 0);
        token = made.words.substr(made.words.find("mrq_"), token_length);
        rows_ = installation.store.rows;
    }
    void put_back() {
        installation.store.rows = rows_;
        folder.empty();
    }
    std::size_t log_size_before() const { return rows_.entries.size(); }
    // Returns true if the last change revoked a credential whose token could not be delivered.
    bool took_back() const { return installation.store.rows.entries.back().bytes.contains("credential.deliver"); }
    std::unique_ptr<authority::Authority> authority() {
        audit::Process process;
        process.uid = 1000;
        return std::make_unique<authority::Authority>(installation.store, installation.set_clock, installation.random(),
                                                      installation.root_key(), installation.signatures, process);
    }
    void check_log(Report& report) {
        const auto looked = installation.store.read([&](const store::Reader& reader) -> Result<void> {
            const auto log =
                TRY(authority::verify_log(reader, installation.root_key(), std::nullopt, [](auto, auto) {}));
            if (!log.is_sound()) report.fail("the log is not sound: " + log.findings.front().what);
            for (const std::string& what : TRY(differences(reader))) report.fail(what);
            return {};
        });
        if (!looked) report.fail(looked.error().message);
    }
    // Nobody can use what was not delivered; what was works, or does after one command.
    void check_tokens(Report& report, const std::vector<std::string>& delivered) {
        for (const auto& [id, credential] : installation.store.rows.credentials) {
            const auto is_its = [&](const std::string& one) { return one.substr(9, 12) == id.text(); };
            const bool is_known = is_its(token) || std::ranges::any_of(delivered, is_its);
            if (!is_known && credential.stored == CredentialStanding::Active)
                report.fail("in force, and never delivered");
        }
        for (const std::string& one : delivered) {
            if (installation.accepts(one)) continue;
            installation.run({"activate", "--token-stdin", "--confirm"}, one);
            if (!installation.accepts(one)) report.fail("delivered, and it can't be activated");
        }
    }

    Folder folder;
    Installation installation{folder};
    std::string token;

 private:
    store::memory::Rows rows_;
};

void try_authority(Report& report) {
    const auto office = std::make_shared<Office>();
    const authority::Order order{
        {}, authority::Confirmation::parse("").release(), "because", {}, authority::Awaiting::Yes};
    using Act = std::function<Result<authority::Done>(authority::Authority&, authority::Delivery&)>;
    const auto try_act = [&](const char* name, const Act& act, const std::function<bool()>& is_done) {
        try_case(report, name, [=, &report] {
            office->put_back();
            const std::shared_ptr<authority::Authority> authority = office->authority();
            const auto delivery = std::make_shared<Delivery>();
            return Case{[=] { return act(*authority, *delivery).has_value(); },
                        [=, &report](Ended ended) {
                            if (ended == Ended::Well && !is_done()) report.fail("it says that it is done");
                            office->check_log(report);
                            office->check_tokens(report, delivery->delivered);
                        }};
        });
    };
    const auto alice_works = [=] { return office->installation.accepts(office->token); };
    try_act(
        "authority: create",
        [=](authority::Authority& ops, authority::Delivery& delivery) {
            const authority::CreateRequest requests[] = {{*IdentityName::parse("new"),
                                                          *EnvironmentName::parse("dev"),
                                                          MachineKind::Agent,
                                                          *ScopeSet::parse("card:view"),
                                                          {},
                                                          "",
                                                          {}}};
            return ops.create(requests, order, delivery);
        },
        alice_works);
    try_act(
        "authority: rotate --compromised",
        [=](authority::Authority& ops, authority::Delivery& delivery) {
            return ops.rotate({"alice", OldCredential::IsRevoked, {}, {}}, order, delivery);
        },
        [=] { return !alice_works(); });
    try_act(
        "authority: revoke",
        [=](authority::Authority& ops, authority::Delivery&) {
            return ops.revoke(authority::ByNameOrId{"alice"}, order);
        },
        [=] { return !alice_works(); });
}

// As a whole command: what its exit code says is true, and it ends by itself. From where it asks for the key: CLI11,
// which reads its words, ends the process when it has no memory, and nothing is opened by then.
void try_command_line(Report& report) {
    const auto office = std::make_shared<Office>();
    const auto try_words = [&](const std::vector<const char*>& words) {
        try_case(report, fmt::format("command line: {}", words[1]), [=, &report] {
            office->put_back();
            const auto ran = std::make_shared<int>(-1);
            return Case{[=] {
                            FailingMemory::suspend();
                            office->installation.when_asked_for_key = FailingMemory::resume;
                            *ran = office->installation.run_bare(words);
                            office->installation.when_asked_for_key = nullptr;
                            return *ran == 0;
                        },
                        [=, &report](Ended ended) {
                            office->check_log(report);
                            const bool has_grown =
                                office->installation.store.rows.entries.size() != office->log_size_before();
                            if (ended == Ended::InException) report.fail("an exception got out");
                            if (*ran == 8 && has_grown && !office->took_back())
                                report.fail("it says that nothing changed, and the log grew");
                            if (*ran == 0 && !has_grown) report.fail("it says that it is done, and it is not");
                        }};
        });
    };
    const std::string path = office->folder.path("new");
    try_words({"marque", "revoke", "alice", "--reason", "because", "--confirm"});
    try_words({"marque", "create", "new", "--scope", "card:view", "--confirm", "--token-file", path.c_str()});
}

}  // namespace

void fail_allocations(Report& report) {
    try_domain(report);
    try_audit(report);
    try_verifiers(report);
    try_authority(report);
    try_command_line(report);
}

}  // namespace marque::faults
