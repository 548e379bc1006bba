#include "audit/entry.h"

#include <fmt/format.h>

#include "base/overloaded.h"

namespace marque::audit {
namespace {

using namespace domain;

JsonObject to_json(const Actor& actor) {
    return std::visit(Overloaded{
                          [](const OperatorActor& a) {
                              JsonObject object{{"kind", "operator"},
                                                {"uid", a.process.uid},
                                                {"pid", a.process.pid},
                                                {"executable", a.process.executable},
                                                {"parent_executable", a.process.parent_executable}};
                              if (a.name) object["name"] = a.name->text();
                              if (a.process.login_uid) object["login_uid"] = *a.process.login_uid;
                              if (!a.process.tty.empty()) object["tty"] = a.process.tty;
                              if (!a.process.uid_map.empty()) object["uid_map"] = a.process.uid_map;
                              return object;
                          },
                          [](const IdentityActor& a) {
                              JsonObject object = audit::to_json(Subject(a.credential));
                              object["kind"] = "identity";
                              return object;
                          },
                      },
                      actor);
}

std::string text_at(const JsonObject& object, std::string_view key) {
    const auto* value = object.if_contains(key);
    const auto* string = value == nullptr ? nullptr : value->if_string();
    return string == nullptr ? std::string() : std::string(*string);
}

std::string actor_name(const JsonObject& actor) {
    if (text_at(actor, "kind") == "identity") return text_at(actor, "identity");
    if (std::string name = text_at(actor, "name"); !name.empty()) return name;
    const auto* uid = actor.if_contains("uid");
    return uid != nullptr && uid->is_int64() ? fmt::format("uid {}", uid->get_int64()) : "unknown";
}

}  // namespace

std::string encode(const Draft& draft, std::uint64_t seq) {
    JsonObject entry{{"seq", seq},
                     {"at", to_rfc3339(draft.at)},
                     {"mode", draft.mode == Mode::Setup ? "setup" : "runtime"},
                     {"actor", to_json(draft.actor)},
                     {"action", action_of(draft.event)},
                     {"target", audit::to_json(subject_of(draft.event))},
                     {"outcome", name_of(outcome_of(draft.event))},
                     {"change", change_of(draft.event)}};
    if (!draft.reason.empty()) entry["reason"] = draft.reason;
    if (!draft.plan.empty()) entry["plan"] = draft.plan;
    if (!draft.request.empty()) entry["request"] = draft.request;
    if (draft.approval) entry["approval"] = draft.approval->text();
    return canonical(entry);
}

Result<Entry> decode(std::string_view bytes) {
    auto parsed = parse_canonical(bytes);
    if (!parsed) return Error(Code::Corrupt, parsed.error().message);
    const Error malformed(Code::Corrupt, "an audit entry lacks a field");
    if (!parsed->is_object()) return malformed;
    Entry entry;
    entry.body = std::move(parsed->get_object());
    const auto object_at = [&](std::string_view key) {
        const auto* value = entry.body.if_contains(key);
        return value == nullptr ? nullptr : value->if_object();
    };
    const auto* seq = entry.body.if_contains("seq");
    const auto at = parse_rfc3339(text_at(entry.body, "at"));
    const auto* actor = object_at("actor");
    const auto* target = object_at("target");
    if (seq == nullptr || !seq->is_int64() || seq->get_int64() < 1 || !at || actor == nullptr || target == nullptr)
        return malformed;
    entry.seq = static_cast<std::uint64_t>(seq->get_int64());
    entry.at = *at;
    entry.action = text_at(entry.body, "action");
    entry.outcome = text_at(entry.body, "outcome");
    entry.reason = text_at(entry.body, "reason");
    entry.actor = actor_name(*actor);
    entry.subject = TRY(subject_from(*target));
    entry.target = describe(entry.subject);
    if (entry.action.empty() || entry.outcome.empty()) return malformed;
    return entry;
}

std::optional<IdentityRef> identity_of(const Subject& subject) {
    if (const auto* identity = std::get_if<IdentityRef>(&subject)) return *identity;
    if (const auto* credential = std::get_if<CredentialRef>(&subject))
        return IdentityRef{credential->workspace, credential->identity};
    return std::nullopt;
}

}  // namespace marque::audit
