#include "authority/runtime.h"

#include "authority/resolve.h"
#include "crypto/digest.h"
#include "domain/token.h"
#include "verify/verify.h"

namespace marque::authority {

using namespace domain;

namespace {

constexpr std::size_t events_at_a_time = 500;

audit::Draft runtime_draft(audit::Event event, const CredentialRef& actor, Instant now, const std::string& reason,
                           const std::string& request) {
    return {std::move(event), audit::IdentityActor{actor}, now, audit::Mode::Runtime, reason, "", request};
}

}  // namespace

Result<void> record_uses(store::Store& store, std::span<const store::Use> uses, std::vector<store::RefusedUse> refused,
                         Instant now) {
    TRY(store.read([&](const store::Reader& reader) -> Result<void> {
        for (store::RefusedUse& use : refused) {
            const auto credential = TRY(reader.credential(use.credential));
            if (!credential) return Error(Code::Corrupt, "a credential that was refused is gone");
            const Standings standings = TRY(verify::standings_of(reader, *credential));
            // What stops it now; when that has changed meanwhile, the use is counted to what it met.
            const Reason reason = judge(standings, std::nullopt, now);
            if (is_stopped(reason)) use.uses.reason = name_of(reason);
            use.uses.since = stopped_since(standings, reason);
        }
        return {};
    }));
    return store.record_uses(uses, refused);
}

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
