// authority/approval_text.h: what an owner reads and signs: one text, for people and for the signature.
//
//     Marque approval request 7k2m9qxp
//     …who asks, for what, what it will be able to do, until when…
//     …the installation, a nonce, and the plan as it is digested, on one line
//
// It is made from the plan and the approval's own fields and nothing else, and is made again when the approval is
// redeemed: the signatures have to be over that text. So whoever rewrites a stored text, a time or a nonce has an
// approval that nobody signed. No name, reason or label can add a line to it or hide one.
#pragma once

#include <string>
#include <vector>

#include "authority/plan.h"
#include "domain/approval.h"

namespace marque::authority {

// More is too much to read, and to approve at once.
inline constexpr std::size_t longest_approval_text = 64 * 1024;

// Of the approval it takes id, nonce, workspace and times. Errors: StateRefuses when it is longer than that, or has
// something in it that does not show as it is.
Result<std::string> approval_text(const Plan& plan, const domain::Approval& approval,
                                  const domain::Operator& requester);

// Whether the text is of the form that this program writes.
bool is_of_this_form(std::string_view text);

// Whether the two plans ask for the same, so that they differ by what was there before. `signed_text` is an
// approval's; one that makes no sense asks for nothing.
bool asks_for_the_same(std::string_view signed_text, const Plan& plan);

// Returns what differs between the plan in `signed_text` and `plan`, in words for people, such as "reason: 'x' then,
// 'y' now". The words are escaped, and there are only a few of them. Empty when the text has no plan.
std::vector<std::string> differences(std::string_view signed_text, const Plan& plan);

// Computes the digest of the plan that the text contains; the digest that the text states is not used. Returns an empty
// string when the text contains none.
std::string digest_in(std::string_view signed_text);

// Returns true if the plan in the text changes `subject`, and changes it to exactly `after`.
bool is_in_the_plan(std::string_view signed_text, const domain::Subject& subject, const audit::JsonObject& after);

}  // namespace marque::authority
