#include "verify/facts.h"

namespace marque::verify {

using namespace domain;

Result<void> put_identity(Index& index, const Identity& identity) {
    return index.put(store::IdentityFacts{identity.workspace.text(), identity.name.text(), identity.environment.text(),
                                          identity.scopes.text(), identity.condition});
}

Result<void> put_credential(Index& index, const Credential& credential) {
    const auto& succession = credential.succession;
    return index.put(
        store::CredentialFacts{credential.id, credential.workspace.text(), credential.identity.text(),
                               credential.scopes.text(), credential.hash, term_of(credential),
                               succession && succession->old_credential == OldCredential::RetiresWhenNewIsUsed});
}

}  // namespace marque::verify
