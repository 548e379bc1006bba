// audit: canonical bytes, the tree by other people's vectors, notes that other tools made.
#include <gtest/gtest.h>

#include "audit/entry.h"
#include "audit/json.h"
#include "audit/merkle.h"
#include "audit/note.h"
#include "audit/seal.h"
#include "crypto/base64.h"

namespace marque::audit {
namespace {

using namespace std::chrono_literals;

Bytes hex(std::string_view text) {
    return from_hex(text).value();
}

TEST(CanonicalJson, SortsAndEscapesAsRfc8785) {
    EXPECT_EQ(canonical({{"b", 1}, {"a", {{"z", nullptr}, {"y", true}}}}), R"({"a":{"y":true,"z":null},"b":1})");
    EXPECT_EQ(canonical("\"\\\b\f\n\r\t\x01\x1f/é\u2028"), "\"\\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u001f/é\u2028\"");
    EXPECT_EQ(canonical(boost::json::array{1, -5, "x"}), R"([1,-5,"x"])");
}

TEST(CanonicalJson, ReadsOnlyItsOwnForm) {
    for (const char* good : {"{}", "[]", "null", "0", "-1", "9007199254740991", R"({"a":[1,{"b":"c"}]})"}) {
        const auto value = parse_canonical(good);
        ASSERT_TRUE(value) << good;
        EXPECT_EQ(canonical(*value), good);
    }
    for (const char* bad :
         {"", " {}", "{} ", "{\"a\": 1}", R"({"b":1,"a":2})", R"({"a":1,"a":1})", "1.5", "1e3", "-0", "01",
          "9007199254740992", R"("\u0041")", R"("\/")", "{\"é\":1}", "nul", "[1,]", "\"\x01\"", "\"\xff\""})
        EXPECT_FALSE(parse_canonical(bad)) << bad;
    const auto nested = [](int depth) {
        const auto count = static_cast<std::size_t>(depth);
        return std::string(count, '[') + std::string(count, ']');
    };
    EXPECT_TRUE(parse_canonical(nested(max_canonical_depth)));
    EXPECT_FALSE(parse_canonical(nested(max_canonical_depth + 1)));
    EXPECT_FALSE(parse_canonical("\"" + std::string(max_canonical_bytes, 'a') + "\""));
}

// The leaves and roots of the Certificate Transparency reference data.
const std::vector<Bytes> ct_leaves = {hex(""),
                                      hex("00"),
                                      hex("10"),
                                      hex("2021"),
                                      hex("3031"),
                                      hex("40414243"),
                                      hex("5051525354555657"),
                                      hex("606162636465666768696a6b6c6d6e6f")};
const char* const ct_roots[] = {"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                                "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
                                "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
                                "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
                                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
                                "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
                                "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
                                "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
                                "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};

std::vector<Digest> leaf_hashes(const std::vector<Bytes>& leaves) {
    std::vector<Digest> hashes;
    for (const Bytes& leaf : leaves) hashes.push_back(leaf_hash(leaf));
    return hashes;
}

TEST(Merkle, CertificateTransparencyRoots) {
    const auto hashes = leaf_hashes(ct_leaves);
    Frontier frontier;
    for (std::size_t n = 0; n <= hashes.size(); ++n) {
        EXPECT_EQ(to_hex(root_of(std::span(hashes).first(n))), ct_roots[n]) << n;
        EXPECT_EQ(to_hex(frontier.root()), ct_roots[n]) << n;
        if (n < hashes.size()) frontier.append(hashes[n]);
    }
}

TEST(Merkle, CertificateTransparencyConsistencyProofs) {
    const auto hashes = leaf_hashes(ct_leaves);
    const auto proof = [&](std::size_t from, std::size_t to) {
        std::vector<std::string> lines;
        for (const Digest& d : consistency_proof(from, std::span(hashes).first(to))) lines.push_back(to_hex(d));
        return lines;
    };
    EXPECT_EQ(proof(2, 5),
              (std::vector<std::string>{"5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                                        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"}));
    EXPECT_EQ(proof(6, 7),
              (std::vector<std::string>{"0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
                                        "b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f",
                                        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"}));
}

// RFC 9162, section 2.1.5: the shapes of the proofs in the seven-leaf tree.
TEST(Merkle, Rfc9162Examples) {
    std::vector<Digest> d;
    for (int i = 0; i < 7; ++i) d.push_back(leaf_hash(bytes_of("d" + std::to_string(i))));
    const Digest g = node_hash(d[0], d[1]), h = node_hash(d[2], d[3]), i = node_hash(d[4], d[5]), j = d[6];
    const Digest k = node_hash(g, h), l = node_hash(i, j);
    EXPECT_EQ(root_of(d), node_hash(k, l));
    EXPECT_EQ(inclusion_proof(0, d), (Proof{d[1], h, l}));
    EXPECT_EQ(inclusion_proof(3, d), (Proof{d[2], g, l}));
    EXPECT_EQ(inclusion_proof(4, d), (Proof{d[5], j, k}));
    EXPECT_EQ(inclusion_proof(6, d), (Proof{i, k}));
    EXPECT_EQ(consistency_proof(3, d), (Proof{d[2], d[3], g, l}));
    EXPECT_EQ(consistency_proof(4, d), (Proof{l}));
    EXPECT_EQ(consistency_proof(6, d), (Proof{i, j, k}));
}

TEST(Merkle, EveryProofOfEverySmallTreeHoldsAndNoOtherDoes) {
    std::vector<Digest> leaves;
    for (std::uint64_t size = 1; size <= 33; ++size) {
        leaves.push_back(leaf_hash(bytes_of(std::to_string(size))));
        const Digest root = root_of(leaves);
        for (std::uint64_t index = 0; index < size; ++index) {
            Proof proof = inclusion_proof(index, leaves);
            EXPECT_TRUE(is_included(leaves[index], index, size, proof, root));
            EXPECT_FALSE(is_included(leaves[index], index + 1, size, proof, root));
            EXPECT_FALSE(is_included(leaves[index], index, size, proof, leaves[0]) && size > 1);
            proof.push_back(root);
            EXPECT_FALSE(is_included(leaves[index], index, size, proof, root)) << "one hash too many";
        }
        for (std::uint64_t old = 1; old <= size; ++old) {
            const Digest old_root = root_of(std::span(leaves).first(old));
            Proof proof = consistency_proof(old, leaves);
            EXPECT_TRUE(is_consistent(old, old_root, size, root, proof)) << old << " " << size;
            if (old < size) {
                EXPECT_FALSE(is_consistent(old, root, size, root, proof));
                EXPECT_FALSE(is_consistent(old, old_root, size, old_root, proof));
                if (!proof.empty()) {
                    proof.front()[0] ^= 1;
                    EXPECT_FALSE(is_consistent(old, old_root, size, root, proof));
                }
            }
        }
    }
    EXPECT_FALSE(is_included(leaves[0], 0, 0, {}, leaves[0]));
    const std::span four = std::span(leaves).first(4);
    EXPECT_FALSE(is_included(root_of(four.first(2)), 0, 4, {root_of(four.last(2))}, root_of(four)))
        << "a node within the tree is no entry";
    EXPECT_FALSE(is_consistent(4, leaves[0], 4, root_of(four), {})) << "of one size there is one log";
    EXPECT_FALSE(is_consistent(0, leaves[0], 1, leaves[0], {leaves[0]})) << "nothing is proved of an empty log";
    EXPECT_FALSE(is_consistent(0, leaves[0], 1, leaves[0], {}));
    EXPECT_FALSE(is_consistent(2, leaves[0], 1, leaves[0], {}));
}

TEST(Merkle, FrontierReadsBackAtEverySize) {
    Frontier frontier;
    for (std::uint64_t size = 0; size < 70; ++size) {
        EXPECT_EQ(*Frontier::parse(size, frontier.bytes()), frontier);
        EXPECT_EQ(Frontier::parse(size + 1, frontier.bytes()).has_value(),
                  std::popcount(size) == std::popcount(size + 1));
        frontier.append(leaf_hash(bytes_of(std::to_string(size))));
    }
}

// The example of golang.org/x/mod/sumdb/note, which the signed note format comes from.
const char* const note_key = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const char* const note_private = "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const std::string note_text =
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
const std::string note =
    note_text +
    "\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

TEST(SignedNote, OpensThePublishedExample) {
    const auto key = VerifierKey::parse(note_key);
    ASSERT_TRUE(key);
    EXPECT_EQ(key->text(), note_key);
    EXPECT_EQ(*open_note(note, *key), note_text);
}

TEST(SignedNote, SignsTheSameBytesAsThePublishedExample) {
    const Bytes typed_seed = crypto::from_base64(note_private).value();
    const crypto::SigningKey key(Secret::copy_of(ByteView(typed_seed).subspan(1)));
    EXPECT_EQ(sign_note(note_text, "PeterNeumann", key), note);
}

TEST(SignedNote, RefusesWhatIsNotSigned) {
    const VerifierKey key = *VerifierKey::parse(note_key);
    std::string bad = note;
    bad[3] ^= 1;
    EXPECT_EQ(open_note(bad, key).error().code, Code::Corrupt) << "another text";
    bad = note;
    bad[note.size() - 10] ^= 1;
    EXPECT_FALSE(open_note(bad, key)) << "another signature";
    EXPECT_FALSE(open_note(note_text, key)) << "no signature";
    EXPECT_FALSE(open_note(note_text + "\n", key));
    EXPECT_FALSE(open_note(note.substr(0, note.size() - 1), key)) << "no newline at the end";
    VerifierKey other = key;
    other.name = "Other";
    EXPECT_EQ(open_note(note, other).error().code, Code::Corrupt) << "signed by somebody else";
    EXPECT_FALSE(open_note(note_text + "\n\x01\n" + note, key)) << "control characters";
    // The id is the key's, the name somebody else's.
    std::string renamed = note;
    renamed.replace(renamed.rfind("PeterNeumann"), 12, "Mallory");
    EXPECT_FALSE(open_note(renamed, key));
    EXPECT_FALSE(open_note(note + "— \x1b[2J Az3grlgtzPICa5OS8npVmf1Myq8=\n", key)) << "also in what is passed over";
    // A line by an unknown key is passed over, as the format says.
    const std::string more =
        note +
        "— witness.example "
        "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n";
    EXPECT_EQ(*open_note(more, key), note_text);
}

TEST(SignedNote, RefusesMalformedKeys) {
    for (const char* bad : {"", "PeterNeumann", "PeterNeumann+c74f20a3",
                            "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
                            "Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
                            "PeterNeumann+c74f20a3+AhpC2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"})
        EXPECT_FALSE(VerifierKey::parse(bad)) << bad;
}

// The example of C2SP tlog-checkpoint.
TEST(Checkpoint, ReadsThePublishedExample) {
    const std::string text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
    const auto checkpoint = Checkpoint::parse(text);
    ASSERT_TRUE(checkpoint);
    EXPECT_EQ(checkpoint->origin, "example.com/behind-the-sofa");
    EXPECT_EQ(checkpoint->size, 20852163u);
    EXPECT_EQ(checkpoint->text(), text);
}

TEST(Checkpoint, RefusesWhatIsNone) {
    const std::string root = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
    for (const std::string& bad :
         std::vector<std::string>{"", "a\n1\n" + root.substr(0, root.size() - 1), "a\n01\n" + root, "a\n-1\n" + root,
                                  "\n1\n" + root, "a\n1\n", "a\n\n1\n" + root, "a\n1\nAAAA\n", "a\n1 \n" + root})
        EXPECT_FALSE(Checkpoint::parse(bad)) << bad;
}

Draft example_draft() {
    const auto workspace = *domain::WorkspaceName::parse("default");
    domain::Credential credential{*domain::CredentialId::parse("0123456789ab"),
                                  workspace,
                                  *domain::IdentityName::parse("codex"),
                                  {},
                                  *domain::ScopeSet::parse("card:edit"),
                                  domain::CredentialStanding::Pending,
                                  Instant(Duration(0)),
                                  Instant(90h),
                                  {},
                                  {},
                                  {}};
    credential.hash.fill(0xAB);
    return {CredentialIssued{credential},
            OperatorActor{*domain::OperatorName::parse("ops"),
                          Process{1000, 1000, 42, "/usr/bin/marque", "/bin/sh", "/dev/pts/0"}},
            Instant(1s),
            Mode::Setup,
            "because\n",
            "d1",
            "r1"};
}

TEST(Entry, HasItsCanonicalForm) {
    EXPECT_EQ(
        encode(example_draft(), 7),
        R"({"action":"credential.issue","actor":{"executable":"/usr/bin/marque","kind":"operator","login_uid":1000,"name":"ops",)"
        R"("parent_executable":"/bin/sh","pid":42,"tty":"/dev/pts/0","uid":1000},"at":"1970-01-01T00:00:01.000000Z","change":)"
        R"({"after":{"expires_at":"1970-01-04T18:00:00.000000Z","scopes":["card:edit"],"state":"pending"}},"mode":"setup",)"
        R"("outcome":"done","plan":"d1","reason":"because\n","request":"r1","seq":7,"target":{"id":"0123456789ab",)"
        R"("identity":"codex","kind":"credential","workspace":"default"}})");
}

// Invariant 2: never a token or its hash.
TEST(Entry, Invariant2_HoldsNoHash) {
    EXPECT_EQ(encode(example_draft(), 7).find("abab"), std::string::npos);
    EXPECT_EQ(encode(example_draft(), 7).find("hash"), std::string::npos);
}

TEST(Entry, ReadsBack) {
    const auto entry = decode(encode(example_draft(), 7));
    ASSERT_TRUE(entry);
    EXPECT_EQ(entry->seq, 7u);
    EXPECT_EQ(entry->action, "credential.issue");
    EXPECT_EQ(entry->actor, "ops");
    EXPECT_EQ(entry->target, "credential 0123456789ab of codex");
    EXPECT_EQ(entry->outcome, "done");
    EXPECT_EQ(decode("{}").error().code, Code::Corrupt);
    EXPECT_EQ(decode("").error().code, Code::Corrupt);
    EXPECT_EQ(decode(R"({"seq":0})").error().code, Code::Corrupt);
    const std::string good = encode(example_draft(), 7);
    for (const auto& [part, instead] :
         std::initializer_list<std::pair<const char*, const char*>>{{R"("seq":7)", R"("seq":0)"},
                                                                    {R"("seq":7)", R"("seq":-1)"},
                                                                    {R"("action":"credential.issue",)", ""},
                                                                    {R"("outcome":"done",)", ""},
                                                                    {R"("actor":{)", R"("actos":{)"},
                                                                    {R"("target":{)", R"("targeu":{)"},
                                                                    {R"("at":"1970)", R"("at":"197O)"}}) {
        std::string bad = good;
        bad.replace(bad.find(part), std::string_view(part).size(), instead);
        EXPECT_EQ(decode(bad).error().code, Code::Corrupt) << bad;
    }
}

TEST(Seal, DependsOnEverythingItCovers) {
    const Secret key = Secret::copy_of(Bytes(32, 1)), other_key = Secret::copy_of(Bytes(32, 2));
    const Digest leaf = leaf_hash(bytes_of("a")), other_leaf = leaf_hash(bytes_of("b"));
    const Digest seal = seal_of_entry(key, 1, leaf);
    EXPECT_EQ(seal, seal_of_entry(key, 1, leaf));
    EXPECT_NE(seal, seal_of_entry(other_key, 1, leaf));
    EXPECT_NE(seal, seal_of_entry(key, 2, leaf)) << "an entry can't be moved";
    EXPECT_NE(seal, seal_of_entry(key, 257, leaf)) << "however far";
    EXPECT_NE(seal, seal_of_entry(key, 1 + (std::uint64_t{1} << 56), leaf));
    EXPECT_NE(seal, seal_of_entry(key, 1, other_leaf));
    Frontier one;
    one.append(leaf);
    EXPECT_NE(seal_of_head(key, one, {}), seal) << "an entry's seal is no head's";
    EXPECT_NE(seal_of_head(key, one, {}), seal_of_head(key, Frontier(), {}));
}

}  // namespace
}  // namespace marque::audit
