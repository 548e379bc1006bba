// test/leased_store.h: a memory store with rows for verifiers, and a clock that moves when it is told to or waited on.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "store/memory/memory_store.h"
#include "test/fixed.h"

namespace marque {

class MovingClock final : public Clock {
 public:
    Instant now() const override { return t0 + passed_; }
    Duration since_boot() const override { return passed_; }
    void pass(Duration time) { passed_ += time; }

 private:
    Duration passed_ = std::chrono::hours(1);
};

class MemoryVerifiers final : public store::Verifiers {
 public:
    MemoryVerifiers(store::memory::MemoryStore& store, MovingClock& clock) : store_(store), clock_(clock) {}

    Result<std::string> add(const store::VerifierTerms& terms) override {
        TRY(ask("add"));
        const std::string id = "v" + std::to_string(++made_);
        rows[id].id = id;
        rows[id].terms = terms;
        return id;
    }
    Result<std::optional<store::Renewal>> renew(const std::string& id) override {
        TRY(ask("renew"));
        const auto found = rows.find(id);
        if (found == rows.end() || found->second.is_fenced) return std::nullopt;
        ++found->second.renewals;
        return store::Renewal{store_.rows.entries.size(), store_.rows.entries.back().seal};
    }
    Result<void> acknowledge(const std::string& id, domain::Revision revision, const audit::Digest& seal) override {
        TRY(ask("acknowledge"));
        const auto& entries = store_.rows.entries;
        if (rows.contains(id) && revision <= entries.size() && entries[revision - 1].seal == seal)
            rows[id].acknowledged = revision;
        return {};
    }
    Result<void> tell_closed(const std::string& id, const std::string& why) override {
        TRY(ask("tell_closed"));
        if (rows.contains(id)) rows[id].closed = why;
        return {};
    }
    Result<store::VerifierList> all() override {
        TRY(ask("all"));
        store::VerifierList list{store_.rows.head.frontier.size(), has_change, {}};
        for (const auto& [id, row] : rows) list.rows.push_back(row);
        return list;
    }
    Result<void> fence(const std::string& id) override {
        TRY(ask("fence"));
        if (rows.contains(id)) rows[id].is_fenced = true;
        return {};
    }
    Result<void> remove(const std::string& id) override {
        TRY(ask("remove"));
        rows.erase(id);
        return {};
    }
    Result<bool> wait_for_change(Duration longest) override {
        clock_.pass(longest);
        return false;
    }
    void pause(Duration time) override {
        clock_.pass(time);
        if (while_paused) while_paused();
    }

    std::map<std::string, store::VerifierRow> rows;
    std::vector<std::string> calls;
    bool is_away = false, has_change = true;
    std::function<void()> while_paused, before_read;
    std::function<void(const char*)> before_each;

 private:
    Result<void> ask(const char* what) {
        calls.emplace_back(what);
        if (before_each) before_each(what);
        if (is_away) return Error(Code::Unavailable, "away");
        return {};
    }

    store::memory::MemoryStore& store_;
    MovingClock& clock_;
    int made_ = 0;
};

// What a process opens: the rows and the verifiers are another's.
class LeasedStore final : public store::Store {
 public:
    LeasedStore(store::memory::MemoryStore& store, MemoryVerifiers& verifiers) : store_(store), verifiers_(verifiers) {}

    Result<void> read(const std::function<Result<void>(const store::Reader&)>& view) override {
        if (verifiers_.is_away) return Error(Code::Unavailable, "away");
        if (verifiers_.before_read) verifiers_.before_read();
        return store_.read(view);
    }
    Result<domain::Revision> change(const store::Decide& decide) override { return store_.change(decide); }
    Result<void> record_uses(std::span<const store::Use> uses, std::span<const store::RefusedUse> refused) override {
        return store_.record_uses(uses, refused);
    }
    Result<void> mark() override { return Error(Code::Unexpected, "a verifier with a lease marks nothing"); }
    Result<bool> is_as_marked() const override { return Error(Code::Unexpected, "and does not look"); }
    Result<void> examine() override { return {}; }
    store::Verifiers* verifiers() override { return &verifiers_; }

 private:
    store::memory::MemoryStore& store_;
    MemoryVerifiers& verifiers_;
};

}  // namespace marque
