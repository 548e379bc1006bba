// Every command that changes something, with a store that fails at the first call, at the second, and so on until the
// command is done before it comes to that. Whatever it said has to be true, and the invariants hold.
#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <set>
#include <sstream>

#include "authority/log.h"
#include "base/check.h"
#include "domain/token.h"
#include "test/faults/installation.h"
#include "test/faults/replay.h"
#include "test/faults/report.h"

namespace marque::faults {
namespace {

using namespace domain;
using Words = std::vector<std::string>;

constexpr int state_refuses = 3, approval_needed = 6, not_found = 7, unavailable = 8, unknown = 9;
constexpr const char* group = "store";

// Everything a run begins with.
struct Moment {
    store::memory::Rows rows;
    bool is_made = false;
    Instant now;
};

class Bench {
 public:
    Folder folder;
    Installation installation{folder};
    // Tokens that were handed out, by the identity's name or another that the test gave: never forgotten.
    std::map<std::string, std::string> tokens;

    store::memory::Rows& rows() { return installation.store.rows; }

    // A command that has to succeed, or to end with `code`.
    void prepare(Words words, int code = 0, const std::string& input = "") {
        words.emplace_back("--confirm");
        const Ran ran = installation.run(words, input);
        if (ran.code != code) {
            fmt::print("cannot prepare, {}: {}\n", ran.code, ran.words);
            std::exit(1);
        }
    }
    std::string token_path() const { return folder.path("token"); }
    // The same for one that writes a token.
    void prepare_token(const std::string& name, Words words, int code = 0) {
        words.insert(words.end(), {"--token-file", token_path()});
        prepare(std::move(words), code);
        tokens[name] = read_file(token_path());
        std::filesystem::remove(token_path());
    }
    static std::string read_file(const std::string& path) {
        std::ifstream file(path);
        std::stringstream text;
        text << file.rdbuf();
        return text.str();
    }

    Moment moment() { return {rows(), installation.is_made, installation.set_clock.now()}; }
    void go_back_to(const Moment& moment) {
        rows() = moment.rows;
        installation.is_made = moment.is_made;
        installation.set_clock.set(moment.now);
        folder.empty();
    }

    std::string id_of(const std::string& name) const { return tokens.at(name).substr(9, 12); }
    CredentialStanding stored(const std::string& name) {
        return rows().credentials.at(*CredentialId::parse(id_of(name))).stored;
    }
    bool accepts(const std::string& name) { return tokens.contains(name) && installation.accepts(tokens.at(name)); }
    Standing standing(const char* identity) {
        return rows()
            .identities.at({*WorkspaceName::parse("default"), *IdentityName::parse(identity)})
            .condition.stored;
    }
    std::string approval() const { return approval_; }
    // Asks the owners and has their answer.
    void approve(Words words) {
        prepare(words, approval_needed);
        const auto& approvals = rows().approvals;
        const auto newest =
            std::ranges::max_element(approvals, {}, [](const auto& one) { return one.second.revision; });
        approval_ = newest->first.string();
        prepare({"approval", "sign", approval_});
    }
    void ask(Words words) {
        prepare(std::move(words), approval_needed);
        approval_ = rows().approvals.begin()->first.string();
    }

 private:
    std::string approval_;
};

enum class Gives { Nothing, Token, Tokens };

struct Operation {
    std::string name;
    std::function<void(Bench&)> prepare;
    std::function<Words(Bench&)> words;   // without --confirm
    std::function<bool(Bench&)> is_done;  // with "new" the token delivered, when it gives one
    Gives gives = Gives::Nothing;
    int code = 0;                        // when done
    std::set<int> codes_of_repeat = {};  // beside `code`
    std::string input_of = {};           // the token on standard input
    bool is_bulk = false;                // wants --confirm=2
    std::string replaces = {};           // of a rotation: whose credential
    bool keeps_old = true;               // and whether that goes on working when it is done
};

void prepare_base(Bench& bench) {
    bench.prepare({"init", "--operator", "ops"});
    bench.prepare_token("alice", {"create", "alice", "--scope", "card:view"});
    bench.prepare_token("paused", {"create", "paused", "--scope", "card:view"});
    bench.prepare({"pause", "paused", "--reason", "r"});
    bench.prepare_token("half", {"create", "half", "--scope", "card:view"});
    bench.prepare({"pause", bench.id_of("half"), "--reason", "r"});
    bench.prepare_token("gone", {"create", "gone", "--scope", "card:view"});
    bench.prepare({"revoke", "gone", "--reason", "r"});
    bench.prepare({"workspace", "add", "other"});
    bench.prepare({"operator", "add", "bob", "--user", "2000", "--permission", "view", "-w", "default"});
    bench.installation.set_clock.pass(std::chrono::minutes(1));
}

// With one owner, and so a gate that opens.
void prepare_owner(Bench& bench) {
    bench.prepare({"owner", "add", "olga"});
}

const Words in_default{"-w", "default"};

Words with(Words words, const Words& more) {
    words.insert(words.end(), more.begin(), more.end());
    return words;
}

void nothing(Bench&) {}

Operation simple(std::string name, Words words, std::function<bool(Bench&)> is_done,
                 std::function<void(Bench&)> prepare = nothing) {
    return {std::move(name), std::move(prepare), [=](Bench&) { return words; }, std::move(is_done)};
}

bool has_grant(Bench& bench, const char* name, Permission permission) {
    const auto found = bench.rows().operators.find(*OperatorName::parse(name));
    return found != bench.rows().operators.end() && !found->second.is_removed &&
           std::ranges::any_of(found->second.grants, [&](const Grant& one) { return one.permission == permission; });
}

Environment* environment(Bench& bench, const char* workspace, const char* name) {
    const auto found =
        bench.rows().environments.find({*WorkspaceName::parse(workspace), *EnvironmentName::parse(name)});
    return found == bench.rows().environments.end() ? nullptr : &found->second;
}

Standing workspace(Bench& bench, const char* name) {
    return bench.rows().workspaces.at(*WorkspaceName::parse(name)).condition.stored;
}

bool has_approval(Bench& bench, ApprovalStanding standing) {
    return std::ranges::any_of(bench.rows().approvals, [&](const auto& one) { return one.second.stored == standing; });
}

const Words ask_words{"create", "vault", "--scope", "card:view", "--env", "production", "-w", "default"};

std::vector<Operation> operations() {
    std::vector<Operation> all;
    const auto new_works = [](Bench& bench) { return bench.accepts("new"); };

    all.push_back({"create",
                   nothing,
                   [](Bench&) { return with({"create", "carol", "--scope", "card:view"}, in_default); },
                   new_works,
                   Gives::Token,
                   0,
                   {state_refuses}});
    all.push_back(
        {"create two",
         nothing,
         [](Bench& bench) {
             std::filesystem::create_directory(bench.folder.path("tokens"));
             std::ofstream(bench.folder.path("roster")) << "one scope=card:view\ntwo scope=card:edit\n";
             return with({"create", "--from", bench.folder.path("roster"), "--token-dir", bench.folder.path("tokens")},
                         in_default);
         },
         [](Bench& bench) { return bench.accepts("one") && bench.accepts("two"); },
         Gives::Tokens,
         0,
         {state_refuses},
         "",
         true});
    all.push_back(
        {"issue", nothing, [](Bench&) { return with({"issue", "alice"}, in_default); }, new_works, Gives::Token});
    const auto rotate = [&](const char* name, Words more, bool keeps_old) {
        all.push_back({name,
                       nothing,
                       [more](Bench& bench) { return with(with({"rotate", bench.id_of("alice")}, more), in_default); },
                       new_works,
                       Gives::Token,
                       0,
                       {state_refuses},
                       "",
                       false,
                       "alice",
                       keeps_old});
    };
    rotate("rotate with an overlap", {"--overlap", "7d"}, true);
    rotate("rotate --until-used", {"--until-used"}, true);
    rotate("rotate --compromised", {"--compromised"}, false);
    all.push_back({"activate",
                   [](Bench& bench) {
                       FaultPlan plan(StoreFault::GoneUndone, 2, {});
                       const Ran ran = bench.installation.run(with({"create", "late", "--scope", "card:view",
                                                                    "--confirm", "--token-file", bench.token_path()},
                                                                   in_default),
                                                              "", &plan);
                       CHECK(ran.code == unknown);
                       bench.tokens["late"] = Bench::read_file(bench.token_path());
                   },
                   [](Bench&) { return with({"activate", "--token-stdin"}, in_default); },
                   [](Bench& bench) { return bench.accepts("late"); },
                   Gives::Nothing,
                   0,
                   {},
                   "late"});
    all.push_back(
        {"verify, and so end a predecessor",
         [](Bench& bench) { bench.prepare_token("next", with({"rotate", "alice", "--until-used"}, in_default)); },
         [](Bench&) { return Words{"verify"}; },
         [](Bench& bench) { return bench.accepts("next"); },
         Gives::Nothing,
         0,
         {},
         "next"});

    const auto stop = [&](const char* verb, const char* what, auto words, auto is_done, auto prepare) {
        all.push_back({fmt::format("{} {}", verb, what), prepare,
                       [=](Bench& bench) {
                           Words made{verb};
                           const Words more = words(bench);
                           made.insert(made.end(), more.begin(), more.end());
                           if (std::string_view(verb) != "resume") made.insert(made.end(), {"--reason", "r"});
                           return with(made, in_default);
                       },
                       is_done});
    };
    stop(
        "pause", "a credential", [](Bench& b) { return Words{b.id_of("alice")}; },
        [](Bench& b) { return b.stored("alice") == CredentialStanding::Paused; }, nothing);
    stop(
        "pause", "an identity", [](Bench&) { return Words{"alice"}; },
        [](Bench& b) { return b.standing("alice") == Standing::Paused; }, nothing);
    stop(
        "pause", "an environment", [](Bench&) { return Words{"--env", "dev"}; },
        [](Bench& b) { return environment(b, "default", "dev")->condition.stored == Standing::Paused; }, nothing);
    stop(
        "resume", "a credential", [](Bench& b) { return Words{b.id_of("half")}; },
        [](Bench& b) { return b.accepts("half"); }, nothing);
    stop(
        "resume", "an identity", [](Bench&) { return Words{"paused"}; }, [](Bench& b) { return b.accepts("paused"); },
        nothing);
    stop(
        "resume", "an environment", [](Bench&) { return Words{"--env", "dev"}; },
        [](Bench& b) { return environment(b, "default", "dev")->condition.stored == Standing::Active; },
        [](Bench& b) { b.prepare(with({"pause", "--env", "dev", "--reason", "r"}, in_default)); });
    stop(
        "revoke", "a credential", [](Bench& b) { return Words{b.id_of("alice")}; },
        [](Bench& b) { return b.stored("alice") == CredentialStanding::Revoked; }, nothing);
    stop(
        "revoke", "an identity", [](Bench&) { return Words{"alice"}; },
        [](Bench& b) { return b.standing("alice") == Standing::Revoked; }, nothing);
    all.push_back({"revoke by the token",
                   nothing,
                   [](Bench&) { return with({"revoke", "--token-stdin", "--reason", "r"}, in_default); },
                   [](Bench& b) { return b.stored("alice") == CredentialStanding::Revoked; },
                   Gives::Nothing,
                   0,
                   {},
                   "alice"});
    all.push_back(
        {"revoke all that a filter finds",
         nothing,
         [](Bench&) { return with({"revoke", "--filter", "state=paused", "--reason", "r"}, in_default); },
         [](Bench& b) { return b.standing("paused") == Standing::Revoked && b.standing("alice") == Standing::Revoked; },
         Gives::Nothing,
         0,
         {not_found},
         "",
         true});
    all.back().prepare = [](Bench& b) { b.prepare(with({"pause", "alice", "--reason", "r"}, in_default)); };

    all.push_back(simple("environment add", with({"environment", "add", "lab"}, in_default),
                         [](Bench& b) { return environment(b, "default", "lab") != nullptr; }));
    all.push_back(simple("environment remove", with({"environment", "remove", "staging"}, in_default), [](Bench& b) {
        return environment(b, "default", "staging")->condition.stored == Standing::Revoked;
    }));
    all.push_back(simple("workspace add", {"workspace", "add", "third"}, [](Bench& b) {
        return b.rows().workspaces.contains(*WorkspaceName::parse("third")) && environment(b, "third", "production");
    }));
    all.push_back(simple("workspace pause", {"workspace", "pause", "default", "--reason", "r"},
                         [](Bench& b) { return workspace(b, "default") == Standing::Paused; }));
    all.push_back(simple(
        "workspace resume", {"workspace", "resume", "default"},
        [](Bench& b) { return workspace(b, "default") == Standing::Active && b.accepts("alice"); },
        [](Bench& b) { b.prepare({"workspace", "pause", "default", "--reason", "r"}); }));
    all.push_back(simple("workspace remove", {"workspace", "remove", "other"},
                         [](Bench& b) { return workspace(b, "other") == Standing::Revoked; }));
    all.push_back(simple("operator add", with({"operator", "add", "cleo", "--user", "3000"}, in_default),
                         [](Bench& b) { return has_grant(b, "cleo", Permission::Manage); }));
    all.push_back(simple("operator grant", with({"operator", "grant", "bob"}, in_default),
                         [](Bench& b) { return has_grant(b, "bob", Permission::Manage); }));
    all.push_back(simple("operator withdraw", with({"operator", "withdraw", "bob", "--permission", "view"}, in_default),
                         [](Bench& b) { return !has_grant(b, "bob", Permission::View); }));
    all.push_back(simple("operator remove", {"operator", "remove", "bob"},
                         [](Bench& b) { return b.rows().operators.at(*OperatorName::parse("bob")).is_removed; }));
    all.push_back(simple("owner add, the first", {"owner", "add", "olga"},
                         [](Bench& b) { return b.rows().owners.contains("SHA256:olga"); }));
    for (Operation& one : all)
        if (one.name.ends_with(" add") || one.name.starts_with("owner add") || one.name.starts_with("operator"))
            one.codes_of_repeat = {state_refuses};

    // Through the gate: an operator's wish, an owner's word, and then the change.
    const auto asking = [&](std::string name, Words words, std::function<bool(Bench&)> is_done) {
        Operation one = simple(std::move(name), std::move(words), std::move(is_done), prepare_owner);
        one.code = approval_needed;
        all.push_back(std::move(one));
    };
    asking("approval, asked for", ask_words, [](Bench& b) { return has_approval(b, ApprovalStanding::Open); });
    const auto approved = [&](std::string name, Words words, std::function<bool(Bench&)> is_done, Gives gives) {
        Operation one{std::move(name),
                      [words](Bench& b) {
                          prepare_owner(b);
                          b.approve(words);
                      },
                      [words](Bench& b) { return with(words, {"--approval", b.approval()}); },
                      std::move(is_done),
                      gives,
                      0,
                      {state_refuses, approval_needed}};
        all.push_back(std::move(one));
    };
    approved("approval, redeemed by create", ask_words, new_works, Gives::Token);
    approved(
        "approval, redeemed by protect", with({"environment", "protect", "staging"}, in_default),
        [](Bench& b) { return environment(b, "default", "staging")->protection == Protection::Protected; },
        Gives::Nothing);
    approved(
        "approval, redeemed by unprotect", with({"environment", "unprotect", "production"}, in_default),
        [](Bench& b) { return environment(b, "default", "production")->protection == Protection::Open; },
        Gives::Nothing);
    approved(
        "approval, redeemed by owner add", {"owner", "add", "otto"},
        [](Bench& b) { return b.rows().owners.contains("SHA256:otto"); }, Gives::Nothing);
    approved(
        "approval, redeemed by owner policy", {"owner", "policy", "--sole-owner", "yes"},
        [](Bench& b) { return b.rows().installation->policy.has_sole_owner; }, Gives::Nothing);
    const auto deciding = [&](const char* verb, Words more, std::function<bool(Bench&)> is_done) {
        all.push_back({fmt::format("approval {}", verb),
                       [](Bench& b) {
                           prepare_owner(b);
                           b.ask(ask_words);
                       },
                       [=](Bench& b) { return with({"approval", verb, b.approval()}, more); },
                       std::move(is_done),
                       Gives::Nothing,
                       0,
                       {state_refuses}});
    };
    deciding("sign", {}, [](Bench& b) { return !b.rows().approvals.begin()->second.signatures.empty(); });
    deciding("deny", {"--reason", "r"}, [](Bench& b) { return has_approval(b, ApprovalStanding::Denied); });
    deciding("withdraw", {}, [](Bench& b) { return has_approval(b, ApprovalStanding::Withdrawn); });
    return all;
}

// One operation under one fault at one place, and everything that has to be true afterwards.
class Trial {
 public:
    Trial(Bench& bench, const Operation& operation, const Moment& before, Report& report)
        : bench_(bench), operation_(operation), before_(before), report_(report) {}

    // False: the operation was over before it came to the n-th call.
    bool run(StoreFault fault, int n) {
        tokens_before_ = bench_.tokens;
        bench_.go_back_to(before_);
        where_ = fmt::format("{} at {}", name_of(fault), n);
        FaultPlan plan(fault, n, [&](Duration time) { bench_.installation.set_clock.pass(time); });
        ran_ = command(&plan);
        collect();
        const bool has_struck = plan.has_struck();
        if (!has_struck && (ran_.code != operation_.code || !operation_.is_done(bench_)))
            fail(fmt::format("untouched, it ended with {}", ran_.code));
        judge();
        if (has_struck) repeat();
        bench_.tokens = tokens_before_;
        return has_struck;
    }

 private:
    void fail(const std::string& what) {
        report_.fail(fmt::format("{}: {}; it ended with {}: {}", where_, what, ran_.code, ran_.words));
    }

    Ran command(FaultPlan* plan) {
        Words words = operation_.words(bench_);
        if (operation_.gives == Gives::Token) words.insert(words.end(), {"--token-file", bench_.token_path()});
        words.emplace_back(operation_.name.starts_with("verify") ? "--scope=card:view"
                           : operation_.is_bulk                  ? "--confirm=2"
                                                                 : "--confirm");
        return bench_.installation.run(words, operation_.input_of.empty() ? "" : bench_.tokens.at(operation_.input_of),
                                       plan);
    }

    // What was delivered, whether or not the command says so.
    void collect() {
        const auto take = [&](const std::string& name, const std::string& path) {
            if (!std::filesystem::exists(path)) return;
            const std::string text = Bench::read_file(path);
            if (text.size() != token_length + 1) fail("a token's file is not whole");
            bench_.tokens[name] = text;
            delivered_.push_back(name);
        };
        delivered_.clear();
        if (operation_.gives == Gives::Token) take("new", bench_.token_path());
        if (operation_.gives == Gives::Tokens)
            for (const char* name : {"one", "two"}) take(name, bench_.folder.path("tokens/") + name);
    }

    void judge() {
        check_log();
        check_nothing_undelivered();
        check_code();
        check_rotation();
        check_delivered();
        check_revoked();
    }

    void check_log() {
        const auto look = [&](const store::Reader& reader) -> Result<void> {
            if (!TRY(reader.installation())) return {};
            const auto report = TRY(authority::verify_log(
                reader, bench_.installation.root_key(), std::nullopt, [](auto, auto) {},
                &bench_.installation.signatures));
            if (!report.is_sound()) fail("the log is not sound: " + report.findings.front().what);
            for (const std::string& what : TRY(differences(reader))) fail(what);
            return {};
        };
        if (const auto looked = bench_.installation.store.read(look); !looked) fail(looked.error().message);
        const auto &was = before_.rows.entries, &is = bench_.rows().entries;
        if (is.size() < was.size() || !std::ranges::equal(was, std::span(is).first(was.size()), {},
                                                          &store::StoredEntry::seal, &store::StoredEntry::seal))
            fail("entries are gone");
    }

    // Whose token nobody has, that can't be used.
    void check_nothing_undelivered() {
        std::set<std::string> known;
        for (const auto& [name, token] : bench_.tokens) known.insert(token.substr(9, 12));
        for (const auto& [id, credential] : bench_.rows().credentials)
            if (credential.stored != CredentialStanding::Pending && credential.stored != CredentialStanding::Revoked &&
                !known.contains(id.string()))
                fail("credential " + id.string() + " is in force, and its token was never delivered");
    }

    void check_code() {
        const bool has_grown = bench_.rows().entries.size() != before_.rows.entries.size();
        if (ran_.code == operation_.code) {
            if (!operation_.is_done(bench_)) fail("it says that it is done, and it is not");
            return;
        }
        if (ran_.code == unknown) return;
        if (ran_.code == 0) fail("it says that it is done, and it did something else");
        const bool is_taken_back = ran_.words.contains(", and its credential is revoked");
        if (ran_.code == unavailable && has_grown && !is_taken_back)
            fail("it says that nothing changed, and the log grew");
        if (operation_.name.starts_with("verify")) return;
        if (operation_.is_done(bench_) && !was_done()) fail("it says that it failed, and it is done");
        for (const auto& [name, token] : bench_.tokens)
            if (bench_.installation.accepts(token) != was_accepted(token))
                fail("it failed, and the token of " + name + " changed");
    }

    bool was_done() {
        const Moment now = bench_.moment();
        std::swap(bench_.rows(), rows_before());
        const bool was = operation_.is_done(bench_);
        bench_.rows() = now.rows;
        return was;
    }
    bool was_accepted(const std::string& token) {
        std::swap(bench_.rows(), rows_before());
        const bool was = bench_.installation.accepts(token);
        std::swap(bench_.rows(), rows_before());
        return was;
    }
    store::memory::Rows& rows_before() {
        rows_before_ = before_.rows;
        return rows_before_;
    }

    void check_rotation() {
        if (operation_.replaces.empty()) return;
        const bool is_new_in_force = bench_.accepts("new"), is_old = bench_.accepts(operation_.replaces);
        if (!is_new_in_force && bench_.stored(operation_.replaces) != CredentialStanding::Active)
            fail("the old credential is touched, and the new one is not in force");
        if (is_new_in_force && is_old != operation_.keeps_old) fail("the old credential is not as the rotation has it");
    }

    // A token that somebody has works, or does after one command, or was said to be worth nothing.
    void check_delivered() {
        for (const std::string& name : delivered_) {
            if (bench_.accepts(name)) continue;
            if (ran_.code == 0) fail("it is done, and its token is refused");
            if (ran_.code != unknown) {
                if (ran_.words.find("never comes into force") == std::string::npos)
                    fail("a token was delivered that never works, and nobody is told");
                continue;
            }
            const Ran activated = bench_.installation.run(with({"activate", "--token-stdin", "--confirm"}, in_default),
                                                          bench_.tokens.at(name));
            if (activated.code != 0 || !bench_.accepts(name))
                fail(fmt::format("its token can't be activated, {}: {}", activated.code, activated.words));
        }
    }

    void check_revoked() {
        if (bench_.accepts("gone") || bench_.standing("gone") != Standing::Revoked) fail("what was revoked is back");
    }

    // Without a fault the same command gets there, or is there already.
    void repeat() {
        const std::string first = where_;
        where_ += ", repeated";
        for (const std::string& name : delivered_) {  // where they were delivered to is taken
            const std::string path =
                operation_.gives == Gives::Token ? bench_.token_path() : bench_.folder.path("tokens/") + name;
            std::filesystem::remove(path);
            if (bench_.accepts(name)) bench_.tokens["first " + name] = bench_.tokens[name];
        }
        const Ran before = std::exchange(ran_, Ran());
        std::filesystem::remove_all(bench_.folder.path("tokens"));
        ran_ = command(nullptr);
        collect();
        const bool is_known =
            ran_.code == operation_.code || operation_.codes_of_repeat.contains(ran_.code) || is_too_late();
        if (!is_known) fail(fmt::format("it ended otherwise; the first time with {}: {}", before.code, before.words));
        if (ran_.code == operation_.code && !operation_.is_done(bench_)) fail("it is not done");
        // Refused, because the first time had got so far: then it is done, or one more credential does it.
        const bool is_there = operation_.is_done(bench_) || bench_.accepts("first new") || bench_.accepts("first one");
        if (is_known && ran_.code == state_refuses && !is_there) {
            if (operation_.gives == Gives::Nothing && !is_too_late()) fail("refused, and not done");
            for (const char* name : {"carol", "one", "two"}) issue(name);
        }
        check_log();
        check_nothing_undelivered();
        check_revoked();
    }

    // A pending credential that has lapsed, an approval whose day is over: time makes them so, whoever asks.
    bool is_too_late() const {
        return ran_.code == state_refuses && bench_.installation.set_clock.now() != before_.now;
    }

    void issue(const char* name) {
        if (!bench_.rows().identities.contains({*WorkspaceName::parse("default"), *IdentityName::parse(name)})) return;
        bench_.prepare_token(name, with({"issue", name}, in_default));
        if (!bench_.accepts(name)) fail("its identity can't be given another credential");
    }

    Bench& bench_;
    const Operation& operation_;
    const Moment& before_;
    Report& report_;
    store::memory::Rows rows_before_;
    std::map<std::string, std::string> tokens_before_;
    std::vector<std::string> delivered_;
    std::string where_;
    Ran ran_;
};

void try_all(Report& report, Bench& bench, const Operation& operation) {
    const Moment before = bench.moment();
    for (const StoreFault fault : store_faults) {
        Trial trial(bench, operation, before, report);
        for (int n = 1; trial.run(fault, n) && !report.has_failed(); ++n) report.survived();
    }
}

// An init that failed leaves nothing, and repeated it is done.
void try_init(Report& report) {
    report.begin(group, "init");
    for (const StoreFault fault : store_faults)
        for (int n = 1;; ++n) {
            Bench bench;
            Installation& installation = bench.installation;
            const Words words{"init", "--operator", "ops", "--owner-key", "olga", "--confirm"};
            FaultPlan plan(fault, n, [&](Duration time) { installation.set_clock.pass(time); });
            const Ran ran = installation.run(words, "", &plan);
            const auto where = fmt::format("{} at {}: {}: {}", name_of(fault), n, ran.code, ran.words);
            const bool is_there = installation.store.rows.installation.has_value();
            if (ran.code == 0 && !is_there) report.fail("done, and nothing there: " + where);
            if (ran.code != 0 && ran.code != unknown && is_there) report.fail("failed, and there: " + where);
            if (is_there != !installation.store.rows.entries.empty()) report.fail("half of it: " + where);
            if (!plan.has_struck()) {
                if (ran.code != 0) report.fail("untouched: " + where);
                break;
            }
            const Ran again = installation.run(words);
            if (again.code != (is_there ? state_refuses : 0)) report.fail("repeated: " + again.words + where);
            report.survived();
        }
}

}  // namespace

void fail_store_calls(Report& report) {
    try_init(report);
    Bench base;
    prepare_base(base);
    const Moment moment = base.moment();
    const auto tokens = base.tokens;
    for (const Operation& operation : operations()) {
        report.begin(group, operation.name);
        base.go_back_to(moment);
        base.tokens = tokens;
        operation.prepare(base);
        try_all(report, base, operation);
    }
}

}  // namespace marque::faults
