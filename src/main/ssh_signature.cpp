#include "main/ssh_signature.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "base/small_file.h"
#include "base/text.h"
#include "installation/subprocess.h"
#include "main/ssh_key.h"

namespace marque {
namespace {

using domain::Owner;

constexpr std::size_t longest_signature = 16 * 1024;

// One key's line of an allowed-signers file (ssh-keygen(1), ALLOWED SIGNERS).
std::string allowed_signers(std::span<const Owner> owners) {
    std::string lines;
    for (const Owner& owner : owners) {
        // Whatever was written into the database: only what can be nothing but one fingerprint and one key.
        if (!is_fingerprint(owner.fingerprint) || !is_public_key(owner.public_key)) continue;
        lines += fmt::format("{} namespaces=\"{}\" {}\n", owner.fingerprint, authority::signature_namespace,
                             owner.public_key);
    }
    return lines;
}

Error not_counted(const std::string& what) {
    return Error(Code::PermissionDenied, what);
}

// What OpenSSH says of a signature that it does not accept, in our words. Only what it is known to say of signatures is
// a judgement: for any other reason it could not judge.
Error refusal_from(const Ended& ended) {
    const auto says = [&](const char* words) { return ended.errors.find(words) != std::string::npos; };
    const std::string said = quote(ended.errors.substr(0, ended.errors.find_first_of("\r\n")), 200);
    if (says("namespace does not match"))
        return not_counted(fmt::format("the signature was made for another purpose: its namespace is not {}",
                                       authority::signature_namespace));
    if (says("incorrect signature"))
        return not_counted("the signature is not over the text of this request of this installation");
    if (says("Couldn't parse signature") || says("sshsig_armor") || says("invalid format") || says("missing header"))
        return not_counted("the signature is garbled: " + said);
    if (says("No principal matched")) return not_counted("the signature is by a key that is no owner's here");
    if (ended.is_out_of_time) return Error(Code::Unavailable, "ssh-keygen did not answer in time");
    return Error(Code::Unavailable, "ssh-keygen could not judge a signature: " + said,
                 "it needs /proc, and the account that runs marque in /etc/passwd");
}

// The two marks, and between them nothing but base64: what is kept in the log is this and no more.
bool is_armoured(std::string_view text) {
    constexpr std::string_view begin = "-----BEGIN SSH SIGNATURE-----\n", end = "-----END SSH SIGNATURE-----\n";
    if (text.size() > longest_signature || !text.starts_with(begin) || !text.ends_with(end)) return false;
    text.remove_prefix(begin.size());
    text.remove_suffix(end.size());
    return std::ranges::all_of(split(text, '\n'),
                               [](std::string_view line) { return line.empty() || is_base64(line); });
}

std::string expand_home(const char* below) {
    const char* home = std::getenv("HOME");
    return home == nullptr || *home == '\0' ? std::string() : std::string(home) + below;
}

// The public key beside a private one, or in the file itself.
std::string public_key_in(const std::string& path) {
    const auto line = read_line(path, {longest_signature, ReadRules::Origin::Regular});
    return line ? std::string(without_comment(*line)) : std::string();
}

bool is_one_of(const std::string& key, std::span<const Owner> owners) {
    return std::ranges::find(owners, key, &Owner::public_key) != owners.end();
}

// Files in ~/.ssh whose .pub is a registered owner's.
std::vector<std::string> key_files(std::span<const Owner> owners) {
    std::vector<std::string> found;
    const std::string folder = expand_home("/.ssh");
    std::error_code error;
    if (folder.empty()) return found;
    for (const auto& entry : std::filesystem::directory_iterator(folder, error))
        if (entry.path().extension() == ".pub" && is_one_of(public_key_in(entry.path()), owners) &&
            std::filesystem::exists(std::filesystem::path(entry.path()).replace_extension(), error))
            found.push_back(std::filesystem::path(entry.path()).replace_extension());
    std::ranges::sort(found);
    return found;
}

// What ssh-keygen needs to ask a person, an agent or a hardware key, and nothing else of ours.
std::vector<std::string> environment_to_sign() {
    std::vector<std::string> environment;
    for (const char* name : {"HOME", "PATH", "TERM", "LANG", "SSH_AUTH_SOCK", "SSH_ASKPASS", "SSH_ASKPASS_REQUIRE",
                             "SSH_SK_PROVIDER", "DISPLAY", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR"})
        if (const char* value = std::getenv(name)) environment.push_back(fmt::format("{}={}", name, value));
    return environment;
}

// A key of the owners that the agent holds; empty: none.
std::string held_by_agent(std::span<const Owner> owners) {
    if (std::getenv("SSH_AUTH_SOCK") == nullptr) return {};
    const auto listed = run({"/usr/bin/ssh-add", {"-L"}, environment_to_sign(), "", {}});
    if (!listed || listed->status != 0) return {};
    for (const std::string_view line : split(listed->output, '\n'))
        if (const std::string key(without_comment(line)); is_one_of(key, owners)) return key;
    return {};
}

Result<std::string> sign(std::string_view text, const std::string& key, std::vector<std::string> files) {
    Subprocess keygen{ssh_keygen,
                      {"-Y", "sign", "-n", authority::signature_namespace, "-f", key},
                      environment_to_sign(),
                      std::string(text),
                      std::move(files)};
    keygen.longest = std::chrono::minutes(5);  // a passphrase to be typed, a key to be found and touched
    keygen.is_interactive = true;
    const Ended ended = TRY(run(keygen));
    if (ended.status == 0 && !ended.output.empty()) return ended.output;
    return Error(Code::Unavailable, "ssh-keygen made no signature; nothing changed",
                 "it has said why above; another key: marque approval sign --key FILE");
}

}  // namespace

Result<std::string> SshSignatures::signer(std::string_view text, std::string_view signature,
                                          std::span<const Owner> owners) const {
    if (!is_armoured(signature))
        return not_counted(
            "this is no SSH signature: it is not base64 between -----BEGIN SSH SIGNATURE----- and -----END SSH "
            "SIGNATURE-----");
    const std::vector<std::string> files{allowed_signers(owners), std::string(signature)};
    const Ended found = TRY(run({ssh_keygen, {"-Y", "find-principals", "-f", "%0", "-s", "%1"}, {}, "", files}));
    if (found.status != 0) return refusal_from(found);
    std::string fingerprint = found.output.substr(0, found.output.find('\n'));
    if (std::ranges::find(owners, fingerprint, &Owner::fingerprint) == owners.end())
        return not_counted("the signature is by a key that is no owner's here");
    const Ended verified =
        TRY(run({ssh_keygen,
                 {"-Y", "verify", "-f", "%0", "-I", fingerprint, "-n", authority::signature_namespace, "-s", "%1"},
                 {},
                 std::string(text),
                 files}));
    if (verified.status != 0) return refusal_from(verified);
    return fingerprint;
}

Result<std::string> sign_with_ssh_key(std::string_view text, const std::string& key, std::span<const Owner> owners) {
    if (!key.empty()) return sign(text, key, {});
    if (const std::string held = held_by_agent(owners); !held.empty()) return sign(text, "%0", {held + "\n"});
    if (const auto files = key_files(owners); !files.empty()) return sign(text, files.front(), {});
    return Error(Code::NotFound, "no registered owner's key is held by the agent or lies in ~/.ssh",
                 "say which with --key FILE, or sign elsewhere: marque approval export");
}

}  // namespace marque
