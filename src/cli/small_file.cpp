#include "cli/small_file.h"

#include <fstream>
#include <iostream>

#include "base/text.h"

namespace marque::cli {

Result<std::string> read_small_file(const std::string& path) {
    constexpr std::size_t most = 64 * 1024;
    std::ifstream file;
    if (path != "-") file.open(path, std::ios::binary);
    std::istream& input = path == "-" ? std::cin : file;
    if (!input) return Error(Code::InvalidRequest, "cannot read " + quote(path, 200));
    std::string text(most + 1, '\0');
    input.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(input.gcount()));
    if (input.bad() || text.size() > most) return Error(Code::InvalidRequest, quote(path, 200) + " is too large");
    return text;
}

}  // namespace marque::cli
