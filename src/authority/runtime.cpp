#include "authority/runtime.h"

#include <algorithm>

#include "authority/resolve.h"
#include "crypto/digest.h"
#include "domain/token.h"
#include "verify/verify.h"

namespace marque::authority {

using namespace domain;

namespace {

constexpr std::size_t events_at_a_time = 500;
// A transaction holds the write lock, and an operator waits for that: so many rows are a few milliseconds.
constexpr std::size_t uses_at_a_time = 2000;

audit::Draft runtime_draft(audit::Event event, const CredentialRef& actor, Instant now, const std::string& reason,
                           const std::string& request) {
    return {std::move(event), audit::IdentityActor{actor}, now, audit::Mode::Runtime, reason, "", request};
}

// In the order of ids, which is that of the rows. `write` puts some of them into one transaction.
template <class Row, class Make, class Write>
Result<void> write_some_at_a_time(verify::SeenById& seen, const Make& make, const Write& write) {
    std::vector<std::pair<CredentialId, std::uint64_t>> ids;
    for (const auto& [bits, one] : seen) ids.emplace_back(CredentialId::from_bits(bits), bits);
    std::ranges::sort(ids);
    for (std::size_t at = 0; at < ids.size(); at += uses_at_a_time) {
        const std::span some(ids.data() + at, std::min(uses_at_a_time, ids.size() - at));
        std::vector<Row> rows;
        for (const auto& [id, bits] : some) rows.push_back(make(id, seen.at(bits)));
        TRY(write(rows));
        for (const auto& [id, bits] : some) seen.erase(bits);
    }
    return {};
}

// What stops a credential now; when that has changed since it was refused, the use is counted to what it would meet.
Result<void> fill_in_since(store::Store& store, std::vector<store::RefusedUse>& refused, Instant now) {
    return store.read([&](const store::Reader& reader) -> Result<void> {
        for (store::RefusedUse& use : refused) {
            const auto credential = TRY(reader.credential(use.credential));
            if (!credential) return Error(Code::Corrupt, "a credential that was refused is gone");
            const Ancestry standings = TRY(verify::ancestry_of(reader, *credential));
            const Reason reason = judge(standings, {}, now);
            if (is_stopped(reason)) use.uses.reason = name_of(reason);
            use.uses.since = stopped_since(standings, reason);
        }
        return {};
    });
}

// Writes the events that are due.
Result<void> tell_refused_uses(store::Store& store, Instant now, const std::string& request) {
    const auto due = [&](const store::Reader& reader) {
        return reader.untold_refused_uses(now - refusal_event_interval, events_at_a_time);
    };
    if (TRY(store::read_from(store, due)).empty()) return {};
    TRY(store.change([&](const store::Reader& reader) -> Result<std::vector<audit::Draft>> {
        std::vector<audit::Draft> drafts;
        for (const auto& [id, uses] : TRY(due(reader))) {
            const auto credential = TRY(reader.credential(id));
            if (!credential) continue;
            const CredentialRef ref = ref_of(*credential);
            drafts.push_back(
                runtime_draft(audit::CredentialRefused{ref, uses.reason, uses.count, uses.last_at, uses.last_from, now},
                              ref, now, "", request));
        }
        return drafts;
    }));
    return {};
}

// `id` was used: ends what a rotation kept until then, if it still works.
Result<void> end_predecessor(store::Store& store, const CredentialId& id, Instant now, const std::string& request) {
    struct Pair {
        Credential successor, old;
    };
    const auto waiting = [&](const store::Reader& reader) -> Result<std::optional<Pair>> {
        auto successor = TRY(reader.credential(id));
        if (!successor || !successor->succession ||
            successor->succession->old_credential != OldCredential::RetiresWhenNewIsUsed)
            return std::nullopt;
        auto old = TRY(reader.credential(successor->succession->replaces));
        if (!old || state_at(*old, now) != CredentialState::Retiring) return std::nullopt;
        return Pair{std::move(*successor), std::move(*old)};
    };
    if (!TRY(store::read_from(store, waiting))) return {};
    TRY(store.change([&](const store::Reader& reader) -> Result<std::vector<audit::Draft>> {
        const auto pair = TRY(waiting(reader));
        if (!pair) return std::vector<audit::Draft>{};
        return std::vector{runtime_draft(audit::CredentialRetiring{ref_of(pair->old), now, id}, ref_of(pair->successor),
                                         now, "its successor was used", request)};
    }));
    return {};
}

}  // namespace

Result<void> note_uses(store::Store& store, verify::Uses& uses, Instant now) {
    TRY(write_some_at_a_time<store::Use>(
        uses.accepted,
        [](CredentialId id, const verify::Seen& seen) {
            return store::Use{id, seen.at, std::string(seen.from.text()), seen.count};
        },
        [&](const std::vector<store::Use>& rows) -> Result<void> {
            TRY(store.record_uses(rows, {}));
            for (const store::Use& row : rows)
                if (uses.accepted.at(row.credential.bits()).ends_predecessor) uses.successors.push_back(row.credential);
            return {};
        }));
    return write_some_at_a_time<store::RefusedUse>(
        uses.refused,
        [](CredentialId id, const verify::Seen& seen) {
            return store::RefusedUse{id, {name_of(seen.reason), 0, seen.at, std::string(seen.from.text()), seen.count}};
        },
        [&](std::vector<store::RefusedUse>& rows) -> Result<void> {
            TRY(fill_in_since(store, rows, now));
            return store.record_uses({}, rows);
        });
}

Result<void> write_events_of_uses(store::Store& store, std::vector<CredentialId>& successors, Instant now,
                                  const std::string& request) {
    for (; !successors.empty(); successors.pop_back()) TRY(end_predecessor(store, successors.back(), now, request));
    return tell_refused_uses(store, now, request);
}

Result<void> write_uses(store::Store& store, verify::Uses& uses, Instant now, const std::string& request) {
    TRY(note_uses(store, uses, now));
    auto followed = write_events_of_uses(store, uses.successors, now, request);
    if (!followed && followed.error().code == Code::PermissionDenied) return {};
    return followed;
}

Result<void> tell_tampering(store::Store& store, const Error& error, const audit::Process& process, Instant now,
                            const std::string& request) {
    TRY(store.change([&](const store::Reader&) -> Result<std::vector<audit::Draft>> {
        return std::vector<audit::Draft>{{audit::Refused{"store.read", StoreRef{}, error},
                                          audit::OperatorActor{std::nullopt, process}, now, audit::Mode::Runtime, "",
                                          "", request}};
    }));
    return {};
}

Result<HolderRevocation> revoke_by_holder(store::Store& store, const Secret& token_key, std::string_view token,
                                          const std::optional<IdentityRef>& client, Instant now,
                                          const std::string& request) {
    const auto parts = read_token(token);
    if (!parts) return HolderRevocation{};
    const TokenHash hash = verify::hash_token(token_key, token);
    using enum HolderRevocation::Kind;
    HolderRevocation result;
    result.revision = TRY(store.change([&](const store::Reader& reader) -> Result<std::vector<audit::Draft>> {
        std::vector<audit::Draft> drafts;
        result.kind = NotOne;
        const auto credential = TRY(reader.credential(parts->id));
        if (!credential || !crypto::equal(hash, credential->hash)) return drafts;
        const CredentialRef ref = ref_of(*credential);
        result.kind = AnothersToken;
        if (client && *client != IdentityRef{ref.workspace, ref.identity}) return drafts;
        result.kind = Revoked;
        const CredentialState state = state_at(*credential, now);
        if (rule_for(state, CredentialAction::Revoke).ruling == Ruling::Allowed)
            drafts.push_back(
                runtime_draft(audit::Revoked{ref, name_of(state)}, ref, now, "revoked by its holder", request));
        return drafts;
    }));
    return result;
}

}  // namespace marque::authority
