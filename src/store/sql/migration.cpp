#include "store/sql/migration.h"

#include <fmt/format.h>

namespace marque::store::sql {

Result<void> require_newest(int version, int newest) {
    if (version > newest)
        return Error(Code::StateRefuses,
                     fmt::format("the store has schema {}, and this marque knows none above {}", version, newest),
                     "use the marque that wrote it, or a newer one");
    if (version < newest)
        return Error(Code::StateRefuses,
                     fmt::format("the store has schema {}, and this marque needs {}", version, newest),
                     "back it up, then run marque store migrate --confirm");
    return {};
}

Result<void> require_known(int from, int newest) {
    if (from <= newest) return {};
    return Error(Code::StateRefuses, fmt::format("the store has schema {}, which this marque does not know", from),
                 "use the marque that wrote it, or a newer one");
}

Result<void> require_target(int to, int newest) {
    if (to >= 0 && to <= newest) return {};
    return Error(Code::InvalidRequest, fmt::format("there is no schema {}", to),
                 fmt::format("this marque knows 1 to {}", newest));
}

}  // namespace marque::store::sql
