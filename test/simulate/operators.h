// test/simulate/operators.h: people and programs that change things through the real Authority, each from a machine of
// its own, and chance as to what and when.
//
//     two of them   create, issue, rotate, revoke: the same few identities, at the same time, and again after an error
//     one           pauses and resumes
//     one           asks an owner to approve, has it signed, and uses it twice at once, and for other than was signed
#pragma once

#include "authority/authority.h"
#include "test/plain_signatures.h"
#include "test/simulate/nodes.h"

namespace marque::simulation {

// An installation to begin a run with, made once.
struct Beginning {
    Beginning();
    Secret root_key;
    store::memory::Rows rows;
    std::vector<Token> tokens;
};

class Operators {
 public:
    struct Meanwhile {
        std::function<void(Machine& from)> before;     // what goes wrong at just that moment
        std::function<void(const Token&)> afterwards;  // a change of the token has returned: it is verified everywhere
    };
    Operators(World& world, Database& database, Promises& promises, const Secret& root_key, Meanwhile meanwhile);

    // Starts all of them.
    void start();
    bool are_done() const { return at_work_ == 0; }
    // P1, P2 and P3 of test/model/lifecycle.pml, of what is about to be in the log.
    void judge(const store::memory::Rows& before, const std::vector<audit::Draft>& drafts);

    std::vector<std::unique_ptr<Machine>> machines;

 private:
    using Act = std::function<Result<authority::Done>(authority::Authority&)>;

    void begin(std::function<void(Machine&)> work);
    // Does it, and again while it is not known whether it was done, a few times. Whether it is in force everywhere.
    bool run(Machine& from, std::string_view what, const Act& act);
    void change_something(Machine& from);
    void pause_and_resume(Machine& from);
    void use_approvals(Machine& from);
    void use(const domain::ApprovalId& approval, const authority::IssueRequest& request, Machine& from);
    void ended(const std::function<bool(const Token&)>& is_meant);

    World& world_;
    Database& database_;
    Promises& promises_;
    const Secret& root_key_;
    const Meanwhile meanwhile_;
    PlainSignatures signatures_;
    int at_work_ = 0;
    std::size_t chosen_ = 0;  // of the tokens
    std::map<domain::ApprovalId, std::string> signed_texts_;
    std::map<domain::ApprovalId, int> uses_;
};

}  // namespace marque::simulation
