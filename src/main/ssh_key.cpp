#include "main/ssh_key.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/decimal.h"
#include "base/small_file.h"
#include "base/text.h"
#include "installation/subprocess.h"

namespace marque {
namespace {

constexpr std::uint64_t least_rsa_bits = 3072;
constexpr std::size_t longest_key_file = 16 * 1024;

bool is_known_type(std::string_view type) {
    return type == "ssh-ed25519" || type == "ssh-rsa" || type == "ecdsa-sha2-nistp256" ||
           type == "ecdsa-sha2-nistp384" || type == "ecdsa-sha2-nistp521" || type == "sk-ssh-ed25519@openssh.com" ||
           type == "sk-ecdsa-sha2-nistp256@openssh.com";
}

}  // namespace

bool is_base64(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/' ||
               c == '=';
    });
}

bool is_fingerprint(std::string_view text) {
    return text.starts_with("SHA256:") && is_base64(text.substr(7));
}

bool is_public_key(std::string_view text) {
    const std::size_t end = text.find(' ');
    return end != std::string_view::npos && is_known_type(text.substr(0, end)) && is_base64(text.substr(end + 1));
}

std::string_view without_comment(std::string_view line) {
    return line.substr(0, line.find(' ', line.find(' ') + 1));
}

Result<domain::Owner> read_ssh_public_key(const std::string& path) {
    const std::string text = TRY(read_text(path, {longest_key_file}));
    const std::string name = path == "-" ? "standard input" : quote(path, 200);
    const Error malformed(Code::InvalidRequest, name + " is not an OpenSSH public key",
                          "an owner key is the .pub file of ssh-ed25519, ecdsa, rsa (3072 bits or more) or sk-");
    // A private key has many lines. Tell the user that it is private before telling that it has more than one line.
    const std::size_t begin = std::min(text.find_first_not_of(" \n"), text.size());
    if (!is_known_type(std::string_view(text).substr(begin, text.find(' ', begin) - begin))) return malformed;
    auto one = only_line(text, name, Code::InvalidRequest);
    if (!one) {
        one.error().hint = "register each key by itself";
        return one.error();
    }
    const std::string line(*one);
    // type base64 [comment]; options before the type, as authorized_keys has them, are refused.
    const std::size_t type_end = line.find(' ');
    const std::string type = line.substr(0, type_end);
    if (type_end == std::string::npos) return malformed;
    const std::size_t key_end = line.find(' ', type_end + 1);
    const std::string key = line.substr(0, key_end);
    const std::string comment = key_end == std::string::npos ? "" : line.substr(key_end + 1);

    auto ran = run({ssh_keygen, {"-l", "-f", "-"}, {}, key + "\n", {}});
    if (!ran) return Error(Code::Unavailable, ran.error().message, "it is in Debian's package openssh-client");
    if (ran->status != 0 && ran->errors.find("not a public key") == std::string::npos)
        return Error(Code::Unavailable,
                     "ssh-keygen could not judge the key: " +
                         quote(ran->errors.substr(0, ran->errors.find_first_of("\r\n")), 200),
                     "it needs the account that runs marque in /etc/passwd");
    const auto words = split(ran->output, ' ');  // 256 SHA256:… comment (ED25519)
    if (ran->status != 0 || words.size() < 2 || !is_fingerprint(words[1]) || !is_public_key(key)) return malformed;
    if (type == "ssh-rsa" && parse_decimal(words[0]).value_or(0) < least_rsa_bits)
        return Error(Code::InvalidRequest, fmt::format("an RSA key of {} bits is too short for an owner", words[0]),
                     "use at least 3072 bits, or ssh-ed25519");
    const std::string kept_comment = TRY(parse_free_text("key's comment", comment, 200));
    return domain::Owner{std::string(words[1]), key, kept_comment, std::nullopt};
}

}  // namespace marque
