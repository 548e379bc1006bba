// authority/evidence.h: whether the log bears out each approval it speaks of.
//
// The log keeps who the owners were, the text that each request was for, and the signatures themselves. So what passed
// the gate can be judged again from it, by the rules of domain/approval.h, at any time and without the rows: every
// signature by a key that was an owner's then and over that text; enough of them, and in time, for every use; and
// nothing that only owners may change without a use. What comes back when something is resumed has to be, besides, what
// the signed text says.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "audit/entry.h"
#include "authority/owner_signatures.h"
#include "authority/powers.h"

namespace marque::authority {

class Evidence {
 public:
    // Outlived by `signatures`.
    explicit Evidence(const OwnerSignatures& signatures) : signatures_(signatures) {}

    // What is wrong with the entry, or nothing. Entries come in their order, all of them. Errors: Unavailable when
    // OpenSSH can't be asked.
    Result<std::optional<std::string>> add(const audit::Entry& entry);

    std::size_t signatures() const { return checked_; }

 private:
    using Finding = std::optional<std::string>;
    Finding add_request(const audit::Entry& entry, const domain::ApprovalId& id);
    Result<Finding> add_signature(const audit::Entry& entry, domain::Approval& approval);
    Finding add_use(const audit::Entry& entry, const domain::Approval& approval);
    void add_owners(const audit::Entry& entry);
    void add_places(const audit::Entry& entry);
    void add_identity(const audit::Entry& entry, const domain::IdentityRef& identity);
    void add_pause(const audit::Entry& entry);
    bool lives_protected(const domain::IdentityRef& identity) const;
    std::vector<Power> back_with(const domain::Subject& subject) const;
    bool is_behind_the_gate(const domain::Subject& subject) const;
    bool shortens_a_pause(const audit::Entry& entry) const;
    bool needs_owners(const audit::Entry& entry) const;
    bool has_passed(const audit::Entry& entry) const;
    bool is_what_was_signed(const audit::Entry& entry) const;

    const OwnerSignatures& signatures_;
    struct Use {
        std::string request, plan;  // the command that used it, and for what
    };
    domain::Approvers approvers_;
    std::set<domain::EnvironmentRef> protected_;
    // A log may speak of millions of identities, and of few environments and sets of scopes: those are said once.
    class Texts {
     public:
        std::uint32_t number_of(const std::string& text);
        const std::string& operator[](std::uint32_t number) const { return *texts_[number]; }

     private:
        std::map<std::string, std::uint32_t> numbers_;
        std::vector<const std::string*> texts_;
    };
    struct Home {
        std::uint32_t environment, scopes;
        bool is_revoked = false;
    };
    Texts texts_;
    std::map<domain::WorkspaceName, std::map<domain::IdentityName, Home>> homes_;
    std::map<domain::CredentialId, std::uint32_t> scopes_;  // of credentials with other scopes than their identity's
    std::map<domain::Subject, std::optional<Instant>> paused_;  // until when
    std::map<domain::ApprovalId, domain::Approval> open_;
    std::string init_request_;           // the command that made the installation, and registered its first owners
    std::map<std::string, Use> used_;    // by an approval's id
    std::string last_used_, last_text_;  // the approval that was used last, and what was signed
    std::size_t checked_ = 0;
};

}  // namespace marque::authority
