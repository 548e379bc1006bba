// bench_seed FOLDER COUNT: adds COUNT identities m0000000, m0000001, … with a credential in force each, to the
// store in FOLDER, in commits of ten thousand. What the benchmarks of large stores begin with.
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>

#include "authority/keys.h"
#include "crypto/system_random.h"
#include "main/key_file.h"
#include "store/sqlite/sqlite_store.h"

using namespace marque;
using namespace marque::domain;

namespace {

constexpr std::size_t batch = 10'000;

Result<void> add(store::Store& store, std::size_t first, std::size_t count) {
    const auto workspace = TRY(WorkspaceName::parse("default"));
    const auto environment = TRY(EnvironmentName::parse("dev"));
    const auto scopes = TRY(ScopeSet::parse("card:view,card:edit"));
    const Instant now(Duration(1'795'466'580'000'000));
    crypto::SystemRandom random;
    std::vector<audit::Draft> drafts;
    const auto draft = [&](audit::Event event) {
        drafts.push_back({std::move(event), audit::OperatorActor{}, now, audit::Mode::Setup, "", "", ""});
    };
    for (std::size_t i = first; i < first + count; ++i) {
        const auto name = TRY(IdentityName::parse(fmt::format("m{:07}", i)));
        std::array<std::uint8_t, 8> bits{};
        TRY(random.fill(bits));
        std::uint64_t number = 0;
        for (const std::uint8_t byte : bits) number = number << 8 | byte;
        const auto id = CredentialId::from_bits(number);
        Credential credential{
            id, workspace, name, {}, scopes, CredentialStanding::Pending, now, now + std::chrono::days(365)};
        TRY(random.fill(credential.hash));
        draft(audit::IdentityCreated{{workspace, name, environment, MachineKind::Agent, scopes, "", {}, {}, now}});
        draft(audit::CredentialIssued{credential});
        draft(audit::CredentialActivated{{workspace, name, id}});
    }
    TRY(store.change([&](const store::Reader&) -> Result<std::vector<audit::Draft>> { return drafts; }));
    return {};
}

Result<void> seed(const std::string& folder, std::size_t count) {
    const Secret root = TRY(read_root_key_file(folder + "/root.key"));
    const auto store = TRY(store::sqlite::SqliteStore::open(
        folder + "/marque.db", store::SealingKey([&root] { return authority::log_seal_key(root); })));
    for (std::size_t done = 0; done < count; done += batch) TRY(add(*store, done, std::min(batch, count - done)));
    return {};
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) return 2;
    const auto seeded = seed(argv[1], std::strtoull(argv[2], nullptr, 10));
    if (!seeded) std::fprintf(stderr, "bench_seed: %s\n", seeded.error().message.c_str());
    return seeded ? 0 : 1;
}
