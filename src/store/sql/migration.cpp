#include "store/sql/migration.h"

#include <fmt/format.h>

#include "base/text.h"

namespace marque::store::sql {

Result<void> require_newest(int version) {
    if (version > newest_schema)
        return Error(
            Code::StateRefuses,
            fmt::format("the store has schema {}, and this marque knows none above {}", version, newest_schema),
            "use the marque that wrote it, or a newer one");
    if (version < newest_schema)
        return Error(Code::StateRefuses,
                     fmt::format("the store has schema {}, and this marque needs {}", version, newest_schema),
                     "back it up, then run marque store migrate --confirm");
    return {};
}

Result<void> require_known(int version) {
    if (version <= newest_schema) return {};
    return Error(Code::StateRefuses, fmt::format("the store has schema {}, which this marque does not know", version),
                 "use the marque that wrote it, or a newer one");
}

Result<void> require_target(int version) {
    if (version >= 0 && version <= newest_schema) return {};
    return Error(Code::InvalidRequest, fmt::format("there is no schema {}", version),
                 fmt::format("this marque knows 1 to {}", newest_schema));
}

Error not_made_by_marque(const std::string& object) {
    Error error(Code::Corrupt,
                fmt::format("the {} in the store's database is not as Marque makes it: somebody wrote to the database",
                            escaped(object)),
                "if it is your own, move it to another database and drop it here; else find out who put it there, and "
                "run marque doctor");
    error.tampered = object;
    return error;
}

}  // namespace marque::store::sql
