// domain/credential_id.h: the public id of a credential. 60 random bits.
#pragma once

#include "domain/base32_id.h"

namespace marque::domain {

struct CredentialIdKind {
    static constexpr const char* word = "a credential";
    static constexpr std::size_t length = 12;
};
using CredentialId = Base32Id<CredentialIdKind>;

}  // namespace marque::domain
