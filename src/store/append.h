// store/append.h: drafts become sealed entries and a new frontier. The same for every backend.
#pragma once

#include <span>
#include <vector>

#include "audit/seal.h"
#include "store/store.h"

namespace marque::store {

struct Appended {
    std::vector<StoredEntry> entries;
    audit::Frontier frontier;  // the head's, to be sealed when the rows are written
};

// Whether there is a head, and this key has sealed it.
inline bool is_sealed_by(const StoredHead& head, const Secret& sealing_key) {
    return head.frontier.size() > 0 &&
           crypto::equal(head.seal, audit::seal_of_head(sealing_key, head.frontier, head.rows));
}

// A log without an entry has no head. Errors: Corrupt when the seal is not this installation's.
inline Result<void> check_head(const StoredHead& head, const Secret& sealing_key) {
    if (head.frontier.size() == 0 || is_sealed_by(head, sealing_key)) return {};
    Error error(Code::Corrupt, "the audit log's head does not carry this installation's seal",
                "somebody wrote to the database, or the key file is another's; run marque audit verify");
    error.tampered = "log_head";
    return error;
}

// Encodes and seals `drafts` as the entries after `head`; writes nothing. Errors: Corrupt if check_head() refuses
// `head`; InvalidRequest if an encoded entry can't be decoded again.
inline Result<Appended> append(const StoredHead& head, std::span<const audit::Draft> drafts,
                               const Secret& sealing_key) {
    TRY(check_head(head, sealing_key));
    Appended result{{}, head.frontier};
    result.entries.reserve(drafts.size());
    for (const audit::Draft& draft : drafts) {
        const std::uint64_t seq = result.frontier.size() + 1;
        std::string bytes = audit::encode(draft, seq);
        // What is once in the log stays there: nothing goes in that would not be read back.
        if (const auto read_back = audit::decode(bytes); !read_back)
            return Error(Code::InvalidRequest, "the change has no audit entry: " + read_back.error().message);
        const audit::Digest leaf = audit::leaf_hash(bytes_of(bytes));
        result.frontier.append(leaf);
        result.entries.push_back({seq, std::move(bytes), audit::seal_of_entry(sealing_key, seq, leaf)});
    }
    return result;
}

}  // namespace marque::store
