// test/authority_fixture.h: an authority over the store in memory, with a clock, random bytes, a delivery and owners'
// signatures that the test holds in its hand.
#pragma once

#include <gtest/gtest.h>

#include "authority/authority.h"
#include "authority/keys.h"
#include "domain/token.h"
#include "store/memory/memory_store.h"
#include "test/plain_signatures.h"

namespace marque::authority {

using namespace domain;
using namespace std::chrono_literals;

class TestClock final : public Clock {
 public:
    Instant now() const override { return now_; }
    Duration since_boot() const override { return now_.time_since_epoch(); }
    void pass(Duration time) { now_ += time; }

 private:
    Instant now_{Duration(1'800'000'000'000'000)};
};

// Repeatable; seeded by how often it was asked.
class TestRandom final : public Random {
 public:
    Result<void> fill(std::span<std::uint8_t> out) override {
        for (std::uint8_t& byte : out)
            byte = static_cast<std::uint8_t>((state_ = state_ * 6364136223846793005u + 1442695040888963407u) >> 56);
        return {};
    }

 private:
    std::uint64_t state_ = 1;
};

// Keeps what is delivered; can fail, and can do something in the middle.
class TestDelivery final : public Delivery {
 public:
    Result<void> prepare(std::span<const IdentityName>) override { return {}; }
    Result<void> deliver(std::span<const IssuedToken> tokens) override {
        if (meanwhile) meanwhile(tokens);
        if (fails) return Error(Code::Unavailable, "the disk is full");
        for (const IssuedToken& token : tokens) delivered.emplace_back(token.token.reveal_text());
        return {};
    }
    bool fails = false;
    std::function<void(std::span<const IssuedToken>)> meanwhile;
    std::vector<std::string> delivered;
};

class AuthorityTest : public testing::Test {
 protected:
    static constexpr std::uint32_t ops_uid = 1000;

    Authority as(std::uint32_t uid) {
        audit::Process process;
        process.uid = uid;
        return {store, clock, random, root_key, signatures, process};
    }
    Authority ops() { return as(ops_uid); }

    static Order confirmed(const char* reason = "") { return {{}, Confirmation::parse("").release(), reason}; }
    static Order unconfirmed() { return {}; }
    static Order dry() { return {{}, Confirmation::dry_run(), ""}; }

    CreateRequest request(const char* name, const char* environment = "dev") const {
        return {*IdentityName::parse(name),
                *EnvironmentName::parse(environment),
                MachineKind::Agent,
                *ScopeSet::parse("card:view,card:edit"),
                {},
                "",
                {}};
    }
    Result<Done> create(const char* name, const char* environment = "dev", const Order& order = confirmed()) {
        const CreateRequest requests[] = {request(name, environment)};
        return ops().create(requests, order, delivery);
    }
    std::string token_of(const char* name) {
        EXPECT_TRUE(create(name));
        return delivery.delivered.back();
    }
    Reason verdict(const std::string& token, const char* scope = nullptr) {
        Demand demand;
        if (scope != nullptr) demand.scope = *Scope::parse(scope);
        return ops().verify(token, demand)->verdict.reason;
    }
    bool accepts(const std::string& token) { return verdict(token) == Reason::Accepted; }
    Result<Done> revoke(const char* who, const Order& order = confirmed("because")) {
        return ops().revoke(ByNameOrId{who}, order);
    }
    std::size_t log_size() const { return store.rows.entries.size(); }
    audit::Entry last_entry() const { return audit::decode(store.rows.entries.back().bytes).release(); }
    CredentialId only_credential() const {
        EXPECT_EQ(store.rows.credentials.size(), 1u);
        return store.rows.credentials.begin()->first;
    }

    void SetUp() override {
        InitRequest init{*OperatorName::parse("ops"), *WorkspaceName::parse("default"), {}};
        ASSERT_TRUE(ops().init(init, Confirmation::parse("").release()));
    }

    Secret root_key = Secret::copy_of(Bytes(root_key_bytes, 5));
    store::memory::MemoryStore store{log_seal_key(root_key)};
    TestClock clock;
    TestRandom random;
    TestDelivery delivery;
    PlainSignatures signatures;
};

}  // namespace marque::authority
