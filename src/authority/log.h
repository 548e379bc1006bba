// authority/log.h: reading the audit log whole: verifying it, signing it, proving from it.
//
// A checkpoint is signed and a proof made only after every entry was read from the store and
// hashed again, in the same call: a flipped bit must not end up under a signature.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "audit/note.h"
#include "authority/owner_signatures.h"
#include "base/secret.h"
#include "store/store.h"

namespace marque::authority {

// Something wrong; `seq` is the first entry it is about, 0 for the log as a whole.
struct LogFinding {
    std::uint64_t seq = 0;
    std::string what;
};

struct LogReport {
    std::uint64_t size = 0;             // entries read
    audit::Digest root{};               // over them
    std::vector<LogFinding> findings;   // the first of them, at most max_findings
    std::vector<audit::Digest> leaves;  // for proofs, when they were to be kept: 32 bytes an entry
    std::size_t signatures = 0;         // of owners, checked again

    bool is_sound() const { return findings.empty(); }
};
inline constexpr std::size_t max_findings = 20;

enum class Leaves { Dropped, Kept };

// Hears how many entries are read and how many there are.
using LogProgress = std::function<void(std::uint64_t, std::uint64_t)>;

// Every entry: in its place, canonical, sealed by this installation; then the head. With a
// checkpoint saved earlier also: that the log is an extension of it. With `signatures` also: that it
// bears out every approval (authority/evidence.h). What is wrong is in the report; Errors are for
// what could not be read: Unavailable.
Result<LogReport> verify_log(const store::Reader& reader, const Secret& root_key,
                             const std::optional<audit::Checkpoint>& earlier, const LogProgress& progress,
                             const OwnerSignatures* signatures = nullptr, Leaves leaves = Leaves::Dropped);

// Then the rows: those that are not what the log's head is sealed over go into the report too.
Result<void> verify_rows(const store::Reader& reader, LogReport& report);

// The log's name in checkpoints and its signing key's name: "marque/" and the installation's id.
Result<std::string> log_origin(const store::Reader& reader);
Result<audit::VerifierKey> log_verifier_key(const store::Reader& reader, const Secret& root_key);

// The signed checkpoint of a log that was just found sound.
Result<std::string> sign_checkpoint(const store::Reader& reader, const Secret& root_key, const LogReport& report);

}  // namespace marque::authority
