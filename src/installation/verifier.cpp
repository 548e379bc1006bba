// The public library over the same verifier and the same gate as the server's.
#include <boost/unordered/unordered_flat_map.hpp>

#include <algorithm>
#include <marque/verifier.h>
#include <mutex>

#include "authority/runtime.h"
#include "installation/open.h"
#include "verify/known_store.h"

namespace marque {

using namespace domain;

namespace {

class SystemClock final : public Clock {
 public:
    Instant now() const override {
        timespec time{};
        ::clock_gettime(CLOCK_REALTIME, &time);
        return Instant(std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_nsec / 1000));
    }
};

Failure failure(const Error& error) {
    return {error.message, error.hint};
}

struct Seen {
    Instant at;
    std::uint64_t count = 0;
    std::string from;
    bool ends_predecessor = false;
    Reason reason = Reason::Accepted;
};
using SeenById = boost::unordered_flat_map<std::uint64_t, Seen>;

}  // namespace

struct Verifier::Inside {
    SystemClock clock;
    verify::Verifier::OpenStore open_store;
    Secret token_key;
    verify::Verifier verifier;

    std::mutex mutex;  // guards what follows
    std::vector<std::unique_ptr<verify::TokenHasher>> idle_hashers;
    SeenById accepted, refused;
    std::mutex recording;  // one at a time
    std::unique_ptr<store::Store> store;

    Inside(const std::string& folder, installation::Keys keys)
        : open_store(installation::opener(folder)),
          token_key(std::move(keys.token_key)),
          verifier(open_store, std::move(keys.sealing_key), clock, [](const verify::Notice&) {}) {}

    std::unique_ptr<verify::TokenHasher> take_hasher() {
        const std::lock_guard lock(mutex);
        if (idle_hashers.empty()) return std::make_unique<verify::TokenHasher>(token_key);
        auto hasher = std::move(idle_hashers.back());
        idle_hashers.pop_back();
        return hasher;
    }

    void note(CredentialId id, Instant now, std::string_view from, Reason reason, bool ends_predecessor) {
        Seen& seen = (reason == Reason::Accepted ? accepted : refused)[id.bits()];
        seen.at = std::max(seen.at, now);
        ++seen.count;
        seen.from = from.substr(0, 47);
        seen.reason = reason;
        seen.ends_predecessor = ends_predecessor;
    }

    Result<void> write(const SeenById& uses, const SeenById& refused_uses);
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

std::expected<Verification, Failure> Verifier::verify(std::string_view token, std::string_view scope,
                                                      std::string_view from) {
    Demand demand;
    if (!scope.empty()) {
        auto parsed = Scope::parse(scope);
        if (!parsed) return Verification{Outcome::InsufficientScope, "scope_missing", {}, {}, {}, {}, {}, {}, 0};
        demand = parsed.release();
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
    if (verdict.is_accepted() || is_stopped(verdict.reason))
        inside_->note(holder->credential, now, from, verdict.reason, holder->ends_predecessor);
    inside_->idle_hashers.push_back(std::move(hasher));
    return answer;
}

Result<void> Verifier::Inside::write(const SeenById& uses, const SeenById& refused_uses) {
    if (store && !store->mark()) store.reset();
    if (!store) {
        store = std::make_unique<verify::KnownStore>(TRY(open_store()), verifier);
        TRY(store->mark());
    }
    const Instant now = clock.now();
    std::vector<store::Use> accepted_rows;
    for (const auto& [bits, seen] : uses)
        accepted_rows.push_back({CredentialId::from_bits(bits), seen.at, seen.from, seen.count});
    std::vector<store::RefusedUse> refused_rows;
    for (const auto& [bits, seen] : refused_uses)
        refused_rows.push_back(
            {CredentialId::from_bits(bits), {name_of(seen.reason), 0, seen.at, seen.from, seen.count}});
    if (!accepted_rows.empty() || !refused_rows.empty())
        TRY(authority::record_uses(*store, accepted_rows, std::move(refused_rows), now));
    for (const auto& [bits, seen] : uses)
        if (seen.ends_predecessor)
            TRY(authority::end_predecessor(*store, CredentialId::from_bits(bits), now, "library"));
    return authority::tell_refused_uses(*store, now, "library");
}

std::expected<void, Failure> Verifier::record_uses() {
    const std::lock_guard recording(inside_->recording);
    SeenById accepted, refused;
    {
        const std::lock_guard lock(inside_->mutex);
        accepted.swap(inside_->accepted);
        refused.swap(inside_->refused);
    }
    const auto written = inside_->write(accepted, refused);
    if (written) return {};
    const std::lock_guard lock(inside_->mutex);
    for (const auto& [bits, seen] : accepted) {
        auto [place, is_new] = inside_->accepted.try_emplace(bits, seen);
        if (!is_new) place->second.count += seen.count;
    }
    for (const auto& [bits, seen] : refused) {
        auto [place, is_new] = inside_->refused.try_emplace(bits, seen);
        if (!is_new) place->second.count += seen.count;
    }
    return std::unexpected(failure(written.error()));
}

}  // namespace marque
