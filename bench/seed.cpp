// bench_seed FOLDER COUNT [TOKENS_FILE [TOKENS]]: adds COUNT identities m0000000, m0000001, … with a credential in
// force each, to the store in FOLDER, in commits of ten thousand. What the benchmarks of large stores begin with.
//
// With TOKENS_FILE, a new file, the first TOKENS of them (all, if it isn't said) have a real token, one a line there
// and in that order; the others' hashes are of nothing, which no token matches.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <unistd.h>

#include "authority/keys.h"
#include "base/file.h"
#include "crypto/system_random.h"
#include "domain/token.h"
#include "installation/key_file.h"
#include "installation/open.h"
#include "verify/verify.h"

using namespace marque;
using namespace marque::domain;

namespace {

constexpr std::size_t batch = 10'000;
constexpr std::size_t line_length = token_length + 1;

// Where tokens go, and how many of them still.
class Tokens {
 public:
    Tokens(const char* path, std::size_t wanted, const Secret& root)
        : file_(path == nullptr ? -1 : ::open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)),
          left_(path == nullptr ? 0 : wanted),
          key_(authority::token_key(root)),
          lines_(batch * line_length) {}

    bool is_usable() const { return left_ == 0 || file_.is_open(); }

    // The hash of a new token, kept for `write`; or, when there are enough, bytes that no token has.
    Result<void> hash_of_next(Random& random, const CredentialId& id, TokenHash& hash) {
        if (left_ == 0) return random.fill(hash);
        Secret entropy(token_entropy_bytes);
        TRY(random.fill(entropy.writable()));
        const Secret token = make_token(TokenClass::Test, id, entropy.reveal());
        hash = verify::hash_token(key_, token.reveal_text());
        auto out = std::ranges::copy(token.reveal(), lines_.writable().begin() + length_).out;
        *out = '\n';
        length_ += line_length;
        --left_;
        return {};
    }

    // The tokens since the last time: once their credentials are committed.
    Result<void> write() {
        for (ByteView rest = lines_.reveal().first(static_cast<std::size_t>(length_)); !rest.empty();) {
            const ssize_t written = ::write(file_.fd(), rest.data(), rest.size());
            if (written < 0) return system_error("the tokens can't be written");
            rest = rest.subspan(static_cast<std::size_t>(written));
        }
        length_ = 0;
        return {};
    }

 private:
    File file_;
    std::size_t left_;
    Secret key_;
    Secret lines_;
    std::ptrdiff_t length_ = 0;
};

Result<void> add(store::Store& store, std::size_t first, std::size_t count, Tokens& tokens) {
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
        TRY(tokens.hash_of_next(random, id, credential.hash));
        draft(audit::IdentityCreated{{workspace, name, environment, MachineKind::Agent, scopes, "", {}, {}, now}});
        draft(audit::CredentialIssued{credential});
        draft(audit::CredentialActivated{{workspace, name, id}});
    }
    TRY(store.change([&](const store::Reader&) -> Result<std::vector<audit::Draft>> { return drafts; }));
    return tokens.write();
}

Result<void> seed(const std::string& folder, std::size_t count, const char* tokens_path, std::size_t tokens_wanted) {
    const Secret root = TRY(read_root_key(folder));
    const auto store =
        TRY(installation::open_store(folder, store::SealingKey([&root] { return authority::log_seal_key(root); }),
                                     std::chrono::minutes(1), [](const std::string&) {}));
    Tokens tokens(tokens_path, tokens_wanted, root);
    if (!tokens.is_usable()) return system_error(fmt::format("{} can't be made", tokens_path));
    for (std::size_t done = 0; done < count; done += batch)
        TRY(add(*store, done, std::min(batch, count - done), tokens));
    return {};
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 3 || argc > 5) return 2;
    const std::size_t count = std::strtoull(argv[2], nullptr, 10);
    const auto seeded =
        seed(argv[1], count, argc > 3 ? argv[3] : nullptr, argc > 4 ? std::strtoull(argv[4], nullptr, 10) : count);
    if (!seeded) std::fprintf(stderr, "bench_seed: %s\n", seeded.error().message.c_str());
    return seeded ? 0 : 1;
}
