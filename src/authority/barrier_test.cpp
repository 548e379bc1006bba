// authority: a change returns when it is in force everywhere, and says how that is known.
#include "authority/barrier.h"

#include <gtest/gtest.h>

#include "test/leased_store.h"

namespace marque::authority {
namespace {

using namespace std::chrono_literals;
using store::Freshness;

class BarrierTest : public testing::Test {
 protected:
    std::string add(const char* name, domain::Revision acknowledged, Freshness mode = Freshness::Lease,
                    Duration lease = 5s) {
        std::string id = verifiers.add({name, mode, lease}).release();
        verifiers.rows.at(id).acknowledged = acknowledged;
        return id;
    }
    Receipt await(domain::Revision revision, Awaiting awaiting = Awaiting::Yes) {
        LeasedStore leased(memory, verifiers);
        return Barrier(leased, clock).await(revision, awaiting);
    }
    void SetUp() override {
        ASSERT_TRUE(memory.change([](const store::Reader&) -> Result<std::vector<audit::Draft>> {
            return std::vector<audit::Draft>(
                7, {audit::StoreBackedUp{"/b"}, audit::OperatorActor{}, t0, audit::Mode::Setup, "", "", ""});
        }));
    }
    MovingClock clock;
    store::memory::MemoryStore memory{key(9)};
    MemoryVerifiers verifiers{memory, clock};
};

TEST_F(BarrierTest, NobodyIsWaitedForWhereEverybodyAsks) {
    const Receipt receipt = Barrier(memory, clock).await(7, Awaiting::Yes);
    EXPECT_EQ(receipt.force, Force::Everywhere);
    EXPECT_FALSE(receipt.awaits_verifiers);
}

TEST_F(BarrierTest, EverybodyConfirms) {
    add("a", 7);
    const std::string slow = add("b", 6);
    verifiers.while_paused = [&] { verifiers.rows.at(slow).acknowledged = 8; };
    const Receipt receipt = await(7);
    EXPECT_EQ(receipt.force, Force::Everywhere);
    EXPECT_EQ(receipt.confirmed, 2u);
    EXPECT_TRUE(receipt.waited_out.empty());
    EXPECT_LT(receipt.took, 10ms);
}

TEST_F(BarrierTest, Invariant6_ALeaseIsWaitedOutWithWhatClocksMayDifferBy) {
    add("a", 7);
    add("cut off", 6);
    const Receipt receipt = await(7);
    EXPECT_EQ(receipt.force, Force::Everywhere);
    EXPECT_EQ(receipt.confirmed, 1u);
    EXPECT_EQ(receipt.waited_out, std::vector<std::string>{"cut off"});
    EXPECT_GE(receipt.took, 5s + 50ms + 50ms);
    EXPECT_LT(receipt.took, 5200ms);
}

TEST_F(BarrierTest, EachIsWaitedForByItsOwnLease) {
    add("long", 6, Freshness::Lease, 20s);
    EXPECT_GE(await(7).took, 20s);
}

TEST_F(BarrierTest, WhoComesAfterTheCommitIsNotWaitedFor) {
    add("a", 7);
    const std::string leaving = add("b", 6);
    verifiers.while_paused = [&] {
        verifiers.rows.erase(leaving);
        if (verifiers.rows.size() == 1) add("new", 0);
    };
    const Receipt receipt = await(7);
    EXPECT_EQ(receipt.force, Force::Everywhere);
    EXPECT_EQ(receipt.verifiers, 1u) << "the one that left answers no more";
    EXPECT_LT(receipt.took, 10ms);
}

TEST_F(BarrierTest, TimeProvesNothingOfAMachineWhoseClockCanStandStill) {
    add("vm", 6, Freshness::AckOnly, 1s);
    const Receipt receipt = await(7);
    EXPECT_EQ(receipt.force, Force::NotYet);
    EXPECT_EQ(receipt.silent, std::vector<std::string>{"vm"});
    EXPECT_EQ(receipt.longest, 0s);
}

TEST_F(BarrierTest, AChangeThatTheDatabaseLostIsNotInForce) {
    add("cut off", 6);
    verifiers.while_paused = [&] { verifiers.has_change = false; };
    const Receipt receipt = await(7);
    EXPECT_EQ(receipt.force, Force::NotYet);
    EXPECT_NE(receipt.why.find("lost"), std::string::npos) << receipt.why;
}

TEST_F(BarrierTest, Invariant7_ADatabaseThatIsAwayConfirmsNothing) {
    add("a", 6);
    verifiers.while_paused = [&] { verifiers.is_away = true; };
    const Receipt receipt = await(7);
    EXPECT_EQ(receipt.force, Force::NotYet) << "the lease has ended, and the change may be gone";
    EXPECT_NE(receipt.why.find("away"), std::string::npos);
}

TEST_F(BarrierTest, WhoDoesNotWaitSaysForHowLongItMayTake) {
    add("a", 7);
    add("b", 6);
    const Receipt receipt = await(7, Awaiting::No);
    EXPECT_EQ(receipt.force, Force::NotAwaited);
    EXPECT_EQ(receipt.silent, std::vector<std::string>{"b"});
    EXPECT_EQ(receipt.longest, store::longest_in_force(5s));
    EXPECT_EQ(receipt.took, 0s);
}

TEST_F(BarrierTest, WhoDoesNotWaitAndNeedNotSaysSo) {
    add("a", 7);
    EXPECT_EQ(await(7, Awaiting::No).force, Force::Everywhere);
}

}  // namespace
}  // namespace marque::authority
