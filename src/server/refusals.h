// server/refusals.h: the answers that say no, and the one that says that nothing can be said.
#pragma once

#include <string_view>

#include "server/answer.h"

namespace marque::server {

// Answers with RFC 6749's object of an error. The log gets `error` as the reason.
void refuse(Answer& answer, int status, const char* error, std::string_view description = {});

// Answers 503: nothing can be judged now. cannot_judge() leaves the body empty, as nginx wants it.
void cannot_judge(Answer& answer);
void cannot_tell(Answer& answer);

}  // namespace marque::server
