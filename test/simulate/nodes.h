// test/simulate/nodes.h: machines with a verifier each, its processes, and whoever asks them.
//
// What is promised stands in `Promises`: a verification that began after a revocation had returned is never answered
// "accepted". Each verification looks there first and judges itself in the end.
#pragma once

#include <set>

#include "test/simulate/database.h"
#include "verify/verifier.h"

namespace marque::simulation {

// Of a token that somebody has.
struct Token {
    std::string text;
    domain::CredentialId credential;
    domain::IdentityName identity;
};

// Which credentials and identities nobody may accept any more, because a change has returned that says so.
struct Promises {
    std::vector<Token> tokens;
    std::set<domain::CredentialId> ended;
    std::set<domain::IdentityName> ended_identities, paused;
    std::uint64_t resumes = 0;

    bool is_ended(const Token& token) const {
        return ended.contains(token.credential) || ended_identities.contains(token.identity);
    }
};

// A verifier, from its start until it is killed.
struct Process {
    Process(World& world, Machine& on, Database& database, const Secret& root_key, store::Freshness mode);

    Machine& machine;
    verify::Verifier verifier;
    std::vector<Tasks::Id> tasks;
    int sessions = 0;  // that are held: who writes does not get the lock, and so does not run
    bool is_alive = true, has_begun = false, is_resting = false;
    std::map<domain::CredentialId, bool> replayed;  // Mutant::Cache: earlier verdicts, in front of it
};

class Node {
 public:
    Node(World& world, Database& database, Promises& promises, const Secret& root_key, std::string name);

    Machine machine;

    // Another process in its place. Replaced: the former one goes on for a while, and nobody knows.
    enum class Former { Killed, GoesOn };
    void start(Former former);
    void announce();  // NOTIFY
    // A request that arrives now, at one of its processes.
    void verify(const Token& token);

    const store::Freshness mode;

 private:
    void keep(Process& process);
    void watch(Process& process);
    void kill(Process& process);

    World& world_;
    Database& database_;
    Promises& promises_;
    const Secret& root_key_;
    verify::TokenHasher hasher_;
    std::vector<std::shared_ptr<Process>> processes_;
};

}  // namespace marque::simulation
