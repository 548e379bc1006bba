#include "audit/row_tree.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>

namespace marque::audit {
namespace {

RowSeal seal(std::uint8_t of) {
    RowSeal seal;
    seal.fill(of);
    return seal;
}
Digest leaf(std::uint8_t of) {
    Digest leaf;
    leaf.fill(of);
    return leaf;
}

TEST(RowTree, NothingHasNoHash) {
    EXPECT_EQ(bucket_hash({}), nothing);
    EXPECT_EQ(node_hash(Children{}), nothing);
    EXPECT_EQ(RowSet().root(), nothing);
}

TEST(RowTree, TheOrderOfRowsDoesNotCountAndEachOfThemDoes) {
    EXPECT_EQ(bucket_hash({leaf(1), leaf(2)}), bucket_hash({leaf(2), leaf(1)}));
    EXPECT_NE(bucket_hash({leaf(1), leaf(2)}), bucket_hash({leaf(1)}));
    EXPECT_NE(bucket_hash({leaf(1), leaf(1)}), bucket_hash({leaf(1)}));
    EXPECT_NE(bucket_hash({leaf(1)}), bucket_hash({leaf(2)}));
}

TEST(RowTree, HashesAreOfWhatTheHeaderSays) {
    EXPECT_EQ(bucket_hash({leaf(1)}), crypto::sha256(bytes_of(std::string(1, '\0') + std::string(32, '\1'))));
    Children children{};
    children[3].fill(7);
    const std::string bytes =
        std::string(1, '\1') + std::string(96, '\0') + std::string(32, '\7') + std::string(384, '\0');
    EXPECT_EQ(node_hash(children), crypto::sha256(bytes_of(bytes)));
    EXPECT_EQ(leaf_of("a", seal(1)), crypto::sha256(bytes_of(std::string(16, '\1') + "a")));
    // A bucket of 16 leaves is as long as a node.
    std::vector<Digest> leaves(16);
    leaves[15] = leaf(7);
    Children like_it{};
    like_it[15].fill(7);
    EXPECT_NE(bucket_hash(leaves), node_hash(like_it));
}

TEST(RowTree, EveryNodeOnAWayStandsUnderTheOneBefore) {
    for (int bucket = 0; bucket < 65536; bucket += 97) {
        const auto path = path_to(static_cast<Bucket>(bucket));
        EXPECT_EQ(path[0].node, 0u);
        for (std::size_t i = 1; i < path.size(); ++i) {
            EXPECT_EQ(above(path[i].node).node, path[i - 1].node);
            EXPECT_EQ(above(path[i].node).child, path[i - 1].child);
        }
    }
    EXPECT_EQ(path_to(65535).back().node, 4368u);
}

// Naively: every node by its number, from the last one up.
TEST(RowTree, TheRootIsThatOfTheNodes) {
    RowSet set;
    std::map<Bucket, std::vector<Digest>> buckets;
    for (int i = 0; i < 500; ++i) {
        const std::string place = "identity/default/" + std::to_string(i);
        set.add(place, seal(static_cast<std::uint8_t>(i)));
        buckets[bucket_of(place)].push_back(leaf_of(place, seal(static_cast<std::uint8_t>(i))));
    }
    std::map<std::uint32_t, Children> nodes;
    for (const auto& [bucket, leaves] : buckets) {
        const Step last = path_to(bucket).back();
        nodes[last.node][last.child] = bucket_hash(leaves);
    }
    for (std::uint32_t node = 4368; node > 0; --node)
        if (nodes.contains(node)) nodes[above(node).node][above(node).child] = node_hash(nodes[node]);
    EXPECT_EQ(set.root(), node_hash(nodes[0]));
    EXPECT_EQ(set.buckets().size(), buckets.size());
}

TEST(RowTree, NamesAreSpread) {
    std::map<Bucket, int> used;
    int most = 0;
    for (int i = 0; i < 65536; ++i) most = std::max(most, ++used[bucket_of("credential/" + std::to_string(i))]);
    EXPECT_LT(most, 12);
    EXPECT_GT(used.size(), 40000u);
}

}  // namespace
}  // namespace marque::audit
