#include "installation/key_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

#include "authority/keys.h"
#include "base/file.h"
#include "base/text.h"

namespace marque {
namespace {

constexpr std::size_t hex_length = authority::root_key_bytes * 2;

int digit(std::uint8_t c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

// Through Secrets only: the key's text is as secret as the key.
Result<Secret> decode(const Secret& text, std::size_t size, const std::string& path) {
    const Error malformed(Code::Corrupt, quote(path, 200) + " is not a root key",
                          "it holds 64 hexadecimal characters and a newline");
    const ByteView bytes = text.reveal();
    if (size != hex_length + 1 || bytes[hex_length] != '\n') return malformed;
    Secret key(authority::root_key_bytes);
    for (std::size_t i = 0; i < key.size(); ++i) {
        const int high = digit(bytes[2 * i]), low = digit(bytes[2 * i + 1]);
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
    Secret text(hex_length + 1);
    static constexpr char digits[] = "0123456789abcdef";
    for (std::size_t i = 0; i < key.size(); ++i) {
        text.writable()[2 * i] = static_cast<std::uint8_t>(digits[key.reveal()[i] >> 4]);
        text.writable()[2 * i + 1] = static_cast<std::uint8_t>(digits[key.reveal()[i] & 15]);
    }
    text.writable()[hex_length] = '\n';
    return text;
}

// Written whole under another name, so that an interruption leaves no half of a key.
Result<void> write_key(const std::string& path, const Secret& key) {
    const Secret text = hex_of(key);
    const std::string part = path + ".part";
    ::unlink(part.c_str());
    const File file(::open(part.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file.is_open()) return system_error("cannot create " + quote(part, 200));
    const auto written = ::write(file.fd(), text.reveal().data(), text.size());
    if (written != static_cast<ssize_t>(text.size()) || ::fsync(file.fd()) != 0)
        return system_error("cannot write " + quote(part, 200));
    if (::renameat2(AT_FDCWD, part.c_str(), AT_FDCWD, path.c_str(), RENAME_NOREPLACE) != 0)
        return system_error("cannot create " + quote(path, 200));
    return sync_folder_of(path);
}

}  // namespace

Result<void> ensure_root_key(const std::string& path, Random& random) {
    if (!std::filesystem::exists(path)) return write_key(path, TRY(new_key(random)));
    TRY(read_root_key_file(path));
    return {};
}

Result<void> copy_root_key(const std::string& from, const std::string& to) {
    const Secret key = TRY(read_root_key_file(from));
    if (!std::filesystem::exists(to)) return write_key(to, key);
    const Secret there = TRY(read_root_key_file(to));
    if (std::ranges::equal(there.reveal(), key.reveal())) return {};
    return Error(Code::StateRefuses, quote(to, 200) + " is another installation's key");
}

Result<Secret> read_root_key_file(const std::string& path) {
    const File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!file.is_open()) {
        if (errno == ENOENT || errno == ENOTDIR)
            return Error(Code::Unavailable, "there is no root key at " + quote(path, 200),
                         "make a store with marque init, or say where it is with --store or MARQUE_STORE");
        return system_error("cannot read " + quote(path, 200));
    }
    struct stat info{};
    if (::fstat(file.fd(), &info) != 0 || !S_ISREG(info.st_mode))
        return Error(Code::Corrupt, quote(path, 200) + " is not a file");
    if ((info.st_mode & 077) != 0)
        return Error(Code::StateRefuses,
                     fmt::format("{} can be used by others (mode {:04o})", quote(path, 200), info.st_mode & 07777),
                     "chmod 600 it, and think about who may have read it");
    Secret text(hex_length + 2);
    const auto got = ::read(file.fd(), text.writable().data(), text.size());
    if (got < 0) return system_error("cannot read " + quote(path, 200));
    return decode(text, static_cast<std::size_t>(got), path);
}

}  // namespace marque
