// test/reference/installation.h: Marque itself, as the simulation holds it: the store, a process of operators and a
// verifier over it, and the way from the model's plain words to the calls of authority::Authority.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "authority/authority.h"
#include "store/memory/memory_store.h"
#include "test/plain_signatures.h"
#include "test/reference/faults.h"
#include "test/reference/model.h"
#include "test/simulate/chance.h"
#include "verify/verifier.h"

namespace marque::reference {

class SetClock final : public Clock {
 public:
    Instant now() const override { return Instant(Duration(at)); }
    Duration since_boot() const override { return Duration(at); }
    Time at = 1'800'000'000 * second;
};

enum class Backend { Memory, Sqlite };

// What the product answered, in the model's words.
struct Outcome {
    std::optional<Exit> exit;  // none: the store's fault, Unavailable or OutcomeUnknown
    Code code = Code::Unexpected;
    std::string words;
    std::string digest;                        // of the plan
    std::optional<domain::Approval> approval;  // that was asked for
    bool is_request_new = false;
};

class Installation {
 public:
    Installation(Backend backend, std::uint64_t seed);
    ~Installation();

    // Everything that is in memory only is gone.
    void restart_process();
    void restart_verifier();

    Outcome init(const std::string& operator_name, std::uint32_t uid, const std::map<std::string, std::string>& owners,
                 bool has_sole_owner);
    // May throw Death. `tokens`: of a target that is one.
    Outcome run(const Command& command, authority::Delivery& delivery, const std::string& token,
                const std::string& request_text);
    authority::Authority& as(std::uint32_t uid);
    store::Store& store() { return *faulty_; }
    // Without faults, for looking at it.
    store::Store& disk() { return *disk_; }
    Result<verify::Verifier::Session> verifier_session() { return verifier_->session(); }
    verify::TokenHasher& hasher() { return hasher_; }

    // As Model::listing.
    Result<std::string> listing();
    // What is wrong with the log, or nothing.
    std::optional<std::string> check_log();

    SetClock clock;
    Faults faults;
    PlainSignatures signatures;

 private:
    void open();

    Backend backend_;
    simulation::Chance random_;
    std::filesystem::path folder_;  // of a store in a file
    std::unique_ptr<store::Store> disk_, verifiers_disk_;
    std::unique_ptr<FaultyStore> faulty_;
    std::map<std::uint32_t, std::unique_ptr<authority::Authority>> operators_;
    std::unique_ptr<verify::Verifier> verifier_;
    verify::TokenHasher hasher_;
};

}  // namespace marque::reference
