#include "server/refusals.h"

#include "audit/json.h"

namespace marque::server {
namespace {

audit::JsonObject error_object(const char* error, std::string_view description) {
    audit::JsonObject object{{"error", error}, {"schema", "marque/1"}};
    if (!description.empty()) object["error_description"] = description;
    return object;
}

}  // namespace

void refuse(Answer& answer, int status, const char* error, std::string_view description) {
    answer.json(status, audit::canonical(error_object(error, description)));
    answer.reason = error;
}

void cannot_judge(Answer& answer) {
    answer.status = 503;
    answer.add("Retry-After", "1");
    answer.reason = "not_fresh";
}

void cannot_tell(Answer& answer) {
    cannot_judge(answer);
    answer.json(503, audit::canonical(error_object("temporarily_unavailable", {})));
}

}  // namespace marque::server
