// The public library over the same verifier and the same gate as the server's.
#include <marque/verifier.h>
#include <mutex>
#include <utility>

#include "authority/runtime.h"
#include "installation/known_log_file.h"
#include "installation/machine_clock.h"
#include "installation/open.h"
#include "verify/known_store.h"

namespace marque {

using namespace domain;

namespace {

Failure failure(const Error& error) {
    return {error.message, error.hint};
}

// Answers a demand that no token can fit.
Verification refusal(Outcome outcome, Reason reason) {
    Verification refused;
    refused.outcome = outcome;
    refused.reason = name_of(reason);
    return refused;
}

}  // namespace

struct Verifier::Inside {
    installation::MachineClock clock;
    verify::Verifier::OpenStore open_store;
    installation::KnownLogFile memory;  // what a server knew of the log holds here too
    Secret token_key;
    verify::Verifier verifier;

    std::mutex mutex;  // guards what follows
    std::vector<std::unique_ptr<verify::TokenHasher>> idle_hashers;
    verify::Uses uses;
    std::mutex recording;  // one at a time
    std::unique_ptr<store::Store> store;

    Inside(const std::string& folder, installation::Keys keys)
        : open_store(installation::opener(folder, keys)),
          memory(folder),
          token_key(std::move(keys.token_key)),
          verifier(
              open_store, std::move(keys.sealing_key), clock, [](const verify::Notice&) {},
              {"", store::Freshness::Strict}, &memory) {}

    std::unique_ptr<verify::TokenHasher> take_hasher() {
        const std::lock_guard lock(mutex);
        if (idle_hashers.empty()) return std::make_unique<verify::TokenHasher>(token_key);
        auto hasher = std::move(idle_hashers.back());
        idle_hashers.pop_back();
        return hasher;
    }
};

Verifier::Verifier(std::unique_ptr<Inside> inside) : inside_(std::move(inside)) {}
Verifier::~Verifier() = default;

std::expected<std::unique_ptr<Verifier>, Failure> Verifier::open(const std::string& folder) {
    auto keys = installation::read_keys(folder);
    if (!keys) return std::unexpected(failure(keys.error()));
    auto inside = std::make_unique<Inside>(folder, keys.release());
    {
        const auto session = inside->verifier.session();
        if (!session) return std::unexpected(failure(session.error()));
    }
    return std::unique_ptr<Verifier>(new Verifier(std::move(inside)));
}

std::expected<Verification, Failure> Verifier::verify(std::string_view token, const marque::Demand& demanded,
                                                      std::string_view from) {
    domain::Demand demand;
    if (!demanded.environment.empty()) {
        auto parsed = EnvironmentName::parse(demanded.environment);
        if (!parsed) return refusal(Outcome::InvalidToken, Reason::EnvironmentDiffers);
        demand.environment = parsed.release();
    }
    if (!demanded.scope.empty()) {
        auto parsed = Scope::parse(demanded.scope);
        if (!parsed) return refusal(Outcome::InsufficientScope, Reason::ScopeMissing);
        demand.scope = parsed.release();
    }
    auto hasher = inside_->take_hasher();
    const auto session = inside_->verifier.session();
    if (!session) return std::unexpected(failure(session.error()));
    const Instant now = inside_->clock.now();
    const verify::Index& index = session->index();
    const verify::Verdict verdict = index.verify(*hasher, token, demand, now);

    Verification answer;
    answer.reason = name_of(verdict.reason);
    answer.revision = session->revision();
    if (verdict.reason == Reason::ScopeMissing) answer.outcome = Outcome::InsufficientScope;
    std::optional<verify::Holder> holder;
    if (verdict.line) holder.emplace(index.holder(*verdict.line));
    if (verdict.is_accepted()) {
        answer.outcome = Outcome::Accepted;
        answer.identity = holder->identity;
        answer.workspace = holder->workspace;
        answer.environment = holder->environment;
        answer.credential = holder->credential.string();
        for (const Scope& one : holder->scopes.scopes()) answer.scopes.push_back(one.text());
        answer.expires_at = holder->term.expires_at;
    }
    const std::lock_guard lock(inside_->mutex);
    if (holder) inside_->uses.note(*holder, verdict.reason, now, verify::AddressText(from));
    inside_->idle_hashers.push_back(std::move(hasher));
    return answer;
}

std::expected<void, Failure> Verifier::record_uses() {
    const std::lock_guard recording(inside_->recording);
    verify::Uses uses;
    {
        const std::lock_guard lock(inside_->mutex);
        uses = std::exchange(inside_->uses, {});
    }
    const auto written = [&]() -> Result<void> {
        store::Store* const store = TRY(verify::open_known(inside_->store, inside_->open_store, inside_->verifier));
        return authority::write_uses(*store, uses, inside_->clock.now(), "library");
    }();
    if (written) return {};
    const std::lock_guard lock(inside_->mutex);
    inside_->uses.add_older(std::move(uses));
    return std::unexpected(failure(written.error()));
}

}  // namespace marque
