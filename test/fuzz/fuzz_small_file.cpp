// The small files of a store's folder: the key, what was known of the log, where the database is, the hooks and when
// they were last told. Each is taken exactly when it has its form, and then says what its bytes say; a file of no sense
// is an error and never an absence.
//
// Input: a byte that picks the file, its contents.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <fcntl.h>
#include <optional>
#include <unistd.h>

#include "base/file.h"
#include "base/small_file.h"
#include "base/text.h"
#include "fuzz.h"
#include "installation/key_file.h"
#include "installation/known_log_file.h"
#include "installation/open.h"
#include "main/hooks.h"

using namespace marque;

namespace {

const std::string& folder() {
    static const std::string made = [] {
        std::string name = "/dev/shm/marque-fuzz-XXXXXX";
        CHECK(::mkdtemp(name.data()) != nullptr);
        return name;
    }();
    static const auto remove = [] {
        for (const char* file :
             {"root.key", "known_log", "postgresql.conninfo", "hooks.toml", "notified.expiring_soon"})
            ::unlink((folder() + "/" + file).c_str());
        ::rmdir(folder().c_str());
    };
    static const int once = std::atexit(remove);
    CHECK(once == 0);
    return made;
}

// The one line of a text, as the files of one line are read; nothing: it has none, or is no text.
std::optional<std::string> line_in(std::string_view text) {
    const auto line = only_line(text, "", Code::Corrupt);
    if (!line) return std::nullopt;
    return std::string(*line);
}

std::string put(const char* name, std::string_view text) {
    const std::string path = folder() + "/" + name;
    const File file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    CHECK(::write(file.fd(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    return path;
}

void check_key(std::string_view text) {
    put("root.key", text);
    const auto key = read_root_key(folder());
    // One key, or after a rotation two.
    const auto line = text.size() > 1024 ? std::nullopt : line_in(text);
    const bool is_one = line && (line->size() == 64 || line->size() == 128) &&
                        line->find_first_not_of("0123456789abcdef") == std::string::npos;
    CHECK(key.has_value() == is_one);
    if (key)
        CHECK(to_hex(key->reveal()) == *line);
    else
        // Not even a part of what might be a key is in what is said of it.
        CHECK(key.error().code == Code::Corrupt &&
              (std::min(text.find_first_not_of("0123456789abcdef"), text.size()) < 16 ||
               key.error().message.find(text.substr(0, 16)) == std::string::npos));
}

void check_known_log(std::string_view text) {
    put("known_log", text);
    installation::KnownLogFile file(folder());
    const auto known = file.recall();
    if (!known) {
        CHECK(known.error().code == Code::Corrupt);
        return;
    }
    CHECK(*known);
    // What is written from it is what was there, but for a number's leading zeros.
    CHECK(file.remember(**known) && *file.recall() == *known);
    const std::string line = line_in(text).value();
    const auto words = split(line, ' ');
    CHECK(words.size() == 4 && words[0] == (*known)->installation && words[2] == to_hex((*known)->leaf) &&
          words[3] == to_rfc3339((*known)->at));
    CHECK(words[1].find_first_not_of("0123456789") == std::string_view::npos &&
          words[1].ends_with(std::to_string((*known)->size)));
}

void check_conninfo(std::string_view text) {
    const auto conninfo = installation::read_conninfo(put("postgresql.conninfo", text));
    const auto line = text.size() > 4096 ? std::nullopt : line_in(text);
    CHECK(conninfo.has_value() == line.has_value());
    if (conninfo) CHECK(*conninfo == line);
}

void check_hooks(std::string_view text) {
    put("hooks.toml", text);
    for (const std::string_view event : known_hooks) {
        const auto program = hook_for(folder(), std::string(event));
        // Only a file that is there, that belongs to nobody else, and that the text names by its whole path.
        if (program && !program->empty()) CHECK(program->starts_with('/') && ::access(program->c_str(), F_OK) == 0);
        if (program && !program->empty())
            CHECK(text.find("hooks") != std::string_view::npos && text.find(event) != std::string_view::npos);
    }
}

void check_notice(std::string_view text) {
    put("notified.expiring_soon", text);
    const auto at = last_notice(folder(), "expiring_soon");
    if (at)
        CHECK(*at && line_in(text) == to_rfc3339(**at));
    else
        CHECK(at.error().code == Code::Corrupt);
}

}  // namespace

void fuzz(std::string_view input) {
    if (input.empty()) return;
    constexpr std::array checks = {check_key, check_known_log, check_conninfo, check_hooks, check_notice};
    checks[static_cast<unsigned char>(input[0]) % checks.size()](input.substr(1));
}
