// Verification as the command line asks for it, and what an accepted one leaves behind.
#include <algorithm>

#include "authority/authority.h"
#include "authority/keys.h"

namespace marque::authority {

using namespace domain;

const Secret& Authority::hashing_key() const {
    if (token_key_.empty()) token_key_ = token_key(root_key_);
    return token_key_;
}

Result<Authority::Answer> Authority::verify(std::string_view token, const Demand& demand) {
    return store::read_from(store_, [&](const store::Reader& reader) -> Result<Answer> {
        Answer answer;
        answer.verdict = TRY(verify::verify(reader, hashing_key(), token, demand, clock_.now()));
        const auto who = TRY(reader.operator_with_uid(caller_.uid));
        if (who && answer.verdict.whose)
            answer.tells_why = holds(*who, answer.verdict.whose->workspace.name, Permission::View);
        else
            answer.tells_why = who && !who->grants.empty();
        return answer;
    });
}

Result<void> Authority::record_use(const verify::Verdict& verdict, const std::string& from) {
    if (!verdict.is_accepted() || !verdict.whose) return {};
    const Credential& credential = verdict.whose->credential;
    const Instant now = clock_.now();
    const store::Use uses[] = {{credential.id, now, from}};
    TRY(store_.record_uses(uses));
    const auto& succession = credential.succession;
    if (!succession || succession->old_credential != OldCredential::RetiresWhenNewIsUsed) return {};

    auto is_waiting = [&](const store::Reader& reader) -> Result<std::optional<Credential>> {
        auto old = TRY(reader.credential(succession->replaces));
        if (!old || state_at(*old, now) != CredentialState::Retiring) return std::nullopt;
        return old;
    };
    if (!TRY(store::read_from(store_, is_waiting))) return {};
    TRY(store_.change([&](const store::Reader& reader) -> Result<std::vector<audit::Draft>> {
        const auto old = TRY(is_waiting(reader));
        if (!old) return std::vector<audit::Draft>{};
        const CredentialRef old_ref{old->workspace, old->identity, old->id};
        const CredentialRef new_ref{credential.workspace, credential.identity, credential.id};
        return std::vector<audit::Draft>{{audit::CredentialRetiring{old_ref, now, credential.id},
                                          audit::IdentityActor{new_ref}, now, audit::Mode::Runtime,
                                          "its successor was used", "", request_id_}};
    }));
    return {};
}

}  // namespace marque::authority
