// Verification as the command line asks for it, and what an accepted one leaves behind.
#include <algorithm>

#include "authority/authority.h"
#include "authority/keys.h"
#include "authority/runtime.h"

namespace marque::authority {

using namespace domain;

const Secret& Authority::hashing_key() const {
    if (token_key_.empty()) token_key_ = token_key(root_key_);
    return token_key_;
}

Result<Authority::Answer> Authority::verify(std::string_view token, const Demand& demand,
                                            const std::optional<verify::KnownLog>& known) {
    return store::read_from(store_, [&](const store::Reader& reader) -> Result<Answer> {
        if (known) TRY(verify::require_continues(reader, *known));
        Answer answer;
        answer.verdict = TRY(verify::verify(reader, hashing_key(), token, demand, clock_.now()));
        auto who = TRY(reader.operator_with_uid(caller_.uid));
        if (!require_true_uid(reader, caller_, root_key_)) who.reset();
        if (who && answer.verdict.whose)
            answer.tells_why = holds(*who, answer.verdict.whose->workspace.name, Permission::View);
        else
            answer.tells_why = who && !who->grants.empty();
        return answer;
    });
}

Result<void> Authority::record_use(const verify::Judgement& verdict, const std::string& from) {
    if (!verdict.is_accepted() || !verdict.whose) return {};
    const Credential& credential = verdict.whose->credential;
    const auto& succession = credential.succession;
    verify::Uses uses;
    const Instant now = clock_.now();
    uses.accepted[credential.id.bits()] = {
        now, 1, verify::AddressText(from), Reason::Accepted,
        succession && succession->old_credential == OldCredential::RetiresWhenNewIsUsed};
    return write_uses(store_, uses, now, request_id_);
}

}  // namespace marque::authority
