// store/sqlite: what somebody else wrote into the file, or put in the place of a table, ends no process and hangs none.
#include "store/sqlite/database.h"

#include <gtest/gtest.h>

namespace marque::store::sqlite {
namespace {

using namespace std::chrono_literals;

class DatabaseTest : public testing::Test {
 protected:
    Result<bool> step(const char* sql) {
        sql::Statement statement = TRY(database.prepare(sql));
        return statement.step();
    }
    Database database = Database::open(":memory:").release();
};

#define ENDLESS "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) "

TEST_F(DatabaseTest, AStatementThatDoesNotEndIsEnded) {
    database.set_longest_step({100'000, 1h});
    const auto ended = step(ENDLESS "SELECT x FROM c WHERE x < 0");
    ASSERT_FALSE(ended);
    EXPECT_EQ(ended.error().code, Code::Corrupt);
    EXPECT_NE(ended.error().hint.find("marque doctor"), std::string::npos);
    const auto executed = database.execute(ENDLESS "SELECT x FROM c WHERE x < 0");
    ASSERT_FALSE(executed);
    EXPECT_EQ(executed.error().code, Code::Corrupt);
    EXPECT_TRUE(step("SELECT 1")) << "and the next one is another";
}

TEST_F(DatabaseTest, FewInstructionsThatAreLongAreEndedByTheirTime) {
    database.set_longest_step({1'000'000'000'000, 50ms});
    EXPECT_EQ(step(ENDLESS "SELECT x FROM c WHERE length(hex(zeroblob(100000 + x % 2))) < 0").error().code,
              Code::Corrupt);
}

TEST_F(DatabaseTest, EachStepHasItsTime) {
    database.set_longest_step({200'000, 1h});
    sql::Statement statement = database.prepare(ENDLESS "SELECT x FROM c WHERE x % 5000 = 0 LIMIT 50").release();
    int rows = 0;
    for (; statement.step().value_or(false); ++rows) {
    }
    EXPECT_EQ(rows, 50);
}

TEST_F(DatabaseTest, ATableGivesNoMoreRowsThanTheFileHasRoomFor) {
    sql::Statement statement = database.prepare(ENDLESS "SELECT x FROM c").release();
    std::optional<Error> error;
    for (int rows = 0; rows < 1'000'000 && !error; ++rows)
        if (const auto more = statement.step(); !more) error = more.error();
    ASSERT_TRUE(error);
    EXPECT_EQ(error->code, Code::Corrupt);
}

TEST_F(DatabaseTest, AValueLargerThanAnyIsRefused) {
    for (const char* sql : {"SELECT zeroblob(1000000000)", "SELECT replace(hex(zeroblob(2000000)), '00', 'long')"}) {
        const auto large = step(sql);
        ASSERT_FALSE(large) << sql;
        EXPECT_EQ(large.error().code, Code::Corrupt) << sql;
    }
    const Bytes much(5'000'000);
    sql::Statement statement = database.prepare("SELECT ?").release();
    statement.bind(ByteView(much));
    EXPECT_FALSE(statement.step()) << "bound, too";
}

TEST_F(DatabaseTest, ASumThatFitsNoColumnIsCorrupt) {
    ASSERT_TRUE(database.execute("CREATE TABLE t (n INTEGER) STRICT; INSERT INTO t VALUES (9223372036854775807)"));
    EXPECT_EQ(step("UPDATE t SET n = n + 1").error().code, Code::Corrupt);
}

TEST_F(DatabaseTest, WhateverAColumnHoldsIsReadAsWhatCanBeComputedWith) {
    struct Case {
        const char* sql;
        std::int64_t number;
        std::uint64_t count;
        std::uint32_t count_of_32_bits;
        std::string text;
    };
    constexpr std::int64_t largest = sql::largest_number;
    const Case cases[] = {
        {"SELECT 7", 7, 7, 7, "7"},
        {"SELECT -1", -1, 0, 0, "-1"},
        {"SELECT 9007199254740993", largest, largest, UINT32_MAX, "9007199254740993"},
        {"SELECT 9223372036854775807", largest, largest, UINT32_MAX, "9223372036854775807"},
        {"SELECT -9223372036854775808", -largest, 0, 0, "-9223372036854775808"},
        {"SELECT 1e300", largest, largest, UINT32_MAX, "1.0e+300"},
        {"SELECT NULL", 0, 0, 0, ""},
        {"SELECT '12 texts'", 12, 12, 12, "12 texts"},
        {"SELECT CAST(x'61ff00c3a9' AS TEXT)", 0, 0, 0, "a\uFFFD\uFFFDé"},
        {"SELECT x'ff'", 0, 0, 0, "\uFFFD"},
    };
    for (const Case& one : cases) {
        const char* const sql = one.sql;
        sql::Statement row = database.prepare(sql).release();
        ASSERT_TRUE(row.step().value()) << sql;
        EXPECT_EQ(row.number(0), one.number) << sql;
        EXPECT_EQ(row.count(0), one.count) << sql;
        EXPECT_EQ(row.count_of_32_bits(0), one.count_of_32_bits) << sql;
        EXPECT_EQ(row.text(0), one.text) << sql;
        EXPECT_GE(row.duration(0), 0us) << sql;
        EXPECT_LE(row.duration(0), sql::longest_duration) << sql;
        EXPECT_EQ(parse_rfc3339(to_rfc3339(row.instant(0))), row.instant(0)) << sql;
    }
    sql::Statement row = database.prepare("SELECT replace(hex(zeroblob(300)), '00', 'é')").release();
    ASSERT_TRUE(row.step().value());
    EXPECT_EQ(row.text(0, 5), "éé…");
}

}  // namespace
}  // namespace marque::store::sqlite
