// authority/plan.h: what a command would do, in a form that can be shown, digested and confirmed.
//
// A dry run makes the very plan that the real run makes, inside the same checks; the only
// difference is that nobody writes it down (invariant 9). The digest covers who asks, what for,
// and every row's state and revision before; it leaves out what changes by itself (the time,
// last uses) and what isn't decided yet (random ids), so that the plan shown a minute ago and
// the plan now have one digest exactly when they mean the same.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "audit/entry.h"
#include "audit/json.h"
#include "domain/entities.h"
#include "domain/subject.h"

namespace marque::authority {

// One subject, before and after; an empty object for what is not there.
struct PlannedChange {
    domain::Subject subject;
    audit::JsonObject before;
    audit::JsonObject after;
};

// Returns a record as a plan shows it when only its revision matters.
inline audit::JsonObject revision_json(domain::Revision revision) {
    return {{"revision", revision}};
}

// A credential that works now and would stop.
struct Stop {
    domain::CredentialRef credential;
    std::optional<domain::LastUse> last_use;
};

struct Plan {
    std::string action;  // as typed: "revoke"
    std::string requester;
    std::string installation;
    audit::JsonObject request;  // what was asked for, normalised
    std::vector<PlannedChange> changes;
    std::vector<std::string> notes;  // what the operator should know besides

    // The caller's uid, if no operator has it. `requester` is then the operator that the caller wants to become.
    std::optional<std::uint32_t> unknown_uid;

    // Whom it is about, known as soon as that is: a refusal is recorded under it.
    domain::Subject about = domain::InstallationRef{};

    std::vector<Stop> stops;
    bool are_stops_complete = true;  // false: there are more than are listed

    bool is_bulk = false;   // then a bare --confirm is not enough
    std::size_t count = 1;  // of what --confirm=COUNT counts

    // Set when it needs an owner's approval: what for, in words.
    std::optional<std::string> gate;
    bool awaits_approval = false;  // it would be done, but for that

    // Another reason for the gate, beside those there are.
    void stop_at_gate(const std::string& why);

    // What would be written. Empty: everything is so already.
    std::vector<audit::Event> events;

    // What is digested, as canonical JSON.
    std::string canonical() const;
    // SHA-256 of the canonical form, 64 hexadecimal characters.
    std::string digest() const;
    audit::JsonObject to_json() const;
};

// {"state":"active","scopes":["a:b"]} as "active, scopes a:b": canonical JSON is for machines. Escaped; without the
// revisions, which tell nobody anything.
std::string in_words(const audit::JsonObject& object);
std::string in_words(const audit::Json& value);

// How far a command may go.
class Confirmation {
 public:
    // The shortest part of a digest that is taken for it.
    static constexpr std::size_t shortest_digest = 12;

    static Confirmation none() { return Confirmation(Kind::None); }
    static Confirmation dry_run() { return Confirmation(Kind::DryRun); }
    // The value of --confirm: empty, a count, or a digest or its first 12 or more characters.
    // Errors: InvalidRequest.
    static Result<Confirmation> parse(std::string_view value);

    bool is_dry_run() const { return kind_ == Kind::DryRun; }
    bool is_given() const { return kind_ != Kind::None && kind_ != Kind::DryRun; }
    // Whether this plan is what was confirmed. Errors: NotConfirmed.
    Result<void> check(const Plan& plan) const;

 private:
    enum class Kind { None, DryRun, Yes, Count, Digest };
    explicit Confirmation(Kind kind) : kind_(kind) {}
    Kind kind_;
    std::size_t count_ = 0;
    std::string digest_;
};

}  // namespace marque::authority
