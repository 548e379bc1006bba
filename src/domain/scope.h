// domain/scope.h: what a credential may do, as a set of `resource:verb`.
//
// No wildcards and no hierarchy: a set holds what it lists, and a subset is a subset.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace marque::domain {

class Scope {
 public:
    // `resource:verb`, each [a-z0-9][a-z0-9._-]{0,62}. Errors: InvalidRequest.
    static Result<Scope> parse(std::string_view text);

    const std::string& text() const { return text_; }
    auto operator<=>(const Scope&) const = default;

 private:
    explicit Scope(std::string text) : text_(std::move(text)) {}
    std::string text_;
};

// Sorted, each scope once.
class ScopeSet {
 public:
    static constexpr std::size_t limit = 128;

    ScopeSet() = default;
    // Comma-separated scopes and names of presets (`card:edit,kan`). At least one, at most
    // `limit`. Errors: InvalidRequest, with the closest known scope as a hint.
    static Result<ScopeSet> parse(std::string_view text);

    bool contains(const Scope& scope) const;
    bool is_subset_of(const ScopeSet& other) const;
    ScopeSet intersection(const ScopeSet& other) const;
    // Those of this set that `other` lacks.
    ScopeSet minus(const ScopeSet& other) const;

    // Comma-separated; what `parse` reads back.
    std::string text() const;
    const std::vector<Scope>& scopes() const& { return scopes_; }
    std::vector<Scope> scopes() && { return std::move(scopes_); }
    bool empty() const { return scopes_.empty(); }
    bool operator==(const ScopeSet&) const = default;

 private:
    std::vector<Scope> scopes_;
};

// A named list of scopes that can be written in place of its members.
struct Preset {
    std::string_view name;
    std::vector<std::string_view> scopes;
};
const std::vector<Preset>& presets();

// A scope of some preset that differs from `scope` by a letter or two while `scope` itself is
// in none: most likely what was meant. Empty when there is nothing to say.
std::string likely_meant(const Scope& scope);

}  // namespace marque::domain
