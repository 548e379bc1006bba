// test/plain_signatures.h: owners' signatures without OpenSSH.
#pragma once

#include <functional>

#include "authority/owner_signatures.h"

namespace marque {

// A text is signed by whoever names a key and the text.
class PlainSignatures final : public authority::OwnerSignatures {
 public:
    static std::string by(const domain::Owner& owner, std::string_view text) {
        return owner.fingerprint + " signs " + std::string(text);
    }
    Result<std::string> signer(std::string_view text, std::string_view signature,
                               std::span<const domain::Owner> owners) const override {
        if (when_asked) when_asked();
        for (const domain::Owner& owner : owners)
            if (signature == by(owner, text)) return owner.fingerprint;
        return Error(Code::PermissionDenied, "the signature does not count");
    }
    std::function<void()> when_asked;
};

}  // namespace marque
