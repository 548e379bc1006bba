// crypto: other people's vectors.
#include <gtest/gtest.h>

#include "crypto/base64.h"
#include "crypto/digest.h"
#include "crypto/signature.h"
#include "crypto/system_random.h"

namespace marque::crypto {
namespace {

Bytes hex(std::string_view text) {
    return from_hex(text).value();
}
Secret secret(std::string_view text) {
    return Secret::copy_of(hex(text));
}

TEST(Sha256, Fips180) {
    EXPECT_EQ(to_hex(sha256(bytes_of("abc"))), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(to_hex(sha256(ByteView{})), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    EXPECT_EQ(sha256({bytes_of("a"), bytes_of("bc")}), sha256(bytes_of("abc")));
}

TEST(Hmac, Rfc4231) {
    EXPECT_EQ(to_hex(hmac_sha256(secret("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b"), bytes_of("Hi There"))),
              "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    EXPECT_EQ(to_hex(hmac_sha256(Secret::copy_of(bytes_of("Jefe")), bytes_of("what do ya want for nothing?"))),
              "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    EXPECT_EQ(to_hex(hmac_sha256(secret(std::string(40, 'a')), Bytes(50, 0xdd))),
              "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
    EXPECT_EQ(to_hex(hmac_sha256(Secret::copy_of(Bytes(131, 0xaa)),
                                 bytes_of("Test Using Larger Than Block-Size Key - Hash Key First"))),
              "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(Hkdf, Rfc5869) {
    const Secret input = secret("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b");
    const Bytes info = hex("f0f1f2f3f4f5f6f7f8f9");
    EXPECT_EQ(to_hex(hkdf_sha256(input, hex("000102030405060708090a0b0c"), text_of(info), 42).reveal()),
              "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
    EXPECT_EQ(to_hex(hkdf_sha256(input, {}, "", 42).reveal()),
              "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
}

TEST(Ed25519, Rfc8032) {
    struct Vector {
        const char *seed, *key, *message, *signature;
    };
    const Vector vectors[] = {
        {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
         "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
         "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595b"
         "be24655141438e7a100b"},
        {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
         "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
         "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb430"
         "2aeeb00d291612bb0c00"},
        {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
         "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
         "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716e"
         "d28dc027beceea1ec40a"},
    };
    for (const Vector& v : vectors) {
        const SigningKey key(secret(v.seed));
        EXPECT_EQ(to_hex(key.public_key()), v.key);
        EXPECT_EQ(to_hex(key.sign(hex(v.message))), v.signature);
        EXPECT_TRUE(is_valid_signature(key.public_key(), hex(v.message), hex(v.signature)));
        Bytes other = hex(v.message);
        other.push_back(0);
        EXPECT_FALSE(is_valid_signature(key.public_key(), other, hex(v.signature)));
        EXPECT_FALSE(is_valid_signature(key.public_key(), hex(v.message), {}));
    }
}

TEST(Base64, Rfc4648) {
    const std::pair<const char*, const char*> vectors[] = {{"", ""},
                                                           {"f", "Zg=="},
                                                           {"fo", "Zm8="},
                                                           {"foo", "Zm9v"},
                                                           {"foob", "Zm9vYg=="},
                                                           {"fooba", "Zm9vYmE="},
                                                           {"foobar", "Zm9vYmFy"}};
    for (const auto& [plain, coded] : vectors) {
        EXPECT_EQ(to_base64(bytes_of(plain)), coded);
        EXPECT_EQ(text_of(from_base64(coded).value()), plain);
    }
    for (const char* bad : {"Zg", "Zg=", "Zh==", "Zm9v\n", " Zm9v", "Zm9v====", "====", "Zg==Zg==", "Z===", "Zm9_"})
        EXPECT_EQ(from_base64(bad), std::nullopt) << bad;
}

TEST(Equal, TellsDigestsApart) {
    Digest a = sha256(bytes_of("a")), b = a;
    EXPECT_TRUE(equal(a, b));
    b.back() ^= 1;
    EXPECT_FALSE(equal(a, b));
    b = a;
    b.front() ^= 1;
    EXPECT_FALSE(equal(a, b));
}

TEST(SystemRandom, DoesNotRepeat) {
    SystemRandom random;
    Digest a{}, b{};
    ASSERT_TRUE(random.fill(a));
    ASSERT_TRUE(random.fill(b));
    EXPECT_NE(a, b);
}

}  // namespace
}  // namespace marque::crypto
