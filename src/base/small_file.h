// base/small_file.h: the one reader of files that are read whole.
//
// People's editors and pipes give a file a byte order mark, CR LF, blanks at the end, no newline at the end, or two
// items where one was meant; disks give a read error in the middle; a device never ends. The rules for all of that are
// here, so that every file is read by the same ones: a read error is an error and never the end of the file, every
// file has a limit, and what is wrong is named together with its line.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>

#include "base/result.h"
#include "base/secret.h"

namespace marque {

struct ReadRules {
    // A file that is longer is refused.
    std::size_t limit_bytes = 64 * 1024;

    enum class Origin {
        Named,    // a person or a setting names it: "-" is standard input, and a pipe such as <(…) may be read
        Regular,  // a regular file; links are followed
        Own,      // lies in a store's folder: a regular file itself, and no link to one
    };
    Origin origin = Origin::Named;

    // The permissions that others must not have on the file.
    mode_t forbidden = 0;

    // A file can name a program, which this process then runs, or a server, to which it sends a password. Such a file
    // is read only if it belongs to the caller or to root.
    enum class Writer {
        Anyone,
        UsOrRoot,  // the file belongs to the effective user or to root
    };
    Writer writer = Writer::Anyone;
};

// Reads a text file. Removes a byte order mark, blanks at the ends of lines, and blank lines at the end; every line of
// the result ends with "\n". Errors: InvalidRequest for a Named file and Corrupt for others, when it is too long, has
// the wrong type, is not UTF-8 or contains a NUL; InvalidRequest when it does not exist; PermissionDenied or
// Unavailable, with the system's reason, when it can't be read; StateRefuses when other accounts could have used or
// written it.
Result<std::string> read_text(const std::string& path, const ReadRules& rules);

// Reads a file of one line, and returns the line without blanks around it. Errors: those of read_text(), and the same
// codes when the file has no line, or more than one; the message then has the number of the second.
Result<std::string> read_line(const std::string& path, const ReadRules& rules);

// Like read_line(), for a line that is secret: no error has a part of it.
Result<Secret> read_secret_line(const std::string& path, const ReadRules& rules);

// A file's bytes as they are. Errors: as of read_text.
Result<Secret> read_secret(const std::string& path, const ReadRules& rules);

// Like read_text() and read_line(), but return nothing if the file does not exist.
Result<std::optional<std::string>> read_text_if_there(const std::string& path, const ReadRules& rules);
Result<std::optional<std::string>> read_line_if_there(const std::string& path, const ReadRules& rules);

// Reads what was typed at the terminal that is standard input, up to the first line's end. Errors: as of read_secret.
Result<Secret> read_secret_from_terminal(std::size_t limit_bytes);

// The one line of a text, as read_line() takes it out of a file that `name` stands for. Points into `text`. Errors:
// `code`.
Result<std::string_view> only_line(std::string_view text, const std::string& name, Code code);

}  // namespace marque
