#include "base/error.h"

#include "base/check.h"

namespace marque {

const char* name_of(Code code) {
    switch (code) {
        case Code::Unexpected:
            return "unexpected";
        case Code::InvalidRequest:
            return "invalid_request";
        case Code::StateRefuses:
            return "refused_by_state";
        case Code::PermissionDenied:
            return "permission_denied";
        case Code::NotConfirmed:
            return "not_confirmed";
        case Code::ApprovalNeeded:
            return "approval_needed";
        case Code::NotFound:
            return "not_found";
        case Code::Unavailable:
            return "unavailable";
        case Code::OutcomeUnknown:
            return "outcome_unknown";
        case Code::Corrupt:
            return "corrupt";
    }
    CHECK_UNREACHABLE();
}

}  // namespace marque
