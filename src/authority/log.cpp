#include "authority/log.h"

#include <fmt/format.h>

#include "audit/entry.h"
#include "audit/seal.h"
#include "authority/evidence.h"
#include "authority/keys.h"
#include "crypto/digest.h"
#include "store/append.h"

namespace marque::authority {
namespace {

constexpr std::size_t batch = 1000;

class Verifier {
 public:
    Verifier(const Secret& root_key, const OwnerSignatures* signatures, std::uint64_t earlier_size, Leaves leaves)
        : seal_key_(log_seal_key(root_key)), earlier_size_(earlier_size), leaves_(leaves) {
        if (signatures != nullptr) evidence_.emplace(*signatures);
    }

    // Errors: Unavailable when OpenSSH can't be asked.
    Result<void> add(const store::StoredEntry& entry) {
        if (entry.seq != expected_)
            find(expected_, fmt::format("entry {} is missing; the next one is {}", expected_, entry.seq));
        expected_ = entry.seq + 1;
        const audit::Digest leaf = audit::leaf_hash(bytes_of(entry.bytes));
        if (!crypto::equal(entry.seal, audit::seal_of_entry(seal_key_, entry.seq, leaf))) {
            ++unsealed_;
            find(entry.seq, fmt::format("entry {} was rewritten: its seal is not this installation's", entry.seq));
        } else if (const auto decoded = audit::decode(entry.bytes); !decoded || decoded->seq != entry.seq) {
            find(entry.seq, fmt::format("entry {} is not a well-formed entry of that number", entry.seq));
        } else if (evidence_) {
            if (const auto wrong = TRY(evidence_->add(*decoded)))
                find(entry.seq, fmt::format("entry {}: {}", entry.seq, *wrong));
        }
        if (leaves_ == Leaves::Kept) report_.leaves.push_back(leaf);
        frontier_.append(leaf);
        report_.size = frontier_.size();
        if (report_.size == earlier_size_) earlier_root_ = frontier_.root();
        return {};
    }

    void compare_head(const store::StoredHead& head) {
        const std::uint64_t claimed = head.frontier.size();
        if (!store::check_head(head, seal_key_)) find(0, "the log's head does not carry this installation's seal");
        if (claimed > report_.size)
            find(report_.size + 1, fmt::format("the log was cut: its head speaks of {} entries, and there are {}",
                                               claimed, report_.size));
        else if (claimed < report_.size)
            find(claimed + 1, fmt::format("entries {} to {} are beyond the log's head", claimed + 1, report_.size));
        else if (head.frontier.root() != frontier_.root())
            find(0, "the entries do not add up to the log's head");
    }

    void compare_checkpoint(const audit::Checkpoint& earlier) {
        if (earlier.size > report_.size) {
            find(report_.size + 1,
                 fmt::format(
                     "the log was cut or rolled back: the checkpoint has {} entries, the log {}; what came after "
                     "entry {} is gone",
                     earlier.size, report_.size, report_.size));
        } else if (earlier_root_ != earlier.root) {
            find(0, fmt::format("the log was rewritten: its first {} entries are not those that the checkpoint was "
                                "signed over",
                                earlier.size));
        }
    }

    LogReport finish() {
        report_.root = frontier_.root();
        if (evidence_) report_.signatures = evidence_->signatures();
        if (unsealed_ == report_.size && unsealed_ > 1)
            report_.findings = {{1,
                                 "no entry carries this installation's seal: root.key is another installation's, or "
                                 "the whole log was rewritten"}};
        return std::move(report_);
    }

 private:
    void find(std::uint64_t seq, std::string what) {
        if (report_.findings.size() < max_findings) report_.findings.push_back({seq, std::move(what)});
    }

    Secret seal_key_;
    const std::uint64_t earlier_size_;  // of the checkpoint, if there is one
    const Leaves leaves_;
    std::optional<Evidence> evidence_;
    audit::Frontier frontier_;
    audit::Digest earlier_root_ = audit::Frontier().root();  // when the log had that size
    std::uint64_t expected_ = 1;
    std::uint64_t unsealed_ = 0;
    LogReport report_;
};

}  // namespace

Result<LogReport> verify_log(const store::Reader& reader, const Secret& root_key,
                             const std::optional<audit::Checkpoint>& earlier, const LogProgress& progress,
                             const OwnerSignatures* signatures, Leaves leaves) {
    const store::StoredHead head = TRY(reader.head());
    Verifier verifier(root_key, signatures, earlier ? earlier->size : 0, leaves);
    std::uint64_t after = 0;
    for (;;) {
        const auto entries = TRY(reader.entries(after, batch));
        for (const store::StoredEntry& entry : entries) TRY(verifier.add(entry));
        if (!entries.empty()) after = entries.back().seq;
        progress(after, head.frontier.size());
        if (entries.size() < batch) break;
    }
    verifier.compare_head(head);
    if (earlier) {
        if (earlier->origin != TRY(log_origin(reader)))
            return Error(Code::InvalidRequest, "the checkpoint is of another log, " + earlier->origin);
        verifier.compare_checkpoint(*earlier);
    }
    return verifier.finish();
}

Result<void> verify_rows(const store::Reader& reader, LogReport& report) {
    for (std::string& what : TRY(reader.examine_rows()))
        if (report.findings.size() < max_findings) report.findings.push_back({0, std::move(what)});
    return {};
}

Result<std::string> log_origin(const store::Reader& reader) {
    const auto installation = TRY(reader.installation());
    if (!installation) return Error(Code::Unavailable, "the store is empty", "run marque init");
    return "marque/" + installation->id;
}

Result<audit::VerifierKey> log_verifier_key(const store::Reader& reader, const Secret& root_key) {
    const std::string origin = TRY(log_origin(reader));
    return audit::VerifierKey{origin, checkpoint_key(root_key).public_key()};
}

Result<std::string> sign_checkpoint(const store::Reader& reader, const Secret& root_key, const LogReport& report) {
    if (!report.is_sound())
        return Error(Code::Corrupt, "the log is not sound, and is not signed: " + report.findings.front().what);
    const std::string origin = TRY(log_origin(reader));
    const audit::Checkpoint checkpoint{origin, report.size, report.root};
    return audit::sign_note(checkpoint.text(), checkpoint.origin, checkpoint_key(root_key));
}

}  // namespace marque::authority
