// What a verifier reads of its store: the log since what it knows, the rows that it is about, or everything.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/overloaded.h"
#include "store/append.h"
#include "verify/verifier.h"

namespace marque::verify {

using namespace domain;

namespace {

// Some rows with texts of their own, which outlive the visit to each.
class CredentialRows {
 public:
    void add(const store::CredentialFacts& credential) {
        auto& [workspace, identity, scopes] = texts_[rows_.size()];
        store::CredentialFacts& row = rows_.emplace_back(credential);
        row.workspace = workspace = credential.workspace;
        row.identity = identity = credential.identity;
        row.scopes = scopes = credential.scopes;
    }
    bool is_full() const { return rows_.size() == texts_.size(); }
    std::span<const store::CredentialFacts> rows() const { return rows_; }
    void clear() { rows_.clear(); }

 private:
    std::vector<store::CredentialFacts> rows_;
    std::array<std::array<std::string, 3>, 64> texts_;
};

constexpr std::size_t entries_at_a_time = 1000;

Error another_server() {
    return Error(Code::Unavailable, "the log is not the one that gave the lease: another server was asked");
}

}  // namespace

Result<audit::Frontier> Verifier::known() const {
    const std::shared_lock lock = lock_for_reading();
    if (refusal_ && refusal_->tampered.empty()) return *refusal_;
    if (!frontier_) return Error(Code::Unavailable, "the store was not read yet");
    return *frontier_;
}

Result<void> Verifier::recognise(const store::Reader& reader, const audit::Frontier& known) const {
    const std::shared_lock lock = lock_for_reading();
    if (auto same = check_installation(reader); !same && same.error().tampered.empty()) return same;
    const store::StoredHead head = TRY(reader.head());
    TRY(store::check_head(head, sealing_key_));
    TRY(follow_log(reader, head, known));
    return {};
}

Result<void> Verifier::check_installation(const store::Reader& reader) const {
    const auto installation = TRY(reader.installation());
    if (!installation) return Error(Code::Unavailable, "the store is empty", "run marque init");
    if (!installation_.empty() && installation->id != installation_)
        return not_the_log_that_was(
            fmt::format("the store is of installation {}, not of {}", installation->id, installation_));
    return {};
}

// What has to be published, from one snapshot. Changes nothing that a session sees but that everything has to be read
// again.
Result<Verifier::News> Verifier::read_news(const store::Reader& reader, const store::Renewal& reaching) {
    TRY(check_installation(reader));
    News news;
    news.installation = TRY(reader.installation())->id;
    news.head = TRY(reader.head());
    const store::StoredHead& head = news.head;
    auto followed = follow_from_known(reader, head, reaching);
    if (!followed && followed.error().code == Code::Corrupt && TRY(is_accepted(reader, head))) {
        begin_anew();
        frontier_.reset();
        given_up_ = recalled_;
        listen_({Notice::Kind::Accepted, followed.error().message, head.frontier.size()});
        followed = Followed();
    }
    if (!followed) {
        if (followed.error().code == Code::Corrupt) log_verifies_ = false;
        return std::move(followed).error();
    }
    news.known = followed->last ? followed->last : frontier_ ? known_ : std::nullopt;
    if (!news.known) news.known = TRY(known_log_of(reader, head.frontier.size()));
    log_verifies_ = true;
    if (is_loaded_ && head.unlogged_writes != unlogged_writes_) {
        begin_anew();
        ++reloads_;
        listen_({Notice::Kind::Reloaded, "rows were written without an event", head.frontier.size()});
    }
    if (is_loaded_) {
        news.rows = TRY(read_rows(reader, followed->touched));
    } else {
        begin_anew();
        TRY(load(reader));
    }
    return news;
}

// Before the snapshot that is read next: what a command remembers meanwhile is of a later one.
Result<void> Verifier::recall() {
    if (memory_ != nullptr) recalled_ = TRY(memory_->recall());
    return {};
}

// From what this process knows, or at its beginning from what the last one knew.
Result<Verifier::Followed> Verifier::follow_from_known(const store::Reader& reader, const store::StoredHead& head,
                                                       const store::Renewal& reaching) {
    TRY(store::check_head(head, sealing_key_));
    if (!frontier_ && !known_) known_ = recalled_;
    if (recalled_ && recalled_ != given_up_) TRY(require_continues(reader, *recalled_));
    if (!frontier_) {
        if (known_ && known_ != recalled_ && known_ != given_up_) TRY(require_continues(reader, *known_));
        if (reaching.revision > 0) {
            const auto entries = TRY(reader.entries(reaching.revision - 1, 1));
            if (entries.empty() || !crypto::equal(entries.front().seal, reaching.seal)) return another_server();
        }
        return Followed();
    }
    // Whoever writes rows by hand may have written entries: then all of them are read again.
    if (head.unlogged_writes != unlogged_writes_) TRY(follow_log(reader, head, audit::Frontier()));
    return follow_log(reader, head, *frontier_, reaching);
}

// Whether the log, which is not the known one, says that it is to be gone on with: sealed, and younger than all that
// was known. All of it is read for that, once for each head.
Result<bool> Verifier::is_accepted(const store::Reader& reader, const store::StoredHead& head) {
    if (!known_ || head.seal == searched_) return false;
    if (const auto installation = TRY(reader.installation()); !installation || installation->id != known_->installation)
        return false;
    const auto all = follow_log(reader, head, audit::Frontier());
    if (!all && all.error().code != Code::Corrupt) return all.error();
    const Instant newest = recalled_ ? std::max(known_->at, recalled_->at) : known_->at;
    if (all && all->acceptance && *all->acceptance > newest) return true;
    searched_ = head.seal;
    return false;
}

// What happened since, proved to continue what was known: entry by entry in its place, sealed, up to the very head.
Result<Verifier::Followed> Verifier::follow_log(const store::Reader& reader, const store::StoredHead& head,
                                                audit::Frontier known, const store::Renewal& reaching) const {
    if (head.frontier.size() < known.size())
        return not_the_log_that_was(
            fmt::format("the log went back, from {} entries to {}", known.size(), head.frontier.size()));
    // A lease is of the log that gave it (test/model/revoke_failover.pml, M_RECONNECT).
    if (head.frontier.size() < reaching.revision) return another_server();
    bool is_reached = reaching.revision == 0 || (known.size() == reaching.revision && reaching == known_entry());
    Followed followed;
    while (known.size() < head.frontier.size()) {
        const auto entries = TRY(reader.entries(known.size(), entries_at_a_time));
        if (entries.empty()) return Error(Code::Corrupt, "the log lacks entries", "run marque audit verify");
        for (const store::StoredEntry& entry : entries) {
            const audit::Digest leaf = audit::leaf_hash(bytes_of(entry.bytes));
            if (entry.seq != known.size() + 1 ||
                !crypto::equal(entry.seal, audit::seal_of_entry(sealing_key_, entry.seq, leaf)))
                return Error(Code::Corrupt, fmt::format("audit entry {} is not sealed by this installation", entry.seq),
                             "run marque audit verify");
            is_reached |= entry.seq == reaching.revision && crypto::equal(entry.seal, reaching.seal);
            known.append(leaf);
            const auto decoded = TRY(audit::decode(entry.bytes));
            followed.last = KnownLog{installation_, entry.seq, leaf, decoded.at};
            if (decoded.outcome == name_of(audit::Outcome::Refused)) continue;
            followed.touched.insert(decoded.subject);
            if (decoded.action == audit::log_acceptance) followed.acceptance = decoded.at;
        }
    }
    if (known != head.frontier) return not_the_log_that_was("the log is not the one that was known: it has forked");
    if (!is_reached) return another_server();
    return followed;
}

// In the order of Subject: what stands under something comes after it.
Result<std::vector<Verifier::Row>> Verifier::read_rows(const store::Reader& reader,
                                                       const std::set<Subject>& touched) const {
    std::vector<Row> rows;
    const auto add = [&](auto found, const Subject& subject) -> Result<void> {
        if (!found)
            return Error(Code::Corrupt, describe(subject) + " is in the log and not in the store", "run marque doctor");
        rows.emplace_back(std::move(*found));
        return {};
    };
    TRY(reader.prepare_for(touched));
    for (const Subject& subject : touched)
        TRY(std::visit(
            Overloaded{
                [&](const WorkspaceRef& ref) -> Result<void> { return add(TRY(reader.workspace(ref.name)), subject); },
                [&](const EnvironmentRef& ref) -> Result<void> {
                    return add(TRY(reader.environment(ref.workspace, ref.name)), subject);
                },
                [&](const IdentityRef& ref) -> Result<void> {
                    auto identity = TRY(reader.identity(ref.workspace, ref.name));
                    const bool cuts_otherwise = identity && index_.cuts_otherwise(ref, identity->scopes);
                    TRY(add(std::move(identity), subject));
                    if (!cuts_otherwise) return {};
                    for (Credential& credential :
                         TRY(reader.credentials(ref.workspace, ref.name, store::Listing::AsFound)))
                        rows.emplace_back(std::move(credential));
                    return {};
                },
                [&](const CredentialRef& ref) -> Result<void> { return add(TRY(reader.credential(ref.id)), subject); },
                [](const auto&) -> Result<void> { return {}; },  // no verdict rests on it
            },
            subject));
    return rows;
}

Result<void> Verifier::load(const store::Reader& reader) {
    CredentialRows rows;
    store::Visitor visitor;
    visitor.workspace = [&](const Workspace& workspace) -> Result<void> {
        index_.put(workspace);
        return {};
    };
    visitor.environment = [&](const Environment& environment) { return index_.put(environment); };
    visitor.identity = [&](const store::IdentityFacts& identity) { return index_.put(identity); };
    visitor.credential = [&](const store::CredentialFacts& credential) -> Result<void> {
        rows.add(credential);
        if (!rows.is_full()) return {};
        TRY(index_.put(rows.rows()));
        rows.clear();
        return {};
    };
    TRY(reader.visit_all(visitor));
    return index_.put(rows.rows());
}

}  // namespace marque::verify
