// cli: the parts that need no process: the roster, time in words, tables.
#include <gtest/gtest.h>

#include "cli/roster.h"
#include "cli/table.h"

namespace marque::cli {
namespace {

using namespace domain;
using authority::CreateRequest;
using namespace std::chrono_literals;
using std::chrono::days;

CreateRequest defaults(IdentityName name) {
    return {std::move(name), *EnvironmentName::parse("dev"), MachineKind::Agent, {}, {}, "", {{"team", "blue"}}};
}

TEST(Roster, ALineSaysWhatDiffers) {
    const auto requests = parse_roster(
        "# all of them\n\n  codex scope=kan\n"
        "hermes scope=card:view env=staging kind=service expires=30d contact=ops@example.org label=team=red\n",
        defaults);
    ASSERT_TRUE(requests);
    ASSERT_EQ(requests->size(), 2u);
    const auto& codex = (*requests)[0];
    EXPECT_EQ(codex.name.text(), "codex");
    EXPECT_EQ(codex.environment.text(), "dev");
    EXPECT_EQ(codex.scopes.scopes().size(), 24u);
    const auto& hermes = (*requests)[1];
    EXPECT_EQ(hermes.environment.text(), "staging");
    EXPECT_EQ(hermes.kind, MachineKind::Service);
    EXPECT_EQ(hermes.expires, Ending::after(days(30)));
    EXPECT_EQ(hermes.contact, "ops@example.org");
    EXPECT_EQ(hermes.labels.at("team"), "red") << "the line wins over the command line";
}

TEST(Roster, NamesTheBadLine) {
    for (const char* bad : {"ok scope=a:b\nBad scope=a:b", "ok scope=a:b\nx scope", "ok scope=a:b\nx colour=red",
                            "ok scope=a:b\nx", "ok scope=a:b\nx\tscope=a:b", "ok scope=a:b\nx label=team"}) {
        const auto requests = parse_roster(bad, defaults);
        ASSERT_FALSE(requests) << bad;
        EXPECT_EQ(requests.error().code, Code::InvalidRequest);
        EXPECT_TRUE(requests.error().message.starts_with("line 2: ")) << requests.error().message;
    }
    EXPECT_FALSE(parse_roster("", defaults));
    EXPECT_FALSE(parse_roster("# nobody\n", defaults));
    EXPECT_FALSE(parse_roster(std::string_view("a scope=a:b\0", 12), defaults));
    EXPECT_FALSE(parse_roster(std::string(1 << 20, 'a'), defaults));
}

// Given by mistake, and then quoted in an error, a key or a token would be on the screen and in the shell's log.
TEST(Roster, Invariant2_NeverQuotesAKeyOrAToken) {
    const std::string key(64, 'f'), token = "mrq_test_0123456789ab_003aUlTJC7tjlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf0AWwnc";
    for (const std::string& file : {key + "\n", token + "\n", "codex scope=a:b contact=" + token + "\n"}) {
        const auto requests = parse_roster(file, defaults);
        ASSERT_FALSE(requests);
        EXPECT_EQ(requests.error().message.find("ffff"), std::string::npos);
        EXPECT_EQ(requests.error().message.find("003aUl"), std::string::npos);
    }
}

TEST(Words, TimeAsPeopleSayIt) {
    const Instant now(Duration(1'800'000'000'000'000));
    const std::pair<Duration, const char*> rows[] = {
        {0s, "just now"},
        {-4999ms, "just now"},
        {-5s, "5 seconds ago"},
        {-59s, "59 seconds ago"},
        {-90s, "1 minute ago"},
        {-days(1), "1 day ago"},
        {-days(400), "400 days ago"},
        {-days(800), "2 years ago"},
        {days(90) - 5s, "in 90 days"},
        {1h - 2s, "in 60 minutes"},
        {2h, "in 2 hours"},
        {500ms, "now"},
    };
    for (const auto& [distance, words] : rows) EXPECT_EQ(in_words(now + distance, now), words);
    EXPECT_EQ(when(std::nullopt, now), "never");
}

TEST(Table, ColumnsAreAsWideAsTheirWidestCell) {
    Table table({"NAME", "STATE"});
    table.add({"ünï", Paint(true).state("active")});
    table.add({"longer", "x"});
    EXPECT_EQ(table.text(Paint(false)), "NAME    STATE\nünï     \x1b[32mactive\x1b[0m\nlonger  x\n");
    EXPECT_EQ(Paint(false).state("revoked"), "revoked");
}

}  // namespace
}  // namespace marque::cli
