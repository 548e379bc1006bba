#include "installation/key_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <sys/stat.h>
#include <unistd.h>

#include "authority/keys.h"
#include "base/new_file.h"
#include "base/small_file.h"
#include "base/text.h"
#include "installation/open.h"
#include "installation/subprocess.h"
#include "installation/trusted_folder.h"

namespace marque {
namespace {

constexpr std::size_t short_hex = authority::root_key_bytes * 2, long_hex = authority::rotated_root_key_bytes * 2;
constexpr std::size_t longest_key_file = 1024, longest_command = 4096;

int digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

// Through Secrets only: the key's text is as secret as the key.
Result<Secret> decode(std::string_view hex, const std::string& name) {
    const Error malformed(Code::Corrupt, name + " is not a root key", "it is 64 hexadecimal characters, or 128");
    if (hex.size() != short_hex && hex.size() != long_hex) return malformed;
    Secret key(hex.size() / 2);
    for (std::size_t i = 0; i < key.size(); ++i) {
        const int high = digit(hex[2 * i]), low = digit(hex[2 * i + 1]);
        if (high < 0 || low < 0) return malformed;
        key.writable()[i] = static_cast<std::uint8_t>(high << 4 | low);
    }
    return key;
}

Result<Secret> new_key(Random& random) {
    Secret key(authority::root_key_bytes);
    TRY(random.fill(key.writable()));
    return key;
}

Secret hex_of(const Secret& key) {
    Secret text(2 * key.size() + 1);
    static constexpr char digits[] = "0123456789abcdef";
    for (std::size_t i = 0; i < key.size(); ++i) {
        text.writable()[2 * i] = static_cast<std::uint8_t>(digits[key.reveal()[i] >> 4]);
        text.writable()[2 * i + 1] = static_cast<std::uint8_t>(digits[key.reveal()[i] & 15]);
    }
    text.writable()[2 * key.size()] = '\n';
    return text;
}

Result<void> write_key(const std::string& path, const Secret& key) {
    return create_file(path, hex_of(key).reveal(), FileOwner::FolderOwner);
}

constexpr mode_t others = 077;

// `forbidden`: what others may not be allowed.
Result<Secret> read_key_file(const std::string& path, mode_t forbidden) {
    const ReadRules rules{longest_key_file, ReadRules::Origin::Own, forbidden};
    const Secret hex = TRY(read_secret_line(path, rules));
    return decode(hex.reveal_text(), quote(path, 200));
}

// One line: the program, an absolute path, and its arguments, with blanks between them. Nothing is inherited that could
// make it another program.
Result<Secret> key_from_command(const std::string& path) {
    const ReadRules rules{longest_command, ReadRules::Origin::Own, 022, ReadRules::Writer::UsOrRoot};
    const std::string line = TRY(read_line(path, rules));
    if (!line.starts_with('/'))
        return Error(Code::Corrupt, quote(path, 200) + " is not a line that begins with an absolute path");
    Subprocess command;
    for (const std::string_view word : split(line, ' ')) {
        if (word.empty()) continue;
        if (command.program.empty())
            command.program = word;
        else
            command.arguments.emplace_back(word);
    }
    Ended ended = TRY(run(command));
    Secret text = Secret::copy_of(bytes_of(ended.output));
    ::explicit_bzero(ended.output.data(), ended.output.size());
    if (ended.status != 0 || ended.is_out_of_time)
        return Error(Code::Unavailable,
                     fmt::format("{} did not print the root key: {}", quote(command.program, 200),
                                 ended.is_out_of_time ? "it took too long" : quote(ended.errors, 200)));
    const std::string name = "what " + quote(command.program, 200) + " printed";
    return decode(TRY(only_line(text.reveal_text(), name, Code::Corrupt)), name);
}

// What can't be looked at is there: reading it says why.
bool exists(const std::string& path) {
    struct stat info{};
    return ::lstat(path.c_str(), &info) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

std::string next_in(const std::string& folder) {
    return key_file_in(folder) + ".next";
}

}  // namespace

std::string key_file_in(const std::string& folder) {
    return folder + "/root.key";
}

std::optional<KeySource> key_source_of(const std::string& folder) {
    using enum KeySource::Kind;
    const std::string file = key_file_in(folder), command = file + ".command";
    if (exists(file)) return KeySource{File, file};
    if (exists(command)) return KeySource{Command, command};
    const char* const credentials = std::getenv("CREDENTIALS_DIRECTORY");
    if (credentials == nullptr || *credentials != '/') return std::nullopt;
    const std::string credential = std::string(credentials) + "/marque.root-key";
    if (exists(credential)) return KeySource{Credential, credential};
    return std::nullopt;
}

Result<Secret> read_root_key(const std::string& folder) {
    TRY(installation::require_trusted(folder));
    const auto source = key_source_of(folder);
    if (!source && !exists(installation::database_in(folder)) && !exists(installation::conninfo_file_in(folder)))
        return Error(Code::Unavailable, "there is no store in " + quote(folder, 200),
                     "make one with marque init, or say where it is with --store or MARQUE_STORE");
    if (!source)
        return Error(Code::Unavailable, "there is no root key at " + quote(key_file_in(folder), 200),
                     "put it back from where it is kept: without it no token can be checked");
    switch (source->kind) {
        case KeySource::Kind::File:
            return read_key_file(source->path, others);
        case KeySource::Kind::Command:
            return key_from_command(source->path);
        case KeySource::Kind::Credential:
            // systemd may give the service's user its right by an access list, whose mask shows as the group's.
            return read_key_file(source->path, 037);
    }
    return Error(Code::Unexpected, "there is no such source of keys");
}

Result<void> ensure_root_key(const std::string& folder, Random& random) {
    if (!key_source_of(folder)) return write_key(key_file_in(folder), TRY(new_key(random)));
    TRY(read_root_key(folder));
    return {};
}

Result<void> copy_root_key(const std::string& from, const std::string& to) {
    const Secret key = TRY(read_root_key(from));
    const std::string file = key_file_in(to);
    if (!exists(file)) return write_key(file, key);
    const Secret there = TRY(read_key_file(file, others));
    if (std::ranges::equal(there.reveal(), key.reveal())) return {};
    return Error(Code::StateRefuses, quote(file, 200) + " is another installation's key");
}

Result<Secret> next_root_key(const std::string& folder, Random& random) {
    const auto source = key_source_of(folder);
    if (source && source->kind != KeySource::Kind::File)
        return Error(Code::StateRefuses, fmt::format("the root key is not here, but from {}", quote(source->path, 200)),
                     "put it into root.key, mode 600, for the time of the rotation, and the new one back where it was");
    const std::string file = next_in(folder);
    if (!exists(file)) {
        const Secret root = TRY(read_root_key(folder)), fresh = TRY(new_key(random));
        TRY(write_key(file, authority::rotated_root_key(root, fresh)));
    }
    return read_key_file(file, others);
}

Result<void> adopt_next_root_key(const std::string& folder) {
    return rename_over(next_in(folder), key_file_in(folder));
}

}  // namespace marque
