// What an owner reads and signs: no reason, contact, label or name of a scope adds a line to the text or hides one; it
// is for the plan that it was made from and no other; and whatever text was stored in its place asks for nothing else.
//
// Input: parts, cut by a byte 0xFF: reason, contact, label, and a text that somebody stored.
#include <algorithm>
#include <array>

#include "authority/approval_text.h"
#include "authority/plan.h"
#include "base/text.h"
#include "crypto/digest.h"
#include "fuzz.h"
#include "test/fixed.h"

using namespace marque;
using namespace marque::domain;
using namespace marque::authority;

namespace {

Plan plan_of(std::string_view reason, std::string_view contact, std::string_view label) {
    Plan plan;
    plan.action = "create";
    plan.requester = "ops";
    plan.installation = "zj1ag1skkg2n4mac8rsbvkm3y4";
    plan.gate = "environment production is protected";
    plan.request = {{"workspace", "default"}, {"reason", reason}};
    plan.changes.push_back({IdentityRef{*WorkspaceName::parse("default"), *IdentityName::parse("codex")},
                            {{"revision", 3}},
                            {{"contact", contact},
                             {"label.team", label},
                             {"new_credential", audit::JsonObject{{"scopes", audit::JsonArray{"card:edit"}}}}}});
    return plan;
}

Approval approval_of(const Plan& plan) {
    return {ApprovalId::from_bits(7),
            std::string(32, 'a'),
            "",
            plan.digest(),
            plan.action,
            plan.about,
            {},
            *OperatorName::parse("ops"),
            t0,
            t0 + approval_lifetime};
}

std::size_t count(const std::vector<std::string_view>& lines, std::string_view beginning) {
    return static_cast<std::size_t>(
        std::ranges::count_if(lines, [&](std::string_view line) { return line.starts_with(beginning); }));
}

void check_text(const std::string& text, const Plan& plan) {
    CHECK(text.size() <= longest_approval_text && text.ends_with('\n') && is_plain_text(text));
    const auto lines = split(std::string_view(text).substr(0, text.size() - 1), '\n');
    CHECK(is_of_this_form(text));
    for (const char* once :
         {"Marque approval request ", "asked by: ", "asked at: ", "not after: ", "command: ", "nonce: ",
          "needs this as:", "reason given:", "- identity codex", "installation: ", "What it will do,", "plan digest: "})
        CHECK(count(lines, once) == 1);
    CHECK(count(lines, "- ") == 1);
    CHECK(lines.back() == plan.canonical() && to_hex(crypto::sha256(bytes_of(lines.back()))) == plan.digest());
    CHECK(text.find("plan digest:   " + plan.digest() + "\n") != std::string::npos);
}

}  // namespace

void fuzz(std::string_view input) {
    const auto parts = split(input, '\xFF');
    const auto part = [&](std::size_t i) { return i < parts.size() ? parts[i] : std::string_view(); };
    static const Plan fixed = plan_of("because", "ops@example.org", "tools");
    static const Operator ops{*OperatorName::parse("ops"), 1000, false, {}, t0};

    // Only what `create` would take gets so far.
    const auto reason = parse_free_text("reason", part(0), 500), contact = parse_free_text("contact", part(1), 200),
               label = parse_free_text("label", part(2), 200);
    if (reason && contact && label) {
        const Plan plan = plan_of(*reason, *contact, *label);
        const auto text = approval_text(plan, approval_of(plan), ops);
        if (text) {
            check_text(*text, plan);
            CHECK(asks_for_the_same(*text, plan));
            CHECK(asks_for_the_same(*text, fixed) == (plan.digest() == fixed.digest()));
        } else {
            CHECK(text.error().code == Code::StateRefuses);
        }
    }

    // Whatever it is that lies in the database: the same only when its last line is this plan's but for what was
    // before.
    const std::string_view stored = part(3);
    if (asks_for_the_same(stored, fixed)) {
        CHECK(stored.ends_with('\n'));
        const auto lines = split(stored.substr(0, stored.size() - 1), '\n');
        for (const char* member :
             {R"("action":"create")", R"("after":{"contact":"ops@example.org")", R"("requester":"ops")",
              R"("installation":"zj1ag1skkg2n4mac8rsbvkm3y4")", R"("reason":"because")"})
            CHECK(lines.back().find(member) != std::string_view::npos);
    }
}
