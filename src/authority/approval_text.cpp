#include "authority/approval_text.h"

#include <fmt/format.h>

#include <set>

#include "base/text.h"

namespace marque::authority {

using namespace domain;

namespace {

constexpr const char* form = "form 1";
constexpr std::size_t widest = 78;

// "key: value", and what does not fit on lines of its own that can't be taken for a line of the text.
void add_value(std::string& text, std::size_t indent, const std::string& key, std::string_view value) {
    std::string line = std::string(indent, ' ') + key + ":";
    if (!value.empty()) line += ' ';
    std::size_t width = line.size();
    for (std::size_t i = 0; i < value.size(); ++i) {
        const bool begins_character = (static_cast<unsigned char>(value[i]) & 0xC0) != 0x80;
        if (begins_character && width++ >= widest) {
            line += "\n" + std::string(indent, ' ') + "  | ";
            width = indent + 5;
        }
        line += value[i];
    }
    text += line + "\n";
}

// What somebody wrote, so that it is seen where it begins and ends.
bool is_free_text(std::string_view key) {
    return key == "contact" || key == "comment" || key.starts_with("label.");
}

void add_lines(std::string& text, const audit::JsonObject& object, std::size_t indent) {
    for (const auto& member : object) {
        std::string key(member.key());
        for (char& c : key)
            if (c == '_') c = ' ';
        key = escaped(key);
        if (const auto* inner = member.value().if_object()) {
            text += std::string(indent, ' ') + key + ":\n";
            add_lines(text, *inner, indent + 2);
            continue;
        }
        std::string value = in_words(member.value());
        if (is_free_text(member.key())) value = "'" + value + "'";
        if (member.key() == "old_credential")
            for (char& c : value)
                if (c == '_') c = ' ';
        add_value(text, indent, key, value);
    }
}

void add_change(std::string& text, const PlannedChange& change) {
    const std::string now = in_words(change.before);
    text += "\n- " + escaped(describe(change.subject)) + "\n";
    add_value(text, 4, "now", now.empty() ? "not there" : now);
    text += "    then:\n";
    add_lines(text, change.after, 6);
}

// Of many, nobody reads all that each may do.
void add_summary(std::string& text, const Plan& plan) {
    if (plan.changes.size() == 1) return;
    std::set<std::string> scopes;
    for (const PlannedChange& change : plan.changes) {
        const auto* credential = change.after.if_contains("new_credential");
        const auto* list = credential == nullptr ? nullptr : credential->get_object().if_contains("scopes");
        if (list == nullptr) continue;
        for (const audit::Json& scope : list->get_array()) scopes.insert(std::string(scope.get_string()));
    }
    if (scopes.empty()) return;
    std::string all;
    for (const std::string& scope : scopes) all += (all.empty() ? "" : " ") + scope;
    add_value(text, 0, "scopes of all together", all);
}

// What it asks for, without what was there before.
audit::JsonObject asked(const audit::JsonObject& plan) {
    audit::JsonObject object = plan;
    object.erase("gate");
    for (audit::Json& change : object.at("changes").as_array()) change.as_object().erase("before");
    return object;
}

}  // namespace

Result<std::string> approval_text(const Plan& plan, const Approval& approval, const Operator& requester) {
    const std::string canonical = plan.canonical();
    const Error too_long(Code::StateRefuses,
                         fmt::format("the request for an approval is longer than the {} bytes that can be signed",
                                     longest_approval_text),
                         "ask for less at once");
    if (canonical.size() > longest_approval_text) return too_long;
    std::string text = fmt::format("Marque approval request {} ({})\n\n", approval.id.text(), form);
    text += fmt::format("Whoever signs this text lets operator {} do what it says: once, and before {}.\n\n",
                        requester.name.text(), to_calendar(approval.not_after));
    text += fmt::format("asked by:      operator {}, uid {}, an operator since {}\n", requester.name.text(),
                        requester.uid, to_calendar(requester.created_at));
    text += fmt::format("asked at:      {}\n", to_rfc3339(approval.requested_at));
    text += fmt::format("not after:     {}\n", to_rfc3339(approval.not_after));
    text += fmt::format("command:       {}\n", escaped(plan.action));
    add_value(text, 0, "needs this as", escaped(*plan.gate));
    if (approval.workspace) text += "workspace:     " + approval.workspace->text() + "\n";
    text += fmt::format("\nWhat it will do, {} in all (a lifetime counts from when it is done):\n",
                        plan.changes.size() == 1 ? "1 change" : fmt::format("{} changes", plan.changes.size()));
    add_summary(text, plan);
    for (const PlannedChange& change : plan.changes) add_change(text, change);
    if (const auto* reason = plan.request.if_contains("reason")) {
        text += "\n";
        add_value(text, 0, "reason given", "'" + in_words(*reason) + "'");
    }
    text += fmt::format(
        "\ninstallation:  {}\n"
        "nonce:         {}\n"
        "plan digest:   {}\n"
        "The digest is the SHA-256 of the next line, without its end:\n{}\n",
        plan.installation, approval.nonce, plan.digest(), canonical);
    if (text.size() > longest_approval_text) return too_long;
    // The plan's own line is as it is digested: what could be taken for other lines there has to be kept out.
    if (!is_plain_text(text) || canonical.find("  ") != std::string::npos)
        return Error(Code::StateRefuses,
                     "the request for an approval would hold a character that can't be seen, or more than one blank "
                     "in a row",
                     "owners sign what they can read: leave it out of the reason, the contact and the labels");
    return text;
}

bool is_of_this_form(std::string_view text) {
    return text.substr(0, text.find('\n')).ends_with(fmt::format(" ({})", form));
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
