// A log of whatever lines: an entry that decodes is about a thing that reads back, and is shown in words that fake no
// line; judging what the owners allowed never fails on it, accepts no use of an approval that was not asked for, and
// gives the same answer again.
//
// Input: lines, each an entry or not.
#include "audit/entry.h"
#include "authority/evidence.h"
#include "base/text.h"
#include "fuzz.h"
#include "test/plain_signatures.h"

using namespace marque;

void fuzz(std::string_view input) {
    const PlainSignatures signatures;
    authority::Evidence evidence(signatures), again(signatures);
    std::size_t requests = 0;
    for (const std::string_view line : split(input, '\n')) {
        const auto entry = audit::decode(line);
        if (!entry) {
            CHECK(entry.error().code == Code::Corrupt);
            continue;
        }
        CHECK(entry->seq >= 1 && !entry->action.empty() && !entry->outcome.empty());
        CHECK(audit::canonical(entry->body) == line);
        const auto subject = audit::subject_from(audit::to_json(entry->subject));
        CHECK(subject && *subject == entry->subject && domain::describe(*subject) == entry->target);

        const auto finding = evidence.add(*entry), same = again.add(*entry);
        CHECK(finding && same && *finding == *same);
        const bool is_done = entry->outcome == "done";
        if (!is_done) CHECK(!*finding);
        if (is_done && entry->action == "approval.request" && !*finding) ++requests;
        if (is_done && entry->action == "approval.redeem" &&
            std::holds_alternative<domain::ApprovalRef>(entry->subject))
            CHECK(*finding || (requests > 0 && evidence.signatures() > 0));
    }
}
