// authority/owner_signatures.h: who signed a text, as OpenSSH says. main/ asks it; there is no parser of keys here.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "domain/entities.h"

namespace marque::authority {

// The SSHSIG namespace of every approval: a signature that was made for another purpose is none
// (openssh PROTOCOL.sshsig, section 3).
inline constexpr const char* signature_namespace = "marque-approval";

class OwnerSignatures {
 public:
    virtual ~OwnerSignatures() = default;
    // The fingerprint of the one of `owners` whose key made `signature`, an armoured SSHSIG, over exactly `text` in
    // the namespace above. Errors: PermissionDenied, which says what it is instead (of nobody's key, of another
    // namespace, over another text, no signature); Unavailable (OpenSSH can't be asked).
    virtual Result<std::string> signer(std::string_view text, std::string_view signature,
                                       std::span<const domain::Owner> owners) const = 0;
};

}  // namespace marque::authority
