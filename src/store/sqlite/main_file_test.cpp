// store/sqlite: the file as a checkpoint leaves it half written is not taken for another; one that is not ours is.
#include "store/sqlite/main_file.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <optional>

#include "store/sqlite/sqlite_store.h"
#include "test/temporary_folder.h"

namespace marque::store::sqlite {
namespace {

Secret sealing_key() {
    return Secret::copy_of(Bytes(32, 7));
}

class MainFileTest : public testing::Test {
 protected:
    MainFileTest() {
        CHECK(SqliteStore::create(path).has_value());
        auto store = SqliteStore::open(path, SealingKey(sealing_key)).release();
        const auto made = store->change([](const Reader&) -> Result<std::vector<audit::Draft>> {
            return std::vector{audit::Draft{audit::InstallationCreated{{"zj1ag1skkg2n4mac8rsbvkm3y4"}}, {}, {}}};
        });
        CHECK(made.has_value());
        database.emplace(Database::open(path).release());
        CHECK(database->execute("PRAGMA wal_checkpoint(TRUNCATE)").has_value());
        CHECK(main_file.look(database->handle(), key).has_value() && !main_file.is_in_doubt());
    }

    // Writes over a byte of the file, around SQLite.
    void put(long at, int byte) {
        std::FILE* const file = std::fopen(path.c_str(), "r+b");
        CHECK(file != nullptr && std::fseek(file, at, SEEK_SET) == 0 && std::fputc(byte, file) == byte);
        std::fclose(file);
    }
    Result<void> look_twice() {
        (void)main_file.look(database->handle(), key);
        return main_file.look(database->handle(), key);
    }

    TemporaryFolder folder;
    std::string path = folder / "marque.db";
    std::optional<Database> database;
    MainFile main_file{path};
    SealingKey key{sealing_key};
};

TEST_F(MainFileTest, AHalfWrittenCheckpointTellsNothing) {
    put(30, 1);  // the header's count of pages is ahead of the pages
    EXPECT_TRUE(look_twice());
    EXPECT_FALSE(main_file.is_in_doubt());
}

TEST_F(MainFileTest, ABackupInItsPlaceIsFoundAtTheSecondLook) {
    put(18, 1);  // no write-ahead log
    EXPECT_TRUE(main_file.look(database->handle(), key));
    EXPECT_TRUE(main_file.is_in_doubt());
    const auto looked = main_file.look(database->handle(), key);
    ASSERT_FALSE(looked);
    EXPECT_EQ(looked.error().code, Code::Corrupt);
}

}  // namespace
}  // namespace marque::store::sqlite
