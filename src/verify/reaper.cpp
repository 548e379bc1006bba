#include "verify/reaper.h"

namespace marque::verify {

Result<void> Reaper::look(store::Verifiers& verifiers, const std::string& own_id, const Clock& clock) {
    const store::VerifierList list = TRY(verifiers.all());
    std::map<std::string, Seen> still_there;
    for (const store::VerifierRow& row : list.rows) {
        if (row.id == own_id || row.terms.mode == store::Freshness::AckOnly) continue;
        const Duration now = clock.since_boot();
        Seen seen{row.renewals, now, {}};
        if (const auto before = seen_.find(row.id); before != seen_.end() && before->second.renewals == row.renewals)
            seen = before->second;
        const Duration wait = store::longest_in_force(row.terms.lease);
        if (row.is_fenced && !seen.fenced_at) seen.fenced_at = now;  // by somebody else, and no later than now
        if (!seen.fenced_at && now - seen.at > 2 * wait) {
            TRY(verifiers.fence(row.id));
            seen.fenced_at = clock.since_boot();
        } else if (seen.fenced_at && now - *seen.fenced_at > wait) {
            TRY(verifiers.remove(row.id));
            continue;
        }
        still_there.emplace(row.id, seen);
    }
    seen_ = std::move(still_there);
    return {};
}

}  // namespace marque::verify
