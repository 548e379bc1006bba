// main/ssh_signature.h: signatures by owners' SSH keys, made and checked by OpenSSH (ssh-keygen -Y).
//
// Checking runs with an empty environment and with an allowed-signers file that is made here and kept in memory only.
// The file has one line for each registered key, and names the key's fingerprint as the principal. It contains no name
// or comment from users, so nobody can add a signer or a pattern that matches several signers.
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
