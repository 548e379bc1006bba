#include "authority/barrier.h"

#include <fmt/format.h>

#include <algorithm>

namespace marque::authority {
namespace {

using namespace std::chrono_literals;

// Between two looks at who has acknowledged.
constexpr Duration shortest_pause = 500us, longest_pause = 50ms;
// For those whose word alone counts, and for a database that is away; then the change is said to be not in force yet.
constexpr Duration patience = 30s;

Duration wait_for(const store::VerifierRow& row) {
    return store::longest_in_force(row.terms.lease);
}

}  // namespace

Barrier::Barrier(store::Store& store, const Clock& clock) : verifiers_(store.verifiers()), clock_(clock) {}

void Barrier::take(const store::VerifierList& list) {
    is_taken_ = true;
    for (const store::VerifierRow& row : list.rows) awaited_.push_back({row});
}

bool Barrier::is_passed(Duration since_commit) const {
    return std::ranges::all_of(awaited_, [&](const Awaited& one) {
        return one.has_confirmed || one.is_over ||
               (one.row.terms.mode == store::Freshness::Lease && since_commit >= wait_for(one.row));
    });
}

Receipt Barrier::await(domain::Revision revision, Awaiting awaiting) {
    Receipt receipt{.revision = revision};
    if (verifiers_ == nullptr) return receipt;
    receipt.awaits_verifiers = true;
    const Duration committed_at = clock_.since_boot();  // Note: after the commit has returned
    Duration since_commit{}, pause = shortest_pause;
    std::string why;
    for (;;) {
        // Roll: whom to wait for is known from the first look after the commit; who comes later has read it.
        const auto list = verifiers_->all();
        const bool is_ours = list && list->has_change;
        if (is_ours && !is_taken_) take(*list);
        if (is_ours) {
            why.clear();
            for (Awaited& one : awaited_) {
                const auto row = std::ranges::find(list->rows, one.row.id, &store::VerifierRow::id);
                if (row == list->rows.end())
                    one.is_over = true;  // it answers no more, or was fenced and waited out
                else if (row->acknowledged >= revision)
                    one.has_confirmed = true;
            }
        } else if (!list) {
            why = list.error().message;
        }
        since_commit = clock_.since_boot() - committed_at;
        if (list && !is_ours) {
            receipt.force = Force::NotYet;
            receipt.why = fmt::format("the database came back with another log, of {} entries: revision {} is lost",
                                      list->revision, revision);
            break;
        }
        // Barrier: passed, and the change is still there.
        if (is_ours && is_passed(since_commit)) break;
        if (awaiting == Awaiting::No) {
            receipt.force = Force::NotAwaited;
            break;
        }
        if (since_commit >= patience + (is_taken_ ? Duration(0) : store::longest_lease)) {
            receipt.force = Force::NotYet;
            receipt.why = why.empty() ? "" : "the database can't be asked: " + why;
            break;
        }
        verifiers_->pause(pause);
        pause = std::min(longest_pause, pause + pause / 4);
    }
    receipt.took = since_commit;
    for (const Awaited& one : awaited_) {
        if (one.is_over && !one.has_confirmed) continue;
        ++receipt.verifiers;
        if (one.has_confirmed) {
            ++receipt.confirmed;
        } else if (receipt.force == Force::Everywhere) {
            receipt.waited_out.push_back(one.row.terms.name);
        } else {
            receipt.silent.push_back(one.row.terms.name);
            if (one.row.terms.mode == store::Freshness::Lease)
                receipt.longest = std::max(receipt.longest, wait_for(one.row));
        }
    }
    if (receipt.force == Force::NotYet && receipt.why.empty())
        receipt.why = "not every verifier whose word is needed has given it";
    const bool may_take_for_ever = std::ranges::any_of(awaited_, [](const Awaited& one) {
        return !one.has_confirmed && !one.is_over && one.row.terms.mode == store::Freshness::AckOnly;
    });
    if (may_take_for_ever || !is_taken_) receipt.longest = Duration(0);
    return receipt;
}

}  // namespace marque::authority
