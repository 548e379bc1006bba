#include "test/reference/life.h"

#include <boost/unordered/unordered_flat_map.hpp>
#include <fmt/format.h>

#include "authority/runtime.h"
#include "domain/token.h"
#include "test/reference/ideas.h"
#include "verify/uses.h"

namespace marque::reference {

using namespace domain;

namespace {

constexpr std::array kind_names{"create",
                                "issue",
                                "rotate",
                                "activate",
                                "pause",
                                "resume",
                                "revoke",
                                "workspace add",
                                "workspace remove",
                                "environment add",
                                "environment remove",
                                "environment protect",
                                "environment unprotect",
                                "operator add",
                                "operator remove",
                                "operator grant",
                                "operator withdraw",
                                "owner add",
                                "owner remove",
                                "owner policy",
                                "approval sign",
                                "approval deny",
                                "approval withdraw"};
constexpr std::array exit_names{
    "done",      "already so", "shown", "asked", "invalid", "refused by state", "permission denied", "approval needed",
    "not found", "undelivered"};

bool makes_tokens(const Command& command) {
    using enum Command::Kind;
    return command.kind == Create || command.kind == Issue || command.kind == Rotate;
}

std::string text_of(const Names& names) {
    return fmt::format("{}", fmt::join(names, ","));
}

std::string text_of(const Command& c) {
    std::string text = fmt::format("uid {} {}", c.uid, name_of(c.kind));
    const auto add = [&](const char* what, const std::string& value) {
        if (!value.empty()) text += fmt::format(" {}={}", what, value);
    };
    const auto end = [](const End& e) -> std::string {
        constexpr std::array kinds{"", "never", "after", "at"};
        return e.kind == End::Kind::Unsaid ? ""
                                           : fmt::format("{}:{}", kinds[static_cast<std::size_t>(e.kind)], e.value);
    };
    constexpr std::array targets{"", "token", "environment", "workspace", "filter"};
    constexpr std::array confirms{"not confirmed", "dry", "", "count", "digest"};
    add("in", c.workspace);
    add("name", c.name);
    add("target", targets[static_cast<std::size_t>(c.target)]);
    for (const NewIdentity& one : c.identities)
        add("new",
            fmt::format("{}/{}/{}/{}/{}", one.name, one.environment, one.kind, text_of(one.scopes), end(one.expires)));
    for (const auto& [key, value] : c.filter) add(key.c_str(), value);
    if (c.scopes) add("scopes", text_of(*c.scopes));
    add("expires", end(c.expires));
    add("until", end(c.until));
    if (c.kind == Command::Kind::Rotate) add("mode", c.mode);
    if (c.overlap) add("overlap", std::to_string(*c.overlap));
    for (const auto& [workspace, permission] : c.grants) add("grant", workspace + ":" + permission);
    if (c.kind == Command::Kind::OperatorAdd) add("as", std::to_string(c.new_uid));
    if (c.kind == Command::Kind::OwnerAdd) add("holder", c.holder);
    if (c.kind == Command::Kind::Policy && c.quorum) add("quorum", std::to_string(*c.quorum));
    if (c.kind == Command::Kind::Policy && c.sole_owner) add("sole", *c.sole_owner ? "yes" : "no");
    add("signer", c.signer);
    if (c.signed_request != c.name) add("over", c.signed_request);
    add("reason", c.reason);
    add("approval", c.approval);
    add("confirm", confirms[static_cast<std::size_t>(c.confirm)]);
    return text;
}

struct Difference {
    std::string what;
};

class Life {
 public:
    Life(std::uint64_t seed, Backend backend, std::string* trace)
        : chance_(seed), trace_(trace), installation_(backend, seed), model_(begin()) {}

    Lived run(std::size_t steps) {
        Lived lived;
        try {
            for (step_ = 1; step_ <= steps; ++step_) step();
            compare_listings();
            if (const auto wrong = installation_.check_log()) throw Difference{"the log does not verify: " + *wrong};
        } catch (const Difference& difference) {
            lived.violation = fmt::format("step {}: {}\n  {}", step_, doing_, difference.what);
        }
        tally_.lives = 1;
        tally_.steps = std::min(step_, steps);
        lived.tally = tally_;
        lived.hash = hash_;
        return lived;
    }

 private:
    // Between the two commits: the token is out, or not, and the world goes on meanwhile.
    class Courier final : public authority::Delivery {
     public:
        Courier(Life& life, const Command& command, bool is_alone)
            : life_(life), command_(command), is_alone_(is_alone) {}
        Result<void> prepare(std::span<const IdentityName>) override { return {}; }
        Result<void> deliver(std::span<const authority::IssuedToken> tokens) override {
            for (const auto& token : tokens) made.push_back(token.credential.id.string());
            expected = life_.model_.run(command_, life_.now(), made);
            const auto fault = std::exchange(life_.installation_.faults.kind, Faults::Kind::None);
            if (!is_alone_ && life_.chance_.one_in(6)) life_.meanwhile(command_, made.front());
            if (life_.chance_.one_in(16)) life_.move_clock();
            life_.installation_.faults.kind = fault;
            if (life_.chance_.one_in(12)) {
                life_.count_accident("delivery failed");
                is_delivered = false;
                return Error(Code::Unavailable, "the disk is full");
            }
            for (const auto& token : tokens)
                life_.held_.push_back({token.credential.id.string(), std::string(token.token.reveal_text())});
            if (life_.chance_.one_in(12)) {
                life_.count_accident("died between delivery and activation");
                throw Death{};
            }
            return {};
        }
        std::optional<Answer> expected;
        std::vector<std::string> made;
        bool is_delivered = true;

     private:
        Life& life_;
        const Command& command_;
        bool is_alone_;
    };

    Model begin() {
        std::map<std::string, std::string> owners;
        if (!chance_.one_in(4)) owners["SHA256:a"] = chance_.one_in(2) ? "root" : "";
        if (chance_.one_in(3)) owners["SHA256:b"] = "";
        const bool is_sole = chance_.one_in(3);
        doing_ = "init";
        const Outcome outcome = installation_.init("root", Ideas::first_uid, owners, is_sole);
        if (outcome.exit != Exit::Done) std::abort();
        return Model("root", Ideas::first_uid, owners, is_sole);
    }

    Time now() const { return installation_.clock.at; }

    void say(const std::string& what) {
        for (const char c : what) hash_ = (hash_ ^ static_cast<unsigned char>(c)) * 0x100000001B3;
        if (trace_ != nullptr) *trace_ += fmt::format("{:>6} {}\n", step_, what);
    }
    void count_accident(const std::string& what) {
        ++tally_.accidents[what];
        if (trace_ != nullptr) say(what);
    }

    void step() {
        if (!chance_.one_in(4)) installation_.clock.at += static_cast<Time>(chance_.below(20 * second));
        if (chance_.one_in(25)) move_clock();
        switch (chance_.below(400)) {
            case 0:
                return crash("process restarted");
            case 1:
                doing_ = "restart of the verifier";
                count_accident("verifier restarted");
                installation_.restart_verifier();
                return forget_uses();
            case 2:
                return compare_listings();
            case 3:
            case 4:
            case 5:
            case 6:
                return write_uses();
            case 7:
                return renew_a_key();
            default:
                break;
        }
        if (chance_.one_in(2)) return verify();
        act(ideas_.next(now()), false);
    }

    void move_clock() {
        Time& at = installation_.clock.at;
        const std::vector<Time> moments = model_.moments();
        const Time before = at;
        switch (chance_.below(8)) {
            case 0:
                at += static_cast<Time>(chance_.below(24)) * hour;
                break;
            case 1:
                at += static_cast<Time>(chance_.below(40)) * day;
                break;
            case 2:
                at -= static_cast<Time>(chance_.below(24)) * hour;
                break;
            case 3:
                at -= static_cast<Time>(chance_.below(10)) * day;
                break;
            default:
                // To the very moment at which something changes by itself, and a microsecond beside it.
                if (!moments.empty()) at = chance_.one_of(moments) - 1 + static_cast<Time>(chance_.below(3));
        }
        if (at < 1'700'000'000 * second || at > 2'400'000'000 * second) at = before;
        count_accident(at < before ? "clock set back" : "clock jumped forward");
    }

    void forget_uses() {
        uses_ = {};
        noted_.clear();
    }

    void crash(const std::string& how) {
        count_accident(how);
        // Another's process goes on: it is in the middle of something.
        if (is_meanwhile_) return compare_listings();
        forget_uses();
        installation_.restart_process();
        compare_listings();
    }

    // Another operator, while a token is on its way.
    void meanwhile(const Command& command, const std::string& credential) {
        const std::string before = doing_;
        count_accident("change while a token was on its way");
        is_meanwhile_ = true;
        switch (chance_.below(4)) {
            case 0:
                act(ideas_.against(command), true);
                break;
            case 1:
                protect_home_of(credential);
                break;
            default:
                act(ideas_.next(now()), true);
        }
        is_meanwhile_ = false;
        doing_ = before;
    }

    // With everybody's signature, and so at once.
    void protect_home_of(const std::string& credential) {
        const Model::Credential& one = model_.credentials.at(credential);
        Command protect;
        protect.kind = Command::Kind::Protect;
        protect.uid = ideas_.a_uid();
        protect.workspace = one.workspace;
        protect.name = model_.identities.at({one.workspace, one.identity}).environment;
        act_with_all_signatures(protect);
    }

    void act_with_all_signatures(Command command) {
        const std::size_t asked = asked_.size();
        act(command, is_meanwhile_);
        if (asked_.size() == asked) return;
        command.approval = asked_.back().id;
        const auto owners = model_.owners;
        for (const auto& [key, owner] : owners) {
            Command sign;
            sign.kind = Command::Kind::Sign;
            sign.uid = command.uid;
            sign.name = sign.signed_request = command.approval;
            sign.signer = key;
            act(sign, is_meanwhile_);
        }
        act(command, is_meanwhile_);
    }

    // A key that goes and comes back; what it signed before counts no more.
    void renew_a_key() {
        Command command;
        command.kind = Command::Kind::OwnerRemove;
        command.uid = ideas_.a_uid();
        command.name = "SHA256:" + std::string(1, static_cast<char>('a' + chance_.below(4)));
        act_with_all_signatures(command);
        command.kind = Command::Kind::OwnerAdd;
        if (model_.owners.empty() && chance_.one_in(2)) command.confirm = Command::Confirm::None;
        act_with_all_signatures(command);
    }

    void arm(bool is_nested) {
        Faults& faults = installation_.faults;
        faults.kind = Faults::Kind::None;
        faults.has_struck = false;
        faults.commits = 0;
        if (is_nested || !chance_.one_in(30)) return;
        faults.kind = chance_.one_in(2) ? Faults::Kind::Dies : Faults::Kind::Fails;
        faults.is_at_a_commit = chance_.one_in(2);
        faults.calls_left = chance_.below(faults.is_at_a_commit ? 4 : 24);
    }

    const Asked* request_of(const std::string& id) const {
        for (const Asked& one : asked_)
            if (one.id == id) return &one;
        return nullptr;
    }

    void act(const Command& command, bool is_nested) {
        doing_ = text_of(command);
        const std::string doing = doing_;
        if (trace_ != nullptr) say(doing_);
        Courier courier(*this, command, is_nested);
        Faults& faults = installation_.faults;
        const Faults outer = faults;
        arm(is_nested);
        std::string token = "mrq_test_", text = "";
        for (const Held& one : held_)
            if (one.credential == command.name) token = one.text;
        if (const Asked* request = request_of(command.signed_request)) text = request->text;
        std::optional<Outcome> outcome;
        try {
            outcome = installation_.run(command, courier, token, text);
        } catch (const Death&) {
        }
        doing_ = doing;
        const Faults after = std::exchange(faults, outer);
        faults.kind = is_nested ? outer.kind : Faults::Kind::None;
        judge(command, courier, outcome, after);
    }

    void judge(const Command& command, Courier& courier, const std::optional<Outcome>& outcome, const Faults& faults) {
        const bool was_cut = !outcome || faults.has_struck;
        if (was_cut && !courier.expected && faults.commits == 0) {
            // Nothing has happened. What was refused may have been refused all the same.
            if (!outcome) return crash("died before the commit");
            count_accident("store failed before the commit");
            if (!outcome->exit) return compare_listings();
            Model as_if = model_;
            return require_same(as_if.run(command, now(), {}).exit, *outcome, command);
        }
        Answer expected;
        if (courier.expected) {
            expected = *courier.expected;
        } else {
            std::vector<std::string> made = find_made(command, outcome);
            expected = model_.run(command, now(), made);
            if (expected.exit == Exit::Done && makes_tokens(command)) courier.made = made;
        }
        if (expected.exit == Exit::Done && makes_tokens(command)) {
            if (!was_cut || faults.commits > 1)
                expected.exit = model_.finish(command.uid, courier.made, courier.is_delivered, now());
            else if (outcome)
                expected.exit = Exit::Undelivered;
        }
        if (!outcome) return crash(faults.has_struck ? "died at a call of the store" : "died in the delivery");
        if (was_cut) {
            count_accident(outcome->exit ? "store failed on the way" : "store failed, and was said to");
            if (outcome->code == Code::Unavailable && faults.commits > 0)
                throw Difference{"nothing changed, it says, and something did"};
            return compare_listings();
        }
        require_same(expected.exit, *outcome, command);
        if (expected.exit == Exit::Asked && expected.is_request_new != outcome->is_request_new)
            throw Difference{
                fmt::format("a request that is {}, expected the opposite", outcome->is_request_new ? "new" : "known")};
        compare_plans(command, expected, *outcome);
    }

    void require_same(Exit expected, const Outcome& outcome, const Command& command) {
        const std::string got =
            outcome.exit ? name_of(*outcome.exit) : "code " + std::to_string(static_cast<int>(outcome.code));
        ++tally_.changes[name_of(command.kind) + ": " + name_of(expected)];
        say("  " + got + " " + outcome.words);
        if (outcome.exit != expected)
            throw Difference{fmt::format("expected {}\n  got      {} {}", name_of(expected), got, outcome.words)};
    }

    // One name, one digest.
    void compare_plans(const Command& command, const Answer& expected, const Outcome& outcome) {
        if (expected.plan.empty() || outcome.digest.empty()) return;
        const auto [digest, is_new_name] = digests_.try_emplace(expected.plan, outcome.digest);
        const auto [plan, is_new_digest] = plans_.try_emplace(outcome.digest, expected.plan);
        if (digest->second != outcome.digest)
            throw Difference{"expected the digest that this plan had before\n  got      another\n" + expected.plan};
        if (plan->second != expected.plan)
            throw Difference{
                fmt::format("expected another digest than this plan had\n{}  now\n{}", plan->second, expected.plan)};
        if (expected.exit == Exit::Shown) ideas_.remember(command, outcome.digest, expected.plan);
        if (expected.exit == Exit::Asked && outcome.approval && request_of(outcome.approval->id.string()) == nullptr)
            asked_.push_back({outcome.approval->id.string(), command, outcome.approval->text});
    }

    // The ids that an operation drew which could not tell them.
    std::vector<std::string> find_made(const Command& command, const std::optional<Outcome>& outcome) {
        if (outcome && outcome->approval) return {outcome->approval->id.string()};
        std::vector<std::string> made;
        if (outcome && outcome->exit && outcome->exit != Exit::Done) return made;
        std::map<std::string, std::string> credentials;  // by identity
        (void)installation_.disk().read([&](const store::Reader& reader) -> Result<void> {
            store::Visitor visitor = store::nothing_to_visit();
            visitor.credential = [&](const store::CredentialFacts& facts) -> Result<void> {
                if (!model_.credentials.contains(facts.id.string()))
                    credentials[std::string(facts.identity)] = facts.id.string();
                return {};
            };
            TRY(reader.visit_all(visitor));
            for (const Approval& one : TRY(reader.approvals(std::nullopt, 1'000'000, store::Listing::Complete)))
                if (!model_.requests.contains(one.id.string()) && credentials.empty()) made = {one.id.string()};
            return {};
        });
        for (const NewIdentity& one : command.identities)
            if (credentials.contains(one.name)) made.push_back(credentials.at(one.name));
        if (command.identities.empty() && !credentials.empty()) made = {credentials.begin()->second};
        return made;
    }

    void verify() {
        std::string id, text, kind = "right";
        bool is_right = true;
        const auto craft = [&](TokenClass token_class, const CredentialId& of) {
            std::array<std::uint8_t, token_entropy_bytes> entropy{};
            (void)chance_.fill(entropy);
            return std::string(make_token(token_class, of, entropy).reveal_text());
        };
        if (!held_.empty()) {
            // Mostly what came lately.
            const std::size_t recent = chance_.one_in(3) ? held_.size() : std::min<std::size_t>(held_.size(), 8);
            const Held& one = held_[held_.size() - 1 - chance_.below(recent)];
            id = one.credential;
            text = one.text;
        }
        switch (held_.empty() ? 1 : chance_.below(16)) {
            case 0:
                kind = "mutated";
                text[chance_.below(text.size())] ^= static_cast<char>(1 + chance_.below(127));
                break;
            case 1:
                kind = "unknown";
                id = "0123456789ab";
                text = craft(TokenClass::Test, *CredentialId::read(id));
                break;
            case 2:
                kind = "of another secret";
                is_right = false;
                text =
                    craft(text.starts_with("mrq_live") ? TokenClass::Live : TokenClass::Test, *CredentialId::read(id));
                break;
            case 3:
                kind = "cut";
                text.resize(chance_.below(text.size()));
                break;
            default:
                break;
        }
        Demand demand;
        if (chance_.one_in(3)) demand.scope = *Scope::parse(ideas_.a_scope());
        const std::string wanted = demand.scope ? demand.scope->text() : "";
        const bool is_malformed = kind == "mutated" || kind == "cut";
        const Verdict expected =
            is_malformed ? Verdict{"malformed", "", "", "", {}} : model_.verify(id, is_right, wanted, now());
        const std::uint32_t uid =
            Ideas::first_uid + static_cast<std::uint32_t>(chance_.one_in(2) ? 0 : chance_.below(12));
        doing_ = fmt::format("verify the {} token of {}, demand '{}', uid {}", kind, id, wanted, uid);
        if (trace_ != nullptr) say(doing_);
        ++tally_.verdicts[expected.reason];
        ask_verifier(text, demand, expected);
        ask_authority(text, demand, expected, uid, is_malformed ? "" : id);
    }

    static std::string words_of(const Verdict& verdict) {
        return fmt::format("{} {} {} {} {}", verdict.reason, verdict.workspace, verdict.environment, verdict.identity,
                           text_of(verdict.scopes));
    }
    void require_same(const char* who, const Verdict& expected, const Verdict& got) {
        if (trace_ != nullptr) say(fmt::format("  {}: {}", who, words_of(got)));
        hash_ = (hash_ ^ std::hash<std::string>()(got.reason)) * 0x100000001B3;
        if (words_of(expected) != words_of(got))
            throw Difference{fmt::format("expected {}\n  got      {} from {}", words_of(expected), words_of(got), who)};
    }

    void ask_verifier(const std::string& text, const Demand& demand, const Verdict& expected) {
        arm(!chance_.one_in(4));
        installation_.faults.is_at_a_commit = false;
        installation_.faults.calls_left %= 5;
        try {
            const auto session = installation_.verifier_session();
            installation_.faults.kind = Faults::Kind::None;
            if (!session) {
                if (!installation_.faults.has_struck) throw Difference{"no session: " + session.error().message};
                count_accident("verifier could not read");
                installation_.restart_verifier();
                return forget_uses();
            }
            const verify::Index& index = session->index();
            const auto verdict = index.verify(installation_.hasher(), text, demand, installation_.clock.now());
            Verdict got{domain::name_of(verdict.reason), "", "", "", {}};
            if (verdict.line) {
                const verify::Holder holder = index.holder(*verdict.line);
                got.workspace = holder.workspace;
                got.environment = holder.environment;
                got.identity = holder.identity;
                for (const Scope& scope : holder.scopes.scopes()) got.scopes.insert(scope.text());
                uses_.note(holder, verdict.reason, installation_.clock.now(), verify::AddressText("10.0.0.1"));
                if (verdict.is_accepted()) {
                    auto& [count, at] = noted_[holder.credential.string()];
                    ++count;
                    at = std::max(at, now());
                }
            }
            require_same("the verifier", expected, got);
        } catch (const Death&) {
            installation_.faults.kind = Faults::Kind::None;
            count_accident("verifier died while it read");
            installation_.restart_verifier();
            forget_uses();
        }
    }

    void ask_authority(const std::string& text, const Demand& demand, const Verdict& expected, std::uint32_t uid,
                       const std::string& id) {
        authority::Authority& who = installation_.as(uid);
        const auto answer = who.verify(text, demand);
        if (!answer) throw Difference{"no answer: " + answer.error().message};
        Verdict got{domain::name_of(answer->verdict.reason), "", "", "", {}};
        if (const auto& whose = answer->verdict.whose) {
            got.workspace = whose->workspace.name.text();
            got.environment = whose->environment.name.text();
            got.identity = whose->identity.name.text();
            const ScopeSet in_force = scopes_in_force(whose->identity, whose->credential);
            for (const Scope& scope : in_force.scopes()) got.scopes.insert(scope.text());
        }
        require_same("marque verify", expected, got);
        if (answer->tells_why != model_.tells_why(uid, id))
            throw Difference{fmt::format("tells uid {} why: {}, expected the opposite", uid, answer->tells_why)};
        if (!chance_.one_in(4)) return;
        if (!who.record_use(answer->verdict, "command line")) throw Difference{"the use could not be recorded"};
        if (expected.reason == "accepted") model_.note_use(id, 1, now(), now());
    }

    void write_uses() {
        doing_ = "record_uses";
        count_accident("batch of uses written");
        if (const auto written =
                authority::write_uses(installation_.store(), uses_, installation_.clock.now(), "flush");
            !written)
            throw Difference{"the uses could not be written: " + written.error().message};
        for (const auto& [id, use] : noted_) model_.note_use(id, use.first, use.second, now());
        forget_uses();
    }

    void compare_listings() {
        ++tally_.comparisons;
        const auto got = installation_.listing();
        if (!got) throw Difference{"nothing can be listed: " + got.error().message};
        const std::string expected = model_.listing(now());
        if (*got == expected) return;
        std::istringstream a(expected), b(*got);
        std::string line_a, line_b;
        while (line_a == line_b && (a || b)) {
            if (!std::getline(a, line_a)) line_a = "nothing more";
            if (!std::getline(b, line_b)) line_b = "nothing more";
        }
        throw Difference{fmt::format("listed otherwise\n  expected {}\n  got      {}", line_a, line_b)};
    }

    simulation::Chance chance_;
    std::string* trace_;
    std::size_t step_ = 0;
    bool is_meanwhile_ = false;
    std::string doing_;
    std::uint64_t hash_ = 0xCBF29CE484222325;
    Tally tally_;
    Installation installation_;
    Model model_;
    std::vector<Asked> asked_;
    std::vector<Held> held_;
    Ideas ideas_{chance_, model_, asked_, held_};
    verify::Uses uses_;
    std::map<std::string, std::pair<std::uint64_t, Time>> noted_;
    std::map<std::string, std::string> digests_, plans_;
};

}  // namespace

std::string name_of(Command::Kind kind) {
    return kind_names.at(static_cast<std::size_t>(kind));
}

std::string name_of(Exit exit) {
    return exit_names.at(static_cast<std::size_t>(exit));
}

void Tally::add(const Tally& other) {
    lives += other.lives;
    steps += other.steps;
    comparisons += other.comparisons;
    for (const auto& [name, count] : other.changes) changes[name] += count;
    for (const auto& [name, count] : other.verdicts) verdicts[name] += count;
    for (const auto& [name, count] : other.accidents) accidents[name] += count;
}

Lived live(std::uint64_t seed, std::size_t steps, Backend backend, std::string* trace) {
    return Life(seed, backend, trace).run(steps);
}

}  // namespace marque::reference
