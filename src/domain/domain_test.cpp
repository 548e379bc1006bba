// domain: names, ids, scopes, tokens, and time as people type it.
#include <boost/crc.hpp>
#include <gtest/gtest.h>

#include "base/bytes.h"
#include "domain/name.h"
#include "domain/scope.h"
#include "domain/span_of_time.h"
#include "domain/subject.h"
#include "domain/token.h"

namespace marque::domain {
namespace {

using namespace std::chrono_literals;
using std::chrono::days;

TEST(Name, IsRefusedAndNeverMapped) {
    for (const char* good : {"a", "0", "codex", "claude-code", "a.b_c-d", "x1"})
        EXPECT_TRUE(IdentityName::parse(good)) << good;
    EXPECT_TRUE(IdentityName::parse(std::string(63, 'a')));
    for (const std::string bad : {"", "A", "Codex", "-rf", ".x", "_x", "a b", "a/b", "a\n", "café", "ｃodex", "сodex",
                                  "a\u200bb", "*", "a:b", "a,b", "../x"}) {
        const auto name = IdentityName::parse(bad);
        ASSERT_FALSE(name) << bad;
        EXPECT_EQ(name.error().code, Code::InvalidRequest);
    }
    EXPECT_FALSE(IdentityName::parse(std::string_view("a\0b", 3)));
    EXPECT_FALSE(IdentityName::parse(std::string(64, 'a')));
    EXPECT_LT(IdentityName::parse(std::string(1 << 20, 'a')).error().message.size(), 200u);
}

TEST(CredentialId, IsCrockfordLowerCase) {
    EXPECT_TRUE(CredentialId::parse("0123456789ab"));
    for (const char* bad : {"", "0123456789a", "0123456789abc", "0123456789aI", "0123456789ai", "0123456789al",
                            "0123456789ao", "0123456789au", "0123456789aB"})
        EXPECT_FALSE(CredentialId::parse(bad)) << bad;
    EXPECT_EQ(CredentialId::from_bits(0).text(), "000000000000");
    EXPECT_EQ(CredentialId::from_bits(~0ull).text(), "zzzzzzzzzzzz");
    EXPECT_EQ(CredentialId::from_bits(1).text(), "100000000000");
}

TEST(Scope, IsResourceAndVerb) {
    EXPECT_TRUE(Scope::parse("card:edit"));
    EXPECT_TRUE(Scope::parse("marque:introspect"));
    for (const char* bad : {"", "card", "card:", ":edit", "card:edit:more", "Card:edit", "card:*", "*:*", "card: edit"})
        EXPECT_FALSE(Scope::parse(bad)) << bad;
}

TEST(ScopeSet, IsASortedSet) {
    const auto set = ScopeSet::parse("card:view,card:edit,card:view");
    ASSERT_TRUE(set);
    EXPECT_EQ(set->text(), "card:edit,card:view");
    EXPECT_EQ(*ScopeSet::parse(set->text()), *set);
    for (const char* bad : {"", ",", "card:view,", "card:view,,card:edit", "kann"})
        EXPECT_FALSE(ScopeSet::parse(bad)) << bad;
}

TEST(ScopeSet, PresetKanHas24) {
    const auto kan = ScopeSet::parse("kan");
    ASSERT_TRUE(kan);
    EXPECT_EQ(kan->scopes().size(), 24u);
    EXPECT_TRUE(kan->contains(*Scope::parse("workspace:view")));
    EXPECT_TRUE(kan->contains(*Scope::parse("member:remove")));
    EXPECT_EQ(ScopeSet::parse("kan,deploy:run")->scopes().size(), 25u);
}

TEST(ScopeSet, SubsetsAndWhatIsMissing) {
    const ScopeSet small = *ScopeSet::parse("a:b,c:d"), large = *ScopeSet::parse("a:b,c:d,e:f"),
                   other = *ScopeSet::parse("a:b,x:y");
    EXPECT_TRUE(small.is_subset_of(large));
    EXPECT_TRUE(small.is_subset_of(small));
    EXPECT_FALSE(large.is_subset_of(small));
    EXPECT_FALSE(other.is_subset_of(large));
    EXPECT_EQ(other.minus(large).text(), "x:y");
    EXPECT_EQ(other.intersection(large).text(), "a:b");
}

TEST(ScopeSet, HasALimit) {
    std::string text;
    for (int i = 0; i < 128; ++i) text += "r:v" + std::to_string(i) + ",";
    text.pop_back();
    EXPECT_TRUE(ScopeSet::parse(text));
    EXPECT_FALSE(ScopeSet::parse(text + ",r:more"));
}

TEST(ScopeSet, NoticesALikelyTypingError) {
    EXPECT_EQ(likely_meant(*Scope::parse("card:veiw")), "card:view");
    EXPECT_EQ(likely_meant(*Scope::parse("card:view")), "");
    EXPECT_EQ(likely_meant(*Scope::parse("deploy:run")), "");
}

Secret example_token(TokenClass token_class = TokenClass::Test) {
    Bytes entropy(token_entropy_bytes);
    for (std::size_t i = 0; i < entropy.size(); ++i) entropy[i] = static_cast<std::uint8_t>(i);
    return make_token(token_class, *CredentialId::parse("0123456789ab"), entropy);
}

TEST(Token, Crc32CheckValue) {
    boost::crc_32_type crc;
    crc.process_bytes("123456789", 9);
    EXPECT_EQ(crc.checksum(), 0xCBF43926u) << "the check value of CRC-32/ISO-HDLC";
}

// The whole token by an independent computation (Python's int, zlib.crc32).
TEST(Token, HasItsForm) {
    EXPECT_EQ(example_token().reveal_text(), "mrq_test_0123456789ab_003aUlTJC7tjlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf0AWwnc");
    EXPECT_EQ(example_token().size(), token_length);
    const auto parts = parse_token(example_token(TokenClass::Live).reveal_text());
    ASSERT_TRUE(parts);
    EXPECT_EQ(parts->token_class, TokenClass::Live);
    EXPECT_EQ(parts->id.text(), "0123456789ab");
}

TEST(Token, EveryChangedCharacterIsNoticed) {
    const Secret token = example_token();
    const std::string good(token.reveal_text());
    for (std::size_t i = 0; i < good.size(); ++i)
        for (const char c : {'0', 'a', 'Z', '_', ' ', '\0', '\xff'}) {
            std::string bad = good;
            if (bad[i] == c) continue;
            bad[i] = c;
            EXPECT_FALSE(parse_token(bad)) << i;
        }
}

TEST(Token, ConfusionsAreRefused) {
    const Secret test = example_token(), live = example_token(TokenClass::Live);
    const std::string good(test.reveal_text());
    EXPECT_FALSE(parse_token("mrq_live_" + good.substr(9))) << "a test token relabelled";
    EXPECT_FALSE(parse_token(good + good));
    EXPECT_FALSE(parse_token(good + "\n"));
    EXPECT_FALSE(parse_token(" " + good));
    EXPECT_FALSE(parse_token(good.substr(0, good.size() - 1)));
    EXPECT_FALSE(parse_token(""));
    for (const std::string& text : {good, good.substr(0, 30)}) EXPECT_TRUE(mentions_token("--x=" + text));
    EXPECT_EQ(parse_token(good + "x").error().message.find(good.substr(22, 8)), std::string::npos) << "never quoted";
}

TEST(Duration, AsPeopleTypeIt) {
    EXPECT_EQ(*parse_duration("90d"), Duration(days(90)));
    EXPECT_EQ(*parse_duration("2h30m"), Duration(2h + 30min));
    EXPECT_EQ(*parse_duration("1w2d3h4m5s"), Duration(days(9) + 3h + 4min + 5s));
    EXPECT_EQ(*parse_duration("36500d"), longest_duration);
    for (const char* bad : {"", "0", "0s", "0d0h", "90", "d", "-1d", "+1d", "1.5h", "1h1h", "1m1h", "1 h", "90D", "1y",
                            "36501d", "99999999999999999999d", "never", "1d "})
        EXPECT_EQ(parse_duration(bad).error().code, Code::InvalidRequest) << bad;
    EXPECT_EQ(to_text(days(9) + 3h + 5s), "9d3h5s");
    EXPECT_EQ(*parse_duration(to_text(Duration(2h + 30min))), Duration(2h + 30min));
}

TEST(Ending, AsPeopleTypeIt) {
    const Instant now = *parse_rfc3339("2026-11-23T20:43:00.000000Z");
    EXPECT_EQ(*Ending::parse("90d")->resolve(now), now + days(90));
    EXPECT_EQ(*Ending::parse("never")->resolve(now), std::nullopt);
    EXPECT_EQ(*Ending::parse("2027-01-31")->resolve(now), *parse_rfc3339("2027-01-31T23:59:59.999999Z"));
    EXPECT_EQ(*Ending::parse("2026-11-23")->resolve(now), *parse_rfc3339("2026-11-23T23:59:59.999999Z")) << "today";
    EXPECT_FALSE(Ending::parse("2026-11-22")->resolve(now)) << "past";
    EXPECT_FALSE(Ending::parse("2126-12-01")->resolve(now)) << "too far";
    EXPECT_FALSE(Ending::at(now).resolve(now)) << "half-open: now is no future";
    for (const char* bad : {"0", "0d", "", "Never", "2027-02-30", "2027-1-31", "31.1.2027", "tomorrow"})
        EXPECT_EQ(Ending::parse(bad).error().code, Code::InvalidRequest) << bad;
}

TEST(Subject, IsDescribedInWords) {
    const auto workspace = *WorkspaceName::parse("default");
    EXPECT_EQ(describe(CredentialRef{workspace, *IdentityName::parse("codex"), *CredentialId::parse("0123456789ab")}),
              "credential 0123456789ab of codex");
    EXPECT_EQ(describe(EnvironmentRef{workspace, *EnvironmentName::parse("dev")}), "environment dev");
}

}  // namespace
}  // namespace marque::domain
