// Notes, checkpoints and verifier keys: what parses writes itself again; no bytes but the signer's
// open under a key.
#include "audit/note.h"
#include "fuzz.h"

using namespace marque::audit;

void fuzz(std::string_view input) {
    static const marque::crypto::SigningKey signer(marque::Secret::copy_of(marque::Bytes(32, 1)));
    static const VerifierKey key{"fuzz.example/log", signer.public_key()};
    if (const auto text = open_note(input, key)) {
        // Only what is signed below, or was put into the corpus by hand, can get here.
        CHECK(input.starts_with(*text) && text->ends_with('\n'));
    }
    if (const auto parsed = VerifierKey::parse(input)) CHECK(parsed->text() == input);
    if (const auto checkpoint = Checkpoint::parse(input)) {
        const auto again = Checkpoint::parse(checkpoint->text());
        CHECK(again && *again == *checkpoint);
        CHECK(input.starts_with(checkpoint->text()));
    }
    const bool is_signable = input.ends_with('\n') && input.size() < 1000 &&
                             input.find_first_of(std::string_view(
                                 "\0\1\2\3\4\5\6\7\b\t\v\f\r\16\17\20\21\22\23\24\25\26\27\30\31\32\33\34\35\36\37",
                                 31)) == std::string_view::npos;
    if (!is_signable) return;
    std::string note = sign_note(input, key.name, signer);
    const auto opened = open_note(note, key);
    CHECK(opened && *opened == input);
    note[input.size() / 2] ^= 1;
    CHECK(!open_note(note, key));
}
