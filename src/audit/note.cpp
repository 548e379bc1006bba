#include "audit/note.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/check.h"
#include "base/decimal.h"
#include "base/text.h"
#include "crypto/base64.h"

namespace marque::audit {
namespace {

constexpr std::uint8_t ed25519_type = 0x01;
constexpr std::string_view signature_prefix = "\u2014 ";
constexpr std::size_t max_note_bytes = 64 * 1024;
constexpr int max_signatures = 32;

using KeyId = std::array<std::uint8_t, 4>;

KeyId key_id(std::string_view name, const crypto::PublicKey& key) {
    const std::uint8_t tail[] = {'\n', ed25519_type};
    const Digest digest = crypto::sha256({bytes_of(name), tail, key});
    KeyId id{};
    std::copy_n(digest.begin(), id.size(), id.begin());
    return id;
}

// Key names have no blanks and no plus sign; ours are printable ASCII besides.
bool is_key_name(std::string_view name) {
    return !name.empty() && std::ranges::all_of(name, [](char c) { return c > 0x20 && c < 0x7F && c != '+'; });
}

bool has_only_newlines_for_controls(std::string_view text) {
    return std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 && c != '\n'; });
}

// The signature bytes of a line `— name base64`, when it is by `key`'s name and id.
std::optional<Bytes> signature_in(std::string_view line, const VerifierKey& key) {
    if (!line.starts_with(signature_prefix)) return std::nullopt;
    line.remove_prefix(signature_prefix.size());
    const std::size_t space = line.find(' ');
    if (space == std::string_view::npos || line.substr(0, space) != key.name) return std::nullopt;
    auto bytes = crypto::from_base64(line.substr(space + 1));
    const KeyId id = key_id(key.name, key.key);
    if (!bytes || bytes->size() <= id.size() || !std::equal(id.begin(), id.end(), bytes->begin())) return std::nullopt;
    bytes->erase(bytes->begin(), bytes->begin() + id.size());
    return bytes;
}

std::string hash_lines(const Proof& proof) {
    std::string lines;
    for (const Digest& digest : proof) lines += crypto::to_base64(digest) + "\n";
    return lines;
}

}  // namespace

std::string VerifierKey::text() const {
    Bytes typed{ed25519_type};
    typed.insert(typed.end(), key.begin(), key.end());
    return fmt::format("{}+{}+{}", name, to_hex(key_id(name, key)), crypto::to_base64(typed));
}

Result<VerifierKey> VerifierKey::parse(std::string_view text) {
    const Error malformed(Code::InvalidRequest, "that is not a verifier key",
                          "it looks like name+1234abcd+AbCd…=, as marque audit key prints it");
    const std::size_t first = text.find('+');
    const std::size_t second = first == std::string_view::npos ? first : text.find('+', first + 1);
    if (second == std::string_view::npos) return malformed;
    VerifierKey result;
    result.name = std::string(text.substr(0, first));
    const auto bytes = crypto::from_base64(text.substr(second + 1));
    if (!is_key_name(result.name) || !bytes || bytes->size() != 1 + result.key.size() || bytes->front() != ed25519_type)
        return malformed;
    std::copy(bytes->begin() + 1, bytes->end(), result.key.begin());
    if (result.text() != text) return malformed;
    return result;
}

std::string sign_note(std::string_view text, std::string_view name, const crypto::SigningKey& key) {
    CHECK(text.ends_with('\n') && is_key_name(name) && has_only_newlines_for_controls(text));
    const KeyId id = key_id(name, key.public_key());
    const crypto::Signature signature = key.sign(bytes_of(text));
    Bytes bytes(id.begin(), id.end());
    bytes.insert(bytes.end(), signature.begin(), signature.end());
    return fmt::format("{}\n{}{} {}\n", text, signature_prefix, name, crypto::to_base64(bytes));
}

Result<std::string> open_note(std::string_view note, const VerifierKey& key) {
    const Error malformed(Code::InvalidRequest, "that is not a signed note");
    const std::size_t blank = note.rfind("\n\n");
    if (note.size() > max_note_bytes || blank == std::string_view::npos || !note.ends_with('\n') ||
        !has_only_newlines_for_controls(note))
        return malformed;
    const std::string_view text = note.substr(0, blank + 1);
    std::string_view signatures = note.substr(blank + 2);
    if (signatures.empty()) return malformed;
    signatures.remove_suffix(1);
    bool is_signed = false;
    int count = 0;
    for (const std::string_view line : split(signatures, '\n')) {
        if (!line.starts_with(signature_prefix) || ++count > max_signatures) return malformed;
        const auto signature = signature_in(line, key);
        if (!signature) continue;
        if (!crypto::is_valid_signature(key.key, bytes_of(text), *signature))
            return Error(Code::Corrupt, "the note's signature by " + quote(key.name, 80) + " is not valid");
        is_signed = true;
    }
    if (!is_signed) return Error(Code::Corrupt, "the note is not signed by " + quote(key.name, 80));
    return std::string(text);
}

std::string Checkpoint::text() const {
    return fmt::format("{}\n{}\n{}\n", origin, size, crypto::to_base64(root));
}

Result<Checkpoint> Checkpoint::parse(std::string_view text) {
    const Error malformed(Code::InvalidRequest, "that is not a checkpoint");
    if (!text.ends_with('\n')) return malformed;
    text.remove_suffix(1);
    const auto lines = split(text, '\n');
    if (lines.size() < 3 || std::ranges::any_of(lines, &std::string_view::empty)) return malformed;
    Checkpoint checkpoint;
    checkpoint.origin = std::string(lines[0]);
    const auto size = parse_decimal(lines[1]);
    const auto root = crypto::from_base64(lines[2]);
    if (!size || fmt::format("{}", *size) != lines[1] || !root || root->size() != checkpoint.root.size())
        return malformed;
    checkpoint.size = *size;
    std::ranges::copy(*root, checkpoint.root.begin());
    return checkpoint;
}

std::string inclusion_text(std::uint64_t index, const Proof& proof, std::string_view signed_checkpoint) {
    return fmt::format("c2sp.org/tlog-proof@v1\nindex {}\n{}\n{}", index, hash_lines(proof), signed_checkpoint);
}

std::string consistency_text(std::uint64_t old_size, const Proof& proof, std::string_view signed_checkpoint) {
    return fmt::format("marque/consistency-proof@v1\nold {}\n{}\n{}", old_size, hash_lines(proof), signed_checkpoint);
}

}  // namespace marque::audit
