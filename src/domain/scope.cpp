#include "domain/scope.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>

#include "base/text.h"
#include "domain/name.h"

namespace marque::domain {

Result<Scope> Scope::parse(std::string_view text) {
    const std::size_t colon = text.find(':');
    if (colon != std::string_view::npos && is_name(text.substr(0, colon)) && is_name(text.substr(colon + 1)))
        return Scope(std::string(text));
    std::vector<std::string> names;
    for (const Preset& preset : presets()) names.emplace_back(preset.name);
    return Error(Code::InvalidRequest, fmt::format("{} is not a scope", quote(text)),
                 fmt::format("scopes are resource:verb, such as card:edit, or a preset: {}", fmt::join(names, ", ")));
}

Result<ScopeSet> ScopeSet::parse(std::string_view text) {
    ScopeSet set;
    for (const std::string_view part : split(text, ',')) {
        const auto preset = std::ranges::find(presets(), part, &Preset::name);
        if (preset == presets().end())
            set.scopes_.push_back(TRY(Scope::parse(part)));
        else
            for (const std::string_view scope : preset->scopes) set.scopes_.push_back(TRY(Scope::parse(scope)));
        if (set.scopes_.size() > 4 * limit) break;
    }
    std::ranges::sort(set.scopes_);
    set.scopes_.erase(std::unique(set.scopes_.begin(), set.scopes_.end()), set.scopes_.end());
    if (set.scopes_.size() > limit) return Error(Code::InvalidRequest, fmt::format("more than {} scopes", limit));
    return set;
}

bool ScopeSet::contains(const Scope& scope) const {
    return std::ranges::binary_search(scopes_, scope);
}

bool ScopeSet::is_subset_of(const ScopeSet& other) const {
    return std::ranges::includes(other.scopes_, scopes_);
}

ScopeSet ScopeSet::intersection(const ScopeSet& other) const {
    ScopeSet both;
    std::ranges::set_intersection(scopes_, other.scopes_, std::back_inserter(both.scopes_));
    return both;
}

ScopeSet ScopeSet::minus(const ScopeSet& other) const {
    ScopeSet rest;
    std::ranges::set_difference(scopes_, other.scopes_, std::back_inserter(rest.scopes_));
    return rest;
}

std::string ScopeSet::text() const {
    std::string text;
    for (const Scope& scope : scopes_) {
        if (!text.empty()) text += ',';
        text += scope.text();
    }
    return text;
}

const std::vector<Preset>& presets() {
    static const std::vector<Preset> all = {
        {"kan",
         {"workspace:view", "workspace:edit", "workspace:delete", "workspace:manage", "board:view",   "board:create",
          "board:edit",     "board:delete",   "list:view",        "list:create",      "list:edit",    "list:delete",
          "card:view",      "card:create",    "card:edit",        "card:delete",      "comment:view", "comment:create",
          "comment:edit",   "comment:delete", "member:view",      "member:invite",    "member:edit",  "member:remove"}},
    };
    return all;
}

std::string likely_meant(const Scope& scope) {
    std::vector<std::string> known;
    for (const Preset& preset : presets()) known.insert(known.end(), preset.scopes.begin(), preset.scopes.end());
    if (std::ranges::find(known, scope.text()) != known.end()) return {};
    return closest(scope.text(), known);
}

}  // namespace marque::domain
