// What parses is sorted, without doubles, within its limit, and reads back from its own text.
#include <algorithm>

#include "domain/scope.h"
#include "fuzz.h"

using namespace marque::domain;

void fuzz(std::string_view input) {
    const auto set = ScopeSet::parse(input);
    if (!set) return;
    const auto& scopes = set->scopes();
    CHECK(!scopes.empty() && scopes.size() <= ScopeSet::limit);
    CHECK(std::ranges::is_sorted(scopes) && std::ranges::adjacent_find(scopes) == scopes.end());
    const auto again = ScopeSet::parse(set->text());
    CHECK(again && *again == *set);
    CHECK(set->is_subset_of(*again) && set->minus(*again).empty() && set->intersection(*again) == *set);
    for (const Scope& scope : scopes) CHECK(set->contains(scope));
}
