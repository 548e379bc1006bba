#include "domain/credential_id.h"

#include <algorithm>

#include "base/text.h"

namespace marque::domain {
namespace {

constexpr std::string_view alphabet = "0123456789abcdefghjkmnpqrstvwxyz";

}  // namespace

CredentialId::CredentialId(std::string_view text) {
    std::copy(text.begin(), text.end(), text_.begin());
}

bool CredentialId::is_id(std::string_view text) {
    return text.size() == length && text.find_first_not_of(alphabet) == std::string_view::npos;
}

Result<CredentialId> CredentialId::parse(std::string_view text) {
    if (is_id(text)) return CredentialId(text);
    return Error(Code::InvalidRequest, quote(text) + " is not a credential id");
}

CredentialId CredentialId::from_bits(std::uint64_t bits) {
    std::string text(length, '\0');
    for (char& c : text) {
        c = alphabet[bits & 31];
        bits >>= 5;
    }
    return CredentialId(text);
}

}  // namespace marque::domain
