#include "authority/plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/decimal.h"
#include "base/text.h"
#include "crypto/digest.h"

namespace marque::authority {

using audit::JsonArray;
using audit::JsonObject;

namespace {

JsonObject digested_part(const Plan& plan) {
    JsonArray changes;
    for (const PlannedChange& change : plan.changes)
        changes.emplace_back(JsonObject{
            {"subject", audit::to_json(change.subject)}, {"before", change.before}, {"after", change.after}});
    JsonObject object{{"action", plan.action},
                      {"requester", plan.requester},
                      {"installation", plan.installation},
                      {"request", plan.request},
                      {"changes", std::move(changes)}};
    if (plan.gate) object["gate"] = *plan.gate;
    return object;
}

bool is_digest_part(std::string_view text) {
    return text.size() >= Confirmation::shortest_digest && text.size() <= 64 &&
           text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace

void Plan::stop_at_gate(const std::string& why) {
    if (!gate)
        gate = why;
    else if (gate->find(why) == std::string::npos)
        *gate += ", " + why;
}

std::string Plan::canonical() const {
    return audit::canonical(digested_part(*this));
}

std::string Plan::digest() const {
    return to_hex(crypto::sha256(bytes_of(canonical())));
}

JsonObject Plan::to_json() const {
    JsonObject object = digested_part(*this);
    JsonArray stopping;
    for (const Stop& stop : stops) {
        JsonObject credential = audit::to_json(stop.credential);
        if (stop.last_use) {
            credential["last_used_at"] = to_rfc3339(stop.last_use->at);
            credential["last_used_from"] = stop.last_use->from;
        }
        stopping.emplace_back(std::move(credential));
    }
    object["would_stop"] = std::move(stopping);
    object["would_stop_is_complete"] = are_stops_complete;
    object["count"] = count;
    object["digest"] = digest();
    object["notes"] = JsonArray(notes.begin(), notes.end());
    return object;
}

std::string in_words(const audit::Json& value) {
    if (const auto* string = value.if_string()) return escaped(std::string_view(*string));
    if (const auto* object = value.if_object()) return "{" + in_words(*object) + "}";
    const auto* array = value.if_array();
    if (array == nullptr) return audit::canonical(value);
    std::string text;
    for (const auto& element : *array) text += (text.empty() ? "" : " ") + in_words(element);
    return text;
}

std::string in_words(const JsonObject& object) {
    std::string text;
    for (const auto& member : object) {
        if (member.key() == "revision") continue;
        std::string key(member.key()), value = in_words(member.value());
        if (key == "old_credential") std::ranges::replace(value, '_', ' ');
        std::ranges::replace(key, '_', ' ');
        text += (text.empty() ? "" : ", ") + (key == "state" ? "" : escaped(key) + " ") + value;
    }
    return text;
}

Result<Confirmation> Confirmation::parse(std::string_view value) {
    if (value.empty()) return Confirmation(Kind::Yes);
    if (is_digest_part(value)) {
        Confirmation confirmation(Kind::Digest);
        confirmation.digest_ = std::string(value);
        return confirmation;
    }
    if (const auto count = parse_decimal(value)) {
        Confirmation confirmation(Kind::Count);
        confirmation.count_ = *count;
        return confirmation;
    }
    return Error(Code::InvalidRequest, quote(value) + " confirms nothing",
                 "write --confirm, --confirm=COUNT, or --confirm=DIGEST with at least 12 of its characters");
}

Result<void> Confirmation::check(const Plan& plan) const {
    const std::string digest = plan.digest();
    const std::string hint = plan.is_bulk
                                 ? fmt::format("--confirm={} or --confirm={}", plan.count, digest.substr(0, 16))
                                 : fmt::format("--confirm={}", digest.substr(0, 16));
    switch (kind_) {
        case Kind::None:
        case Kind::DryRun:
            return Error(Code::NotConfirmed, "not confirmed; nothing changed", hint);
        case Kind::Yes:
            if (plan.is_bulk)
                return Error(
                    Code::NotConfirmed,
                    fmt::format("a bare --confirm is not enough for a bulk change (identities: {})", plan.count), hint);
            return {};
        case Kind::Count:
            if (count_ != plan.count)
                return Error(Code::NotConfirmed,
                             fmt::format("{} confirmed, but the plan changes {}; nothing changed", count_, plan.count),
                             hint);
            return {};
        case Kind::Digest:
            if (!digest.starts_with(digest_))
                return Error(Code::NotConfirmed, "the plan is no longer the one that was shown; nothing changed", hint);
            return {};
    }
    return Error(Code::NotConfirmed, "not confirmed");
}

}  // namespace marque::authority
