#include "cli/roster.h"

#include <fmt/format.h>

#include <set>

#include "base/text.h"
#include "domain/token.h"

namespace marque::cli {
namespace {

using authority::CreateRequest;
using namespace domain;

std::vector<std::string_view> words_of(std::string_view line) {
    std::vector<std::string_view> words;
    for (const std::string_view word : split(line, ' '))
        if (!word.empty()) words.push_back(word);
    return words;
}

Result<void> set(CreateRequest& request, std::string_view word) {
    const std::size_t equals = word.find('=');
    const std::string_view key = word.substr(0, equals);
    const std::string_view value = equals == std::string_view::npos ? "" : word.substr(equals + 1);
    if (key == "scope") {
        request.scopes = TRY(ScopeSet::parse(value));
    } else if (key == "env") {
        request.environment = TRY(EnvironmentName::parse(value));
    } else if (key == "kind") {
        request.kind = TRY(parse_kind(value));
    } else if (key == "expires") {
        request.expires = TRY(Ending::parse(value));
    } else if (key == "contact") {
        request.contact = TRY(parse_free_text("contact", value, 200));
    } else if (key == "label") {
        const auto label = TRY(authority::parse_label(value));
        request.labels[label.first] = label.second;
    } else {
        return Error(Code::InvalidRequest, quote(word) + " is not understood",
                     "after the name: scope= env= kind= expires= contact= label=key=value");
    }
    return {};
}

Result<CreateRequest> parse_line(std::string_view line, const RequestFor& request_for) {
    if (line.size() > longest_roster_line) return Error(Code::InvalidRequest, "the line is too long");
    if (line.find_first_of(std::string_view("\0\t\r", 3)) != std::string_view::npos)
        return Error(Code::InvalidRequest, "the line has a tab or another control character", "use blanks");
    const auto words = words_of(line);
    // Not quoted: a file given by mistake may be a token or a key.
    if (domain::mentions_token(line))
        return Error(Code::InvalidRequest, "there is a token in the line", "this is not a file of identities");
    if (!is_name(words.front()))
        return Error(Code::InvalidRequest, "the line does not begin with a name for an identity",
                     "names are 1 to 63 of a-z 0-9 . _ - and begin with a letter or digit");
    CreateRequest request = request_for(TRY(IdentityName::parse(words.front())));
    std::set<std::string_view> given;  // "env", "label=team"
    for (std::size_t i = 1; i < words.size(); ++i) {
        const bool is_label = words[i].starts_with("label=");
        const std::string_view key = words[i].substr(0, words[i].find('=', is_label ? 6 : 0));
        if (!given.insert(key).second)
            return Error(Code::InvalidRequest, quote(key) + " is given twice",
                         "give it once: it is not clear which one holds");
        TRY(set(request, words[i]));
    }
    if (request.scopes.empty())
        return Error(Code::InvalidRequest, "identity " + request.name.text() + " has no scope",
                     "write scope=… after its name, or --scope for all");
    return request;
}

}  // namespace

Result<std::vector<CreateRequest>> parse_roster(std::string_view text, const RequestFor& request_for) {
    std::vector<CreateRequest> requests;
    std::size_t number = 0;
    for (const std::string_view line : split(text, '\n')) {
        ++number;
        const std::size_t begin = line.find_first_not_of(' ');
        if (begin == std::string_view::npos || line[begin] == '#') continue;
        auto request = parse_line(line, request_for);
        if (!request)
            return Error(request.error().code, fmt::format("line {}: {}", number, request.error().message),
                         request.error().hint);
        requests.push_back(request.release());
        if (requests.size() > most_roster_lines)
            return Error(Code::InvalidRequest, fmt::format("more than {} identities", most_roster_lines),
                         "split the file");
    }
    if (requests.empty()) return Error(Code::InvalidRequest, "the file names nobody");
    return requests;
}

}  // namespace marque::cli
