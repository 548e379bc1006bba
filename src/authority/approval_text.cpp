#include "authority/approval_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "base/bytes.h"
#include "base/text.h"
#include "crypto/digest.h"

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
        if (audit::is_free_text(member.key())) value = "'" + value + "'";
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

std::string_view last_line(std::string_view text) {
    if (!text.ends_with('\n')) return {};
    text.remove_suffix(1);
    return text.substr(text.rfind('\n') + 1);
}

// Returns the plan in a line of a signed text. Every field has to be there: an attacker who can write another text can
// also write one that lacks a field.
std::optional<audit::JsonObject> plan_in_line(std::string_view line) {
    auto json = audit::parse_canonical(line);
    if (!json || !json->is_object()) return std::nullopt;
    const auto* changes = json->get_object().if_contains("changes");
    if (changes == nullptr || !changes->is_array()) return std::nullopt;
    for (const audit::Json& change : changes->get_array())
        if (!change.is_object()) return std::nullopt;
    return std::move(json->get_object());
}

std::optional<audit::JsonObject> plan_in(std::string_view signed_text) {
    return plan_in_line(last_line(signed_text));
}

std::string shown(const audit::Json& value) {
    constexpr std::size_t most_characters = 100;
    const auto* text = value.if_string();
    return quote(text != nullptr ? std::string(*text) : in_words(value), most_characters);
}

// A plan as single values, by what they are called.
using Lines = std::map<std::string, std::string>;

void add_lines(Lines& lines, const std::string& prefix, const audit::JsonObject& object) {
    for (const auto& member : object) {
        std::string key = escaped(std::string_view(member.key()));
        std::ranges::replace(key, '_', ' ');
        const std::string name = prefix.empty() ? key : prefix + " " + key;
        if (const auto* inner = member.value().if_object())
            add_lines(lines, name, *inner);
        else
            lines[name] = shown(member.value());
    }
}

Lines lines_of(const audit::JsonObject& plan) {
    Lines lines;
    for (const auto& member : plan) {
        if (member.key() == "changes") continue;
        if (const auto* inner = member.value().if_object())
            add_lines(lines, "", *inner);
        else
            lines[escaped(std::string_view(member.key()))] = shown(member.value());
    }
    for (const audit::Json& change : plan.at("changes").get_array()) {
        const audit::JsonObject& object = change.get_object();
        const auto part = [&](const char* key) {
            const auto* value = object.if_contains(key);
            return value == nullptr ? nullptr : value->if_object();
        };
        const auto* whose = part("subject");
        const auto subject = whose == nullptr ? Result<Subject>(InstallationRef{}) : audit::subject_from(*whose);
        const std::string name = escaped(subject ? describe(*subject) : "something");
        if (const auto* before = part("before")) add_lines(lines, name + " before:", *before);
        if (const auto* after = part("after")) add_lines(lines, name + ":", *after);
    }
    return lines;
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
    text +=
        fmt::format("Whoever signs this text lets {} do what it says: once, and before {}.\n\n",
                    plan.unknown_uid ? fmt::format("uid {}", *plan.unknown_uid) : "operator " + requester.name.text(),
                    to_calendar(approval.not_after));
    if (plan.unknown_uid)
        text += fmt::format("asked by:      uid {}, which no operator has, and which is to be operator {}\n",
                            *plan.unknown_uid, requester.name.text());
    else
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
        return Error(
            Code::StateRefuses,
            "the request for an approval would hold a character that can't be seen, or more than one blank "
            "in a row",
            "owners sign what they can read: leave it out of the reason, the contact, the description and the labels");
    return text;
}

bool is_of_this_form(std::string_view text) {
    return text.substr(0, text.find('\n')).ends_with(fmt::format(" ({})", form));
}

bool asks_for_the_same(std::string_view signed_text, const Plan& plan) {
    const auto before = plan_in(signed_text), now = plan_in_line(plan.canonical());
    return before && now && asked(*before) == asked(*now);
}

std::vector<std::string> differences(std::string_view signed_text, const Plan& plan) {
    const auto before = plan_in(signed_text), now = plan_in_line(plan.canonical());
    if (!before || !now) return {};
    constexpr std::size_t most = 6;
    const Lines then_lines = lines_of(*before), now_lines = lines_of(*now);
    std::set<std::string> keys;
    for (const Lines* lines : {&then_lines, &now_lines})
        for (const auto& [key, value] : *lines) keys.insert(key);
    std::vector<std::string> found;
    std::size_t left_out = 0;
    for (const std::string& key : keys) {
        const auto then = then_lines.find(key), is = now_lines.find(key);
        const bool was_there = then != then_lines.end(), is_there = is != now_lines.end();
        if (was_there && is_there && then->second == is->second) continue;
        if (found.size() == most)
            ++left_out;
        else
            found.push_back(fmt::format("{}: {} then, {} now", key, was_there ? then->second : "nothing",
                                        is_there ? is->second : "nothing"));
    }
    if (left_out > 0) found.push_back(fmt::format("and {} more", left_out));
    return found;
}

std::string digest_in(std::string_view signed_text) {
    const std::string_view line = last_line(signed_text);
    return line.empty() ? std::string() : to_hex(crypto::sha256(bytes_of(line)));
}

bool is_in_the_plan(std::string_view signed_text, const Subject& subject, const audit::JsonObject& after) {
    const auto plan = plan_in(signed_text);
    if (!plan) return false;
    return std::ranges::any_of(plan->at("changes").get_array(), [&](const audit::Json& change) {
        const auto* whose = change.get_object().if_contains("subject");
        const auto* then = change.get_object().if_contains("after");
        return whose != nullptr && whose->is_object() && then != nullptr && then->is_object() &&
               audit::canonical(whose->get_object()) == audit::canonical(audit::to_json(subject)) &&
               audit::canonical(then->get_object()) == audit::canonical(after);
    });
}

}  // namespace marque::authority
