// server: bytes to requests, however they are cut up; parameters; settings.
#include <gtest/gtest.h>

#include <cstdlib>
#include <unistd.h>

#include "server/oauth.h"
#include "server/request.h"
#include "server/settings.h"

namespace marque::server {
namespace {

const HttpLimits limits;

int status_of(std::string_view bytes) {
    Parser parser(limits, "X-Real-IP");
    std::size_t scanned = 0;
    const Parsed parsed = parser.parse(bytes, scanned);
    return parsed.kind == Parsed::Kind::Complete ? 200 : parsed.kind == Parsed::Kind::NeedMore ? 0 : parsed.status;
}

TEST(Request, WhatTwoReadersCouldReadDifferentlyIsRefused) {
    struct Row {
        const char* bytes;
        int status;
        const char* because;
    };
    const Row rows[] = {
        {"GET /auth HTTP/1.1\r\nHost: m\r\n\r\n", 200, "plain"},
        {"GET /auth HTTP/1.0\r\n\r\n", 200, "HTTP/1.0 needs no Host"},
        {"GET /auth HTTP/1.1\r\n\r\n", 400, "no Host"},
        {"GET /auth HTTP/1.1\r\nHost: m\r\nHost: m\r\n\r\n", 400, "two Hosts"},
        {"GET /auth HTTP/1.1\nHost: m\n\n", 400, "bare LF"},
        {"GET /auth HTTP/1.1\r\nHost: m\r\nA: b\r\n c\r\n\r\n", 400, "a folded line"},
        {"GET /auth HTTP/1.1\r\nHost: m\r\nA : b\r\n\r\n", 400, "a blank before the colon"},
        {"GET /auth HTTP/1.1\r\nHost: m\r\n: b\r\n\r\n", 400, "no name"},
        {"GET /auth HTTP/1.1\r\nHost: m\r\nContent-Length: +5\r\n\r\nhello", 400, "a sign"},
        {"GET /auth HTTP/1.1\r\nHost: m\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400, "two lengths"},
        {"POST /a HTTP/1.1\r\nHost: m\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400,
         "both"},
        {"POST /a HTTP/1.1\r\nHost: m\r\nTransfer-Encoding: gzip\r\n\r\n", 400, "an encoding nobody here knows"},
        {"POST /a HTTP/1.1\r\nHost: m\r\nTransfer-Encoding: chunked\r\n\r\n1;a=b\r\nx\r\n0\r\n\r\n", 400,
         "an extension"},
        {"POST /a HTTP/1.1\r\nHost: m\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nA: b\r\n\r\n", 400,
         "a trailer"},
        {"GET http://m/auth HTTP/1.1\r\nHost: m\r\n\r\n", 400, "absolute form"},
        {"GET /auth HTTP/2.0\r\nHost: m\r\n\r\n", 505, "another version"},
        {"GET /auth  HTTP/1.1\r\nHost: m\r\n\r\n", 400, "two blanks"},
        {"GET /auth HTTP/1.1\r\nHost: m\r\nExpect: 100-continue\r\n\r\n", 417, "an expectation"},
        {"GET /auth HTTP/1.1\r\nHost: m\r\nAuthorization: a\r\nauthorization: b\r\n\r\n", 400, "two tokens"},
    };
    for (const Row& row : rows) EXPECT_EQ(status_of(row.bytes), row.status) << row.because;
}

TEST(Request, IsTheSameHoweverItIsCutUp) {
    const std::string bytes =
        "POST /v1/verify?a=b HTTP/1.1\r\nHost: m\r\nX-Real-IP: 10.0.0.7\r\nTransfer-Encoding: chunked\r\n\r\n"
        "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n";
    Parser parser(limits, "X-Real-IP");
    std::size_t scanned = 0;
    for (std::size_t length = 0; length < bytes.size(); ++length)
        ASSERT_EQ(parser.parse(std::string_view(bytes).substr(0, length), scanned).kind, Parsed::Kind::NeedMore)
            << length;
    const std::string with_more = bytes + "GET";
    const Parsed parsed = parser.parse(with_more, scanned);
    ASSERT_EQ(parsed.kind, Parsed::Kind::Complete);
    EXPECT_EQ(parsed.consumed, bytes.size());
    EXPECT_EQ(parsed.request.body, "hello world");
    EXPECT_EQ(parsed.request.path, "/v1/verify");
    EXPECT_EQ(parsed.request.query, "a=b");
    EXPECT_EQ(parsed.request.client_address, "10.0.0.7");
    EXPECT_TRUE(parsed.request.keep_alive);
}

TEST(Request, LimitsHold) {
    EXPECT_EQ(status_of("GET /" + std::string(20'000, 'a') + " HTTP/1.1\r\nHost: m\r\n\r\n"), 431);
    std::string many = "GET / HTTP/1.1\r\nHost: m\r\n";
    for (int i = 0; i < 100; ++i) many += "A: b\r\n";
    EXPECT_EQ(status_of(many + "\r\n"), 431);
    EXPECT_EQ(status_of("POST / HTTP/1.1\r\nHost: m\r\nContent-Length: 4097\r\n\r\n"), 413);
    const std::string head = "GET / HTTP/1.1\r\nHost: m\r\nA: ";
    const std::string longest = head + std::string(limits.head_bytes - head.size() - 4, 'a');
    EXPECT_EQ(status_of(longest + "\r\n\r\n"), 200);
    EXPECT_EQ(status_of(longest + "a\r\n\r\n"), 431) << "one byte more";
}

TEST(Request, IsRefusedAlikeHoweverItIsCutUp) {
    // Too long before it is seen to be wrong: the trailer is, when all of it is there.
    const std::string bytes = "POST / HTTP/1.1\r\nHost: m\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: " +
                              std::string(4 * limits.body_bytes, 'b');
    EXPECT_EQ(status_of(bytes), 413);
    EXPECT_EQ(status_of(bytes + "\r\n\r\n"), 413);
}

TEST(Parameters, AreDecodedStrictly) {
    const auto parameters = parse_parameters("token=a%3Ab&hint=x+y");
    ASSERT_TRUE(parameters);
    EXPECT_EQ(*find(*parameters, "token"), "a:b");
    EXPECT_EQ(*find(*parameters, "hint"), "x y");
    for (const char* bad : {"a", "=b", "a=%4", "a=%zz", "a=%00", "a=1&a=2", "a=1&&b=2"})
        EXPECT_FALSE(parse_parameters(bad)) << bad;
}

TEST(Bearer, TheSchemeInAnyCaseAndNothingElse) {
    EXPECT_EQ(bearer_token("Bearer x"), "x");
    EXPECT_EQ(bearer_token("bEARER x"), "x");
    EXPECT_FALSE(bearer_token("Basic x"));
    EXPECT_FALSE(bearer_token("Bearer"));
    EXPECT_EQ(basic_secret("Basic YTpi")->secret, "b");
    EXPECT_FALSE(basic_secret("Basic YQ=="));
    EXPECT_FALSE(basic_secret("Basic !"));
    EXPECT_FALSE(basic_secret("Basic "));
}

TEST(Settings, ZeroIsNeverWithoutLimit) {
    for (const char* key : {"limits.connections", "limits.headers", "limits.header_bytes"})
        EXPECT_EQ(read_settings("", {std::string(key) + "=0"}).error().code, Code::InvalidRequest) << key;
    for (const char* key : {"limits.idle_timeout", "uses.flush_interval"})
        EXPECT_FALSE(read_settings("", {std::string(key) + "=0s"})) << key;
}

TEST(Settings, AnUnknownKeyIsNamedWithWhatMayBeMeant) {
    const auto settings = read_settings("", {"limits.idle_timout=5s"});
    ASSERT_FALSE(settings);
    EXPECT_EQ(settings.error().hint, "did you mean limits.idle_timeout?");
}

TEST(Settings, WhatNoFileCouldSayIsNoSetting) {
    EXPECT_EQ(read_settings("", {"unix.path=/run/\xFF.sock"}).error().code, Code::InvalidRequest);
    EXPECT_TRUE(read_settings("", {"unix.path=/run/\xC3\xBC.sock"}));
    char file[] = "/tmp/marque-settings-XXXXXX";
    const int fd = ::mkstemp(file);
    const std::string_view text = "[tcp]\nlisten = [\"127.0.0.1\\u0000.example.org:80\"]\n";
    ASSERT_EQ(::write(fd, text.data(), text.size()), static_cast<ssize_t>(text.size()));
    ::close(fd);
    EXPECT_EQ(read_settings(file, {}).error().code, Code::InvalidRequest) << "a NUL within a list";
    ::unlink(file);
}

TEST(Settings, TheClearOffLoopbackHasToBeSaidInWords) {
    EXPECT_FALSE(read_settings("", {"tcp.listen=0.0.0.0:80"}));
    EXPECT_TRUE(read_settings("", {"tcp.listen=0.0.0.0:80", "tcp.off_loopback=tokens-in-the-clear"}));
    EXPECT_TRUE(read_settings("", {"tcp.listen=127.0.0.1:80,[::1]:80"}));
}

}  // namespace
}  // namespace marque::server
