// base: secrets stay where they are put, outside text is shown harmlessly, times read back.
#include <gtest/gtest.h>

#include <algorithm>
#include <type_traits>

#include "base/bytes.h"
#include "base/decimal.h"
#include "base/secret.h"
#include "base/text.h"
#include "base/time.h"

namespace marque {
namespace {

TEST(Secret, MovesAndLeavesNothingBehind) {
    Secret first = Secret::copy_of(bytes_of("a token"));
    Secret second = std::move(first);
    EXPECT_EQ(second.reveal_text(), "a token");
    EXPECT_EQ(first.size(), 0u);  // NOLINT(bugprone-use-after-move): that is what is tested
    second.truncate(1);
    EXPECT_EQ(second.reveal_text(), "a");
}

TEST(Secret, CellIsWipedBeforeItIsUsedAgain) {
    const std::uint8_t* place = nullptr;
    {
        const Secret secret = Secret::copy_of(bytes_of("mrq_test_secret"));
        place = secret.reveal().data();
    }
    const Secret next(15);  // the free cell that was given back last
    ASSERT_EQ(next.reveal().data(), place);
    EXPECT_EQ(next.reveal_text(), std::string_view("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 15));
}

// A server without a byte of address space to spare reads its key file all the same.
TEST(Secret, PagesAreUsedAgainAndAreWipedBefore) {
    const std::uint8_t* pages = nullptr;
    {
        Secret file(130);
        std::ranges::fill(file.writable(), std::uint8_t{7});
        pages = file.reveal().data();
    }
    const Secret next(200);
    EXPECT_EQ(next.reveal().data(), pages);
    EXPECT_TRUE(std::ranges::all_of(next.reveal(), [](std::uint8_t byte) { return byte == 0; }));
}

TEST(Secret, HoldsMoreThanACell) {
    Secret large(10'000);
    large.writable()[9'999] = 7;
    EXPECT_EQ(large.reveal()[9'999], 7);
    std::vector<Secret> many;
    for (int i = 0; i < 2'000; ++i) many.push_back(Secret::copy_of(bytes_of(std::to_string(i))));
    for (int i = 0; i < 2'000; ++i) EXPECT_EQ(many[static_cast<std::size_t>(i)].reveal_text(), std::to_string(i));
}

TEST(Text, NothingStoredReachesATerminalRaw) {
    EXPECT_EQ(escaped("plain, ünïcode, 日本"), "plain, ünïcode, 日本");
    EXPECT_EQ(escaped("a\nb\tc\\d"), "a\\nb\\tc\\\\d");
    EXPECT_EQ(escaped("\x1b[31m"), "\\u{1b}[31m");
    EXPECT_EQ(escaped("\x7f"), "\\u{7f}");
    EXPECT_EQ(escaped("\u202eevil"), "\\u{202e}evil") << "direction changes";
    EXPECT_EQ(escaped("a\u200bb"), "a\\u{200b}b") << "zero width";
    EXPECT_EQ(escaped("\u00ad"), "\\u{ad}") << "soft hyphen";
    EXPECT_EQ(escaped("\xff\xc0\x80"), "\\xff\\xc0\\x80") << "broken UTF-8, overlong";
    EXPECT_EQ(escaped("\xed\xa0\x80"), "\\xed\\xa0\\x80") << "a surrogate";
    EXPECT_EQ(escaped(std::string_view("\0", 1)), "\\u{0}");
}

TEST(Text, QuotesAreCutShort) {
    EXPECT_EQ(quote("short"), "'short'");
    EXPECT_EQ(quote(std::string(1'000'000, 'x'), 4), "'xxxx…'");
}

TEST(Text, FreeTextIsBoundedUtf8) {
    EXPECT_EQ(*parse_free_text("reason", "läptop lost", 500), "läptop lost");
    EXPECT_EQ(parse_free_text("reason", std::string_view("a\0b", 3), 500).error().code, Code::InvalidRequest);
    EXPECT_EQ(parse_free_text("reason", "\xff", 500).error().code, Code::InvalidRequest);
    EXPECT_EQ(parse_free_text("reason", "four", 3).error().code, Code::InvalidRequest);
}

TEST(Text, Closest) {
    const std::vector<std::string> known = {"codex", "claude-code", "hermes"};
    EXPECT_EQ(closest("codx", known), "codex");
    EXPECT_EQ(closest("claud-code", known), "claude-code");
    EXPECT_EQ(closest("zzz", known), "");
    EXPECT_EQ(closest(std::string(1'000'000, 'a'), known), "");
}

TEST(Time, ReadsBackExactlyWhatItWrites) {
    const Instant instant(Duration(1'795'466'580'123'456));
    EXPECT_EQ(to_rfc3339(instant), "2026-11-23T20:43:00.123456Z");
    EXPECT_EQ(*parse_rfc3339("2026-11-23T20:43:00.123456Z"), instant);
    EXPECT_EQ(to_calendar(instant), "2026-11-23 20:43:00 UTC");
    for (const char* bad : {"", "2026-11-23", "2026-02-30T00:00:00.000000Z", "2026-11-23T24:00:00.000000Z",
                            "2026-11-23T20:43:60.000000Z", "2026-11-23T20:43:00.123456z", "2026-11-23T20:43:00Z",
                            "2026-11-23T20:43:00.123456Z ", "+026-11-23T20:43:00.123456Z"})
        EXPECT_FALSE(parse_rfc3339(bad)) << bad;
}

TEST(Decimal, TakesDigitsOnly) {
    EXPECT_EQ(parse_decimal("0"), 0u);
    EXPECT_EQ(parse_decimal("18446744073709551615"), 18446744073709551615u);
    for (const char* bad : {"", "-1", "+1", " 1", "1 ", "0x1", "18446744073709551616", "1e3"})
        EXPECT_EQ(parse_decimal(bad), std::nullopt) << bad;
}

TEST(Bytes, Hexadecimal) {
    EXPECT_EQ(to_hex(bytes_of("\x01\xab")), "01ab");
    EXPECT_EQ(from_hex("01ab"), (Bytes{0x01, 0xab}));
    EXPECT_EQ(from_hex("01AB"), std::nullopt);
    EXPECT_EQ(from_hex("01a"), std::nullopt);
}

}  // namespace
}  // namespace marque
