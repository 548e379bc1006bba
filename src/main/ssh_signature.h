// main/ssh_signature.h: signatures by owners' SSH keys, made and checked by OpenSSH (ssh-keygen -Y).
//
// Checking runs with an empty environment, and with an allowed-signers file that is made here and lives in memory
// only: a line for each registered key, whose principal is the key's own fingerprint. No name, comment or file of
// anybody's has a place in it, so none can add a signer or a pattern that matches more than one.
#pragma once

#include "authority/owner_signatures.h"

namespace marque {

class SshSignatures final : public authority::OwnerSignatures {
 public:
    Result<std::string> signer(std::string_view text, std::string_view signature,
                               std::span<const domain::Owner> owners) const override;
};

// As cli::OwnerKeys::sign_as_owner.
Result<std::string> sign_with_ssh_key(std::string_view text, const std::string& key,
                                      std::span<const domain::Owner> owners);

}  // namespace marque
