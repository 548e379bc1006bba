#include "authority/approval_text.h"

#include <fmt/format.h>

#include "base/text.h"

namespace marque::authority {

using namespace domain;

namespace {

// "scopes: card:edit card:view", a line each; what is inside something is set in.
void add_lines(std::string& text, const audit::JsonObject& object, std::size_t indent) {
    for (const auto& member : object) {
        std::string key(member.key());
        for (char& c : key)
            if (c == '_') c = ' ';
        text += std::string(indent, ' ') + escaped(key) + ":";
        if (const auto* inner = member.value().if_object()) {
            text += "\n";
            add_lines(text, *inner, indent + 2);
        } else {
            text += " " + in_words(member.value()) + "\n";
        }
    }
}

void add_change(std::string& text, const PlannedChange& change) {
    text += "\n- " + escaped(describe(change.subject)) + "\n";
    text += "    now: " + (change.before.empty() ? "not there" : in_words(change.before)) + "\n";
    text += "    then:\n";
    add_lines(text, change.after, 6);
}

// What it asks for, without what was there before.
audit::JsonObject asked(const audit::JsonObject& plan) {
    audit::JsonObject object = plan;
    for (audit::Json& change : object.at("changes").as_array()) change.as_object().erase("before");
    return object;
}

}  // namespace

Result<std::string> approval_text(const Plan& plan, const Approval& approval) {
    std::string text = fmt::format(
        "Marque approval request {}\n\n"
        "Whoever signs this text lets operator {} do what it says: once, and before {}.\n\n"
        "asked by:      operator {}\n"
        "asked at:      {}\n"
        "not after:     {}\n"
        "command:       {}\n"
        "needs this as: {}\n",
        approval.id.text(), approval.requester.text(), to_calendar(approval.not_after), approval.requester.text(),
        to_rfc3339(approval.requested_at), to_rfc3339(approval.not_after), escaped(plan.action), escaped(*plan.gate));
    if (approval.workspace) text += "workspace:     " + approval.workspace->text() + "\n";
    if (const auto* reason = plan.request.if_contains("reason")) text += "reason given:  " + in_words(*reason) + "\n";
    text += fmt::format("\nWhat it will do, {} in all (a lifetime counts from when it is done):\n",
                        plan.changes.size() == 1 ? "1 change" : fmt::format("{} changes", plan.changes.size()));
    for (const PlannedChange& change : plan.changes) add_change(text, change);
    text += fmt::format(
        "\ninstallation:  {}\n"
        "nonce:         {}\n"
        "plan digest:   {}\n"
        "The digest is the SHA-256 of the next line, without its end:\n{}\n",
        plan.installation, approval.nonce, plan.digest(), plan.canonical());
    if (text.size() > longest_approval_text)
        return Error(Code::StateRefuses,
                     fmt::format("the request for an approval has {} bytes, and at most {} can be signed", text.size(),
                                 longest_approval_text),
                     "ask for less at once");
    if (!is_plain_text(text))
        return Error(Code::StateRefuses, "the request for an approval would hold a character that can't be seen",
                     "owners sign what they can read: leave it out of the reason, the contact and the labels");
    return text;
}

bool asks_for_the_same(std::string_view signed_text, const Plan& plan) {
    if (!signed_text.ends_with('\n')) return false;
    signed_text.remove_suffix(1);
    const auto before = audit::parse_canonical(signed_text.substr(signed_text.rfind('\n') + 1));
    const auto now = audit::parse_canonical(plan.canonical());
    // Whoever could write another text could also write one that lacks a field.
    const auto is_whole = [](const Result<audit::Json>& json) {
        return json && json->is_object() && json->get_object().contains("changes") &&
               json->get_object().at("changes").is_array();
    };
    if (!is_whole(before) || !is_whole(now)) return false;
    for (const audit::Json& change : before->get_object().at("changes").get_array())
        if (!change.is_object()) return false;
    return asked(before->get_object()) == asked(now->get_object());
}

}  // namespace marque::authority
