// Names, ids, kinds, permissions, labels, and OpenSSH's fingerprints and public keys: each is taken exactly when it has
// the form that is written down for it, kept as it was typed, and can end no line and no field where it is put.
#include <regex>

#include "authority/filter.h"
#include "domain/name.h"
#include "domain/subject.h"
#include "fuzz.h"
#include "main/ssh_key.h"

using namespace marque;
using namespace marque::domain;

namespace {

bool has_form(std::string_view text, const std::regex& form) {
    // The library's matching is recursive.
    return text.size() <= 100 && std::regex_match(text.begin(), text.end(), form);
}

template <class Name>
void check_name(std::string_view input, bool is_one) {
    const auto name = Name::parse(input);
    CHECK(name.has_value() == is_one);
    if (name)
        CHECK(name->text() == input);
    else
        CHECK(name.error().code == Code::InvalidRequest && name.error().message.size() < 1000);
}

template <class Id>
void check_id(std::string_view input) {
    static const std::regex form("[0-9a-hjkmnp-tv-z]+");
    const auto id = Id::parse(input);
    CHECK(id.has_value() == (input.size() == Id::length && has_form(input, form)));
    if (id) CHECK(id->text() == input && Id::from_bits(id->bits()) == *id);
}

bool ends_a_field(std::string_view text) {
    return text.find_first_of(std::string_view("\0\n\r\t\",", 6)) != std::string_view::npos;
}

}  // namespace

void fuzz(std::string_view input) {
    static const std::regex form("[a-z0-9][a-z0-9._-]{0,62}");
    const bool is_one = has_form(input, form);
    CHECK(is_name(input) == is_one);
    check_name<WorkspaceName>(input, is_one);
    check_name<EnvironmentName>(input, is_one);
    check_name<IdentityName>(input, is_one);
    check_name<OperatorName>(input, is_one);
    check_id<CredentialId>(input);
    check_id<ApprovalId>(input);

    if (const auto kind = parse_kind(input)) CHECK(name_of(*kind) == input);
    if (const auto permission = parse_permission(input)) CHECK(std::string_view(name_of(*permission)).ends_with(input));
    if (const auto label = authority::parse_label(input)) {
        CHECK(is_name(label->first) && label->second.size() <= 200);
        CHECK(label->first + "=" + label->second == input);
    }

    if (is_fingerprint(input))
        CHECK(input.starts_with("SHA256:") && !ends_a_field(input) && input.find(' ') == std::string_view::npos);
    if (is_public_key(input)) {
        CHECK(!ends_a_field(input) && input.find(' ') == input.rfind(' ') && without_comment(input) == input);
        const std::string commented = std::string(input) + " somebody's";
        CHECK(!is_public_key(commented) && without_comment(commented) == input);
    }
}
