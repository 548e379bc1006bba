// audit/note.h: signed notes (C2SP signed-note) with Ed25519, and checkpoints (C2SP tlog-checkpoint).
//
//     marque.invalid/log/7zk…        origin: which log
//     42                             its size
//     CsUYapGGPo4dkMgIAUqom/Xaj…=    its root
//
//     — marque.invalid/log/7zk… Az3grlgtzPICa5OS8npVmf1Myq/5IZ…=
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "audit/merkle.h"
#include "crypto/signature.h"

namespace marque::audit {

// Whom a note's signature is checked against: `name+hash+base64`, as other tools take it.
struct VerifierKey {
    std::string name;
    crypto::PublicKey key{};

    std::string text() const;
    // Errors: InvalidRequest.
    static Result<VerifierKey> parse(std::string_view text);
};

// `text` ends in a newline and has no other control characters.
std::string sign_note(std::string_view text, std::string_view name, const crypto::SigningKey& key);

// The note's text, if `key` signed it; other signatures are passed over, as the format says.
// Errors: InvalidRequest (not a note), Corrupt (the signature is not the key's).
Result<std::string> open_note(std::string_view note, const VerifierKey& key);

struct Checkpoint {
    std::string origin;
    std::uint64_t size = 0;
    Digest root{};

    std::string text() const;
    // Errors: InvalidRequest.
    static Result<Checkpoint> parse(std::string_view text);
    bool operator==(const Checkpoint&) const = default;
};

// Writes a C2SP tlog-proof. It proves that the entry at `index`, counted from 0, is in the log of the signed
// checkpoint.
std::string inclusion_text(std::uint64_t index, const Proof& proof, std::string_view signed_checkpoint);

// Writes a consistency proof in the style of tlog-proof, because C2SP defines no file for one: a line that names the
// format, a line "old N", the hashes, an empty line, and the signed checkpoint.
std::string consistency_text(std::uint64_t old_size, const Proof& proof, std::string_view signed_checkpoint);

}  // namespace marque::audit
