// domain/name.h: names of workspaces, environments, identities and operators.
//
// [a-z0-9][a-z0-9._-]{0,62}, compared byte by byte. Anything else is refused, never mapped:
// a name that is folded or normalised is a name two people can both hold.
#pragma once

#include <compare>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace marque::domain {

// Whether `text` has the form above.
bool is_name(std::string_view text);

// Errors: InvalidRequest; `what` is the word for the thing, such as "identity".
Result<std::string> parse_name(std::string_view what, std::string_view text);

// Kind::word is the thing's name in messages. Different kinds of names don't mix.
template <class Kind>
class Name {
 public:
    // Errors: InvalidRequest.
    static Result<Name> parse(std::string_view text) { return Name(TRY(parse_name(Kind::word, text))); }

    const std::string& text() const { return text_; }
    auto operator<=>(const Name&) const = default;

 private:
    explicit Name(std::string text) : text_(std::move(text)) {}
    std::string text_;
};

struct WorkspaceKind {
    static constexpr const char* word = "workspace";
};
struct EnvironmentKind {
    static constexpr const char* word = "environment";
};
struct IdentityKind {
    static constexpr const char* word = "identity";
};
struct OperatorKind {
    static constexpr const char* word = "operator";
};

using WorkspaceName = Name<WorkspaceKind>;
using EnvironmentName = Name<EnvironmentKind>;
using IdentityName = Name<IdentityKind>;
using OperatorName = Name<OperatorKind>;

}  // namespace marque::domain
