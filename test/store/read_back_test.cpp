// Invariant 20: what is reported as done was read back first. An attacker with SQL access and without the key undoes
// each change right behind its commit.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "test/store/backends.h"

namespace marque::store {
namespace {

using namespace domain;
using namespace std::chrono_literals;

const Instant t0(Duration(1'800'000'000'000'000));

class ReadBack : public testing::TestWithParam<Kind> {
 protected:
    Store& store() { return backend_->store(); }

    Result<Revision> commit(std::vector<audit::Event> events, const std::string& sql_behind = "") {
        return store().change([&](const Reader&) -> Result<std::vector<audit::Draft>> {
            if (!sql_behind.empty()) backend_->execute_behind_commit(sql_behind);
            std::vector<audit::Draft> drafts;
            for (const audit::Event& event : events) drafts.push_back({event, audit::OperatorActor{}, t0});
            return drafts;
        });
    }
    void expect_not_in_force(const Result<Revision>& got, const std::string& tampered) {
        ASSERT_FALSE(got.has_value());
        EXPECT_EQ(got.error().code, Code::Corrupt);
        EXPECT_EQ(got.error().tampered, tampered) << got.error().message;
        EXPECT_NE(got.error().message.find("was committed, and is NOT in force"), std::string::npos)
            << got.error().message;
    }

    static constexpr const char* tables[] = {"workspace", "row_seal", "row_tree", "log_head", "row_write"};

    void keep() {
        for (const char* table : tables)
            backend_->execute(fmt::format("CREATE TABLE kept.{0} AS SELECT * FROM {0}", table));
    }
    static std::string put_back() {
        std::string sql = "DELETE FROM entry WHERE seq > (SELECT size FROM kept.log_head)";
        for (const char* table : tables)
            sql += fmt::format("; DELETE FROM {0}; INSERT INTO {0} SELECT * FROM kept.{0}", table);
        return sql;
    }

    const WorkspaceName workspace = *WorkspaceName::parse("default");
    const audit::Event revocation = audit::Revoked{WorkspaceRef{workspace}};

    void SetUp() override {
        if (!backend_) GTEST_SKIP() << "there is no PostgreSQL server: MARQUE_TEST_POSTGRES names no file";
        Installation installation;
        installation.id = "zj1ag1skkg2n4mac8rsbvkm3y4";
        installation.created_at = t0;
        ASSERT_TRUE(commit({audit::InstallationCreated{installation}, audit::WorkspaceAdded{{workspace, {}, t0}}}));
    }

    std::unique_ptr<Backend> backend_ = GetParam().make();
};

TEST_P(ReadBack, AChangeThatIsUndoneRightBehindItIsNotReportedAsDone) {
    keep();
    expect_not_in_force(commit({revocation}, put_back()), "log_head");
}

TEST_P(ReadBack, ARowThatIsPutBackAlone) {
    keep();
    const std::string row = "DELETE FROM workspace; INSERT INTO workspace SELECT * FROM kept.workspace";
    expect_not_in_force(commit({revocation}, row), "workspace/default");
}

TEST_P(ReadBack, ARowThatIsTakenAway) {
    const WorkspaceName other = *WorkspaceName::parse("other");
    expect_not_in_force(commit({audit::WorkspaceAdded{{other, {}, t0}}}, "DELETE FROM workspace WHERE name = 'other'"),
                        "workspace/other");
}

TEST_P(ReadBack, AnEntryThatIsAppendedByAnotherIsNotOurs) {
    const std::string entry =
        "INSERT INTO entry (seq, bytes, seal) SELECT seq + 1, bytes, seal FROM entry WHERE seq = 3"
        " AND NOT EXISTS (SELECT 1 FROM entry WHERE seq = 4);"
        " UPDATE log_head SET size = 4";
    expect_not_in_force(commit({revocation}, entry), "log_head");
}

// Down to each older version and up again: what the migrations make is what they are known to make.
TEST_P(ReadBack, EveryVersionHasItsOwnObjects) {
    const int newest = backend_->maintain()->status()->schema;
    const auto because = [](const Reader&, int from, int to) -> Result<std::vector<audit::Draft>> {
        return std::vector<audit::Draft>{{audit::StoreMigrated{from, to}, audit::OperatorActor{}, t0}};
    };
    for (int version = newest - 1; version > 0; --version) {
        const auto down = backend_->maintain()->migrate(version, because);
        ASSERT_TRUE(down) << version << ": " << down.error().message;
        EXPECT_EQ(*backend_->maintain()->check(), std::vector<std::string>{}) << version;
    }
    const auto up = backend_->maintain()->migrate(newest, because);
    ASSERT_TRUE(up) << up.error().message;
    EXPECT_EQ(*backend_->maintain()->check(), std::vector<std::string>{});
}

INSTANTIATE_TEST_SUITE_P(Stores, ReadBack, testing::ValuesIn(std::begin(kinds) + 1, std::end(kinds)),
                         [](const auto& one) { return std::string(one.param.name); });

}  // namespace
}  // namespace marque::store
