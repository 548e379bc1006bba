#include "main/ssh_key.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/decimal.h"
#include "base/text.h"

namespace marque {
namespace {

constexpr const char* ssh_keygen = "/usr/bin/ssh-keygen";
constexpr std::uint64_t least_rsa_bits = 3072;
constexpr std::size_t longest_key_line = 16 * 1024;

struct Ran {
    int status = -1;
    std::string output;
};

// `ssh-keygen -l -f -` with the key's line on its standard input.
Result<Ran> fingerprint(const std::string& line) {
    int input[2], output[2];
    if (::pipe2(input, O_CLOEXEC) != 0) return Error(Code::Unavailable, "cannot make a pipe");
    if (::pipe2(output, O_CLOEXEC) != 0) {
        ::close(input[0]), ::close(input[1]);
        return Error(Code::Unavailable, "cannot make a pipe");
    }
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, input[0], STDIN_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, output[1], STDOUT_FILENO);
    ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    char name[] = "ssh-keygen", list[] = "-l", from[] = "-f", stdin_name[] = "-";
    char* const arguments[] = {name, list, from, stdin_name, nullptr};
    char* const environment[] = {nullptr};
    pid_t child = 0;
    const int error = ::posix_spawn(&child, ssh_keygen, &actions, nullptr, arguments, environment);
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(input[0]);
    ::close(output[1]);
    if (error != 0) {
        ::close(input[1]), ::close(output[0]);
        return Error(Code::Unavailable, fmt::format("cannot run {}: {}", ssh_keygen, std::strerror(error)),
                     "it is in Debian's package openssh-client");
    }
    const bool is_sent = ::write(input[1], line.data(), line.size()) == static_cast<ssize_t>(line.size());
    ::close(input[1]);
    Ran ran;
    char buffer[1024];
    for (ssize_t got = 0; (got = ::read(output[0], buffer, sizeof buffer)) > 0;)
        if (ran.output.size() < 4096) ran.output.append(buffer, static_cast<std::size_t>(got));
    ::close(output[0]);
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    ran.status = is_sent && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return ran;
}

bool is_known_type(std::string_view type) {
    return type == "ssh-ed25519" || type == "ssh-rsa" || type.starts_with("ecdsa-sha2-nistp") ||
           type == "sk-ssh-ed25519@openssh.com" || type == "sk-ecdsa-sha2-nistp256@openssh.com";
}

}  // namespace

Result<domain::Owner> read_ssh_public_key(const std::string& path) {
    std::ifstream file(path);
    std::string line;
    if (!file || !std::getline(file, line)) return Error(Code::InvalidRequest, "cannot read " + quote(path, 200));
    const Error malformed(Code::InvalidRequest, quote(path, 200) + " is not an OpenSSH public key",
                          "an owner key is the .pub file of ssh-ed25519, ecdsa, rsa (3072 bits or more) or sk-");
    if (line.size() > longest_key_line) return malformed;
    // type base64 [comment]; options before the type, as authorized_keys has them, are refused.
    const std::size_t type_end = line.find(' ');
    const std::string type = line.substr(0, type_end);
    if (type_end == std::string::npos || !is_known_type(type)) return malformed;
    const std::size_t key_end = line.find(' ', type_end + 1);
    const std::string key = line.substr(0, key_end);
    const std::string comment = key_end == std::string::npos ? "" : line.substr(key_end + 1);

    const Ran ran = TRY(fingerprint(key + "\n"));
    const auto words = split(ran.output, ' ');  // 256 SHA256:… comment (ED25519)
    if (ran.status != 0 || words.size() < 2 || !words[1].starts_with("SHA256:")) return malformed;
    if (type == "ssh-rsa" && parse_decimal(words[0]).value_or(0) < least_rsa_bits)
        return Error(Code::InvalidRequest, fmt::format("an RSA key of {} bits is too short for an owner", words[0]),
                     "use at least 3072 bits, or ssh-ed25519");
    const std::string kept_comment = TRY(parse_free_text("key's comment", comment, 200));
    return domain::Owner{std::string(words[1]), key, kept_comment};
}

}  // namespace marque
