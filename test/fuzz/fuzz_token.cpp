// A text that parses as a token is exactly one: of the one length, and no character of it may
// change without it failing to parse.
#include <string>

#include "domain/token.h"
#include "fuzz.h"

using namespace marque::domain;

void fuzz(std::string_view input) {
    // Random bytes hardly ever have a right checksum, so also make a token of them and break it.
    if (const auto parts = parse_token(input)) {
        CHECK(input.size() == token_length);
        CHECK(input.substr(9, CredentialId::length) == parts->id.text());
    }
    if (input.size() < token_entropy_bytes + 10) return;
    std::uint64_t bits = 0;
    for (int i = 0; i < 8; ++i) bits = bits << 8 | static_cast<unsigned char>(input[static_cast<std::size_t>(i)]);
    const auto id = CredentialId::from_bits(bits);
    const auto token = make_token(TokenClass::Live, id, marque::bytes_of(input.substr(8, token_entropy_bytes)));
    const auto parts = parse_token(token.reveal_text());
    CHECK(parts && parts->id == id && parts->token_class == TokenClass::Live);
    std::string broken(token.reveal_text());
    const auto at = static_cast<unsigned char>(input[40]) % broken.size();
    if (broken[at] == input[41]) return;
    broken[at] = input[41];
    CHECK(!parse_token(broken));
}
