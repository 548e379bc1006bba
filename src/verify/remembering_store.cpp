#include "verify/remembering_store.h"

#include <algorithm>

#include "audit/entry.h"
#include "store/read_back.h"

namespace marque::verify {

struct RememberingStore::Changed {
    std::optional<audit::Draft> last;
    std::string installation;
    std::optional<KnownLog> given_up;  // when this log is to be known in its place
};

Result<domain::Revision> RememberingStore::change(const store::Decide& decide) {
    Changed changed;
    std::string why_not;
    const auto revision = TRY(inner_.change([&](const store::Reader& reader) -> Result<std::vector<audit::Draft>> {
        changed = {};
        why_not.clear();
        auto drafts = TRY(decide(reader));
        if (drafts.empty()) return drafts;
        changed.last = drafts.back();
        if (auto looked = look_before(reader, drafts, changed); !looked) why_not = looked.error().message;
        return drafts;
    }));
    if (!changed.last) return revision;
    if (why_not.empty())
        TRY(remember(revision, changed));
    else
        tell_(why_not);
    return revision;
}

// In the transaction of the change: that the log to be appended to is the one that is known. Errors: why it is not to
// be remembered.
Result<void> RememberingStore::look_before(const store::Reader& reader, const std::vector<audit::Draft>& drafts,
                                           Changed& changed) {
    const auto* const created = std::get_if<audit::InstallationCreated>(&drafts.front().event);
    const auto installation = created != nullptr ? std::optional(created->installation) : TRY(reader.installation());
    if (!installation) return Error(Code::Unavailable, "the store is empty");
    changed.installation = installation->id;
    const auto known = TRY(memory_->recall());
    if (!known) return {};
    const bool is_accepted = std::ranges::any_of(
        drafts, [](const audit::Draft& draft) { return std::holds_alternative<audit::LogAccepted>(draft.event); });
    // A new installation in the folder of an old one replaces what was known, too.
    if (created != nullptr || is_accepted)
        changed.given_up = known;
    else
        TRY(require_continues(reader, *known));
    return {};
}

Result<void> RememberingStore::remember(domain::Revision revision, const Changed& changed) {
    const KnownLog known{changed.installation, revision,
                         audit::leaf_hash(bytes_of(audit::encode(*changed.last, revision))), changed.last->at};
    if (const auto kept = advance(*memory_, known, changed.given_up); !kept) tell_(kept.error().message);
    const auto checked =
        inner_.read([&](const store::Reader& reader) -> Result<void> { return require_continues(reader, known); });
    if (!checked) return store::not_read_back(revision, checked.error());
    return {};
}

}  // namespace marque::verify
