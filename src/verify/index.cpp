#include "verify/index.h"

#include <algorithm>
#include <limits>

#include "base/check.h"

namespace marque::verify {

using namespace domain;

namespace {

constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();
constexpr std::uint64_t most_rows = 0xFFFFFFFE;
constexpr std::uint32_t standing_bits = 2;

std::int64_t pack(const std::optional<Instant>& instant) {
    return instant ? std::int64_t{instant->time_since_epoch().count()} : never;
}

std::optional<Instant> unpack(std::int64_t microseconds) {
    if (microseconds == never) return std::nullopt;
    return Instant(Duration(microseconds));
}

Error stands_under_nothing(std::string_view what, std::string_view name) {
    return Error(Code::Corrupt, std::string(what) + " " + std::string(name) + " stands under nothing",
                 "run marque doctor");
}

Error too_many() {
    return Error(Code::Unavailable, "there are more rows than an index holds");
}

// Of the whole name: what NumberTable is given, so its own bits need not be spread.
std::uint64_t hash_of(std::uint32_t workspace, std::string_view name) {
    return std::hash<std::string_view>()(name) + workspace;
}

}  // namespace

std::string_view Index::name_at(std::uint32_t at) const {
    const char* const text = &names_[at];
    return {text + 1, static_cast<std::size_t>(*text)};
}

Index::FullName Index::full_name(std::uint32_t identity) const {
    const Identity& it = identities_[identity];
    return {environments_[it.environment_and_standing >> standing_bits].workspace, name_at(it.name)};
}

std::optional<std::uint32_t> Index::find_line(std::uint64_t id) const {
    return lines_by_id_.find(id, [&](std::uint32_t line) { return lines_[line].key >> 4 == id; });
}

std::optional<std::uint32_t> Index::find_identity(const FullName& name) const {
    return identities_by_name_.find(hash_of(name.workspace, name.name),
                                    [&](std::uint32_t identity) { return full_name(identity) == name; });
}

std::optional<std::uint32_t> Index::find_workspace(std::string_view name) const {
    const auto found = std::ranges::find(workspaces_, name, &Container::name);
    if (found == workspaces_.end()) return std::nullopt;
    return static_cast<std::uint32_t>(found - workspaces_.begin());
}

std::optional<std::uint32_t> Index::find_environment(std::uint32_t workspace, std::string_view name) const {
    const auto found = std::ranges::find_if(
        environments_, [&](const Container& place) { return place.workspace == workspace && place.name == name; });
    if (found == environments_.end()) return std::nullopt;
    return static_cast<std::uint32_t>(found - environments_.begin());
}

Result<std::uint32_t> Index::intern(std::string_view scopes) {
    if (const auto found = scopes_.numbers.find(std::string(scopes)); found != scopes_.numbers.end())
        return found->second;
    auto parsed = ScopeSet::parse(scopes);
    if (!parsed) return Error(Code::Corrupt, "stored scopes make no sense: " + parsed.error().message);
    const auto number = static_cast<std::uint32_t>(scopes_.sets.size());
    scopes_.sets.push_back(parsed.release());
    scopes_.numbers.emplace(scopes, number);
    return number;
}

std::uint32_t Index::intersect(std::uint32_t a, std::uint32_t b) {
    if (a == b) return a;
    const std::uint64_t pair = std::uint64_t{a} << 32 | b;
    if (const auto found = scopes_.both.find(pair); found != scopes_.both.end()) return found->second;
    ScopeSet both = scopes_.sets[a].intersection(scopes_.sets[b]);
    const std::string text = both.text();
    const auto [place, is_new] = scopes_.numbers.emplace(text, static_cast<std::uint32_t>(scopes_.sets.size()));
    if (is_new) scopes_.sets.push_back(std::move(both));
    scopes_.both.emplace(pair, place->second);
    return place->second;
}

void Index::put(const Workspace& workspace) {
    if (const auto at = find_workspace(workspace.name.text()))
        workspaces_[*at].condition = workspace.condition;
    else
        workspaces_.push_back({workspace.name.text(), 0, workspace.condition});
}

Result<void> Index::put(const Environment& environment) {
    const auto workspace = find_workspace(environment.workspace.text());
    if (!workspace) return stands_under_nothing("environment", environment.name.text());
    if (const auto at = find_environment(*workspace, environment.name.text()))
        environments_[*at].condition = environment.condition;
    else
        environments_.push_back({environment.name.text(), *workspace, environment.condition});
    return {};
}

Result<void> Index::put(const store::IdentityFacts& identity) {
    const auto workspace = find_workspace(identity.workspace);
    const auto environment = workspace ? find_environment(*workspace, identity.environment) : std::nullopt;
    if (!environment) return stands_under_nothing("identity", identity.name);
    const std::uint32_t scopes = TRY(intern(identity.scopes));
    const std::uint32_t packed = *environment << standing_bits | static_cast<std::uint32_t>(identity.condition.stored);
    std::uint32_t number = 0;
    if (const auto found = find_identity({*workspace, identity.name})) {
        number = *found;
        identities_[number].environment_and_standing = packed;
        identities_[number].scopes = scopes;
    } else {
        if (identities_.size() >= most_rows || names_.size() >= most_rows - 64) return too_many();
        if (identity.name.size() >= 64)
            return Error(Code::Corrupt, "an identity's name is longer than any", "run marque audit verify");
        char text[64];
        text[0] = static_cast<char>(identity.name.size());
        std::ranges::copy(identity.name, text + 1);
        number = static_cast<std::uint32_t>(identities_.size());
        const std::size_t name = names_.append({text, identity.name.size() + 1});
        identities_.push_back({static_cast<std::uint32_t>(name), packed, scopes});
        identities_by_name_.insert(hash_of(*workspace, identity.name), number);
    }
    if (identity.condition.paused_until)
        identity_paused_until_[number] = *identity.condition.paused_until;
    else
        identity_paused_until_.erase(number);
    return {};
}

bool Index::cuts_otherwise(const IdentityRef& identity, const ScopeSet& scopes) const {
    const auto workspace = find_workspace(identity.workspace.text());
    const auto found = workspace ? find_identity({*workspace, identity.name.text()}) : std::nullopt;
    return found && scopes_.sets[identities_[*found].scopes].text() != scopes.text();
}

Result<void> Index::put(const store::CredentialFacts& credential) {
    const auto workspace = find_workspace(credential.workspace);
    const auto identity = workspace ? find_identity({*workspace, credential.identity}) : std::nullopt;
    if (!identity) return stands_under_nothing("credential", credential.id.text());
    const std::uint32_t own_scopes = TRY(intern(credential.scopes));
    const std::uint64_t id = credential.id.bits();
    const Line line{id << 4 | static_cast<std::uint64_t>(credential.term.stored) << 1 | credential.ends_predecessor,
                    credential.hash,
                    *identity,
                    intersect(identities_[*identity].scopes, own_scopes),
                    pack(credential.term.expires_at),
                    pack(credential.term.turns_at)};
    if (const auto found = find_line(id)) {
        lines_[*found] = line;
        return {};
    }
    if (lines_.size() >= most_rows) return too_many();
    lines_.push_back(line);
    lines_by_id_.insert(id, static_cast<std::uint32_t>(lines_.size() - 1));
    return {};
}

Result<void> Index::put(std::span<const store::CredentialFacts> credentials) {
    std::vector<std::uint64_t> names;
    for (const store::CredentialFacts& credential : credentials) {
        names.push_back(hash_of(find_workspace(credential.workspace).value_or(0), credential.identity));
        identities_by_name_.prefetch(names.back());
        lines_by_id_.prefetch(credential.id.bits());
    }
    for (const std::uint64_t name : names)
        identities_by_name_.find(name, [&](std::uint32_t identity) {
            __builtin_prefetch(&identities_[identity]);
            return true;
        });
    for (const std::uint64_t name : names)
        identities_by_name_.find(name, [&](std::uint32_t identity) {
            __builtin_prefetch(&names_[identities_[identity].name]);
            return true;
        });
    for (const store::CredentialFacts& credential : credentials) TRY(put(credential));
    return {};
}

void Index::clear() {
    workspaces_.clear();
    environments_.clear();
    identities_.clear();
    lines_.clear();
    names_.clear();
    scopes_.sets.clear();
    scopes_.numbers.clear();
    scopes_.both.clear();
    identity_paused_until_.clear();
    lines_by_id_.clear();
    identities_by_name_.clear();
}

const Index::Container& Index::environment_of(const Line& line) const {
    return environments_[identities_[line.identity].environment_and_standing >> standing_bits];
}

AncestryStates Index::states_of(const Line& line) const {
    const Identity& identity = identities_[line.identity];
    const Container& environment = environment_of(line);
    Condition own{static_cast<Standing>(identity.environment_and_standing & 3), std::nullopt};
    if (own.stored == Standing::Paused)
        if (const auto until = identity_paused_until_.find(line.identity); until != identity_paused_until_.end())
            own.paused_until = until->second;
    const auto stored = static_cast<CredentialStanding>(line.key >> 1 & 7);
    const CredentialTerm term{stored, unpack(line.turns_at), unpack(line.expires_at)};
    return {workspaces_[environment.workspace].condition, environment.condition, own, term};
}

Verdict Index::verify(TokenHasher& hasher, std::string_view token, const Demand& demand, Instant now) const {
    // What is asked about lies anywhere in memory: each part of the way to it is fetched while another part of the work
    // is done. An unknown id costs the same steps.
    const auto parts = read_form(token);
    if (!parts) return {Reason::Malformed, std::nullopt};
    const std::uint64_t id = parts->id.bits();
    lines_by_id_.prefetch(id);
    if (!has_right_checksum(token)) return {Reason::Malformed, std::nullopt};
    lines_by_id_.find(id, [&](std::uint32_t line) {
        __builtin_prefetch(&lines_[line]);
        return true;
    });
    hasher.begin(token);
    const auto found = find_line(id);
    if (found) __builtin_prefetch(&identities_[lines_[*found].identity]);
    const TokenHash hash = hasher.finish();
    if (!found) return {Reason::Unknown, std::nullopt};
    const Line& line = lines_[*found];
    if (!crypto::equal(hash, line.hash)) return {Reason::WrongSecret, found};
    return {judge(states_of(line), environment_of(line).name, scopes_.sets[line.scopes], demand, now), found};
}

Holder Index::holder(std::uint32_t number) const {
    const Line& line = lines_[number];
    const Identity& identity = identities_[line.identity];
    const Container& environment = environment_of(line);
    return {CredentialId::from_bits(line.key >> 4),
            name_at(identity.name),
            environment.name,
            workspaces_[environment.workspace].name,
            scopes_.sets[line.scopes],
            states_of(line).credential,
            (line.key & 1) != 0};
}

std::size_t Index::bytes() const {
    return lines_.bytes() + identities_.bytes() + names_.bytes() + lines_by_id_.bytes() + identities_by_name_.bytes();
}

std::size_t Index::count_ending(Instant now, Duration within, std::size_t first, std::size_t count) const {
    const std::size_t last = std::min(lines_.size(), first + count);
    std::size_t ending = 0;
    for (std::size_t at = first; at < last; ++at) {
        const Line& line = lines_[at];
        const auto expires_at = unpack(line.expires_at);
        if (expires_at && *expires_at < now + within &&
            judge(states_of(line), environment_of(line).name, scopes_.sets[line.scopes], {}, now) == Reason::Accepted)
            ++ending;
    }
    return ending;
}

}  // namespace marque::verify
