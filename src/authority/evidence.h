// authority/evidence.h: whether the log bears out each approval it speaks of.
//
// The log keeps who the owners were, the text that each request was for, and the signatures themselves. So what passed
// the gate can be judged again from it, by the rules of domain/approval.h, at any time and without the rows: every
// signature by a key that was an owner's then and over that text; enough of them, and in time, for every use; and
// nothing that only owners may change without a use.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "audit/entry.h"
#include "authority/owner_signatures.h"

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
    bool lives_protected(const domain::IdentityRef& identity) const;
    bool needs_owners(const audit::Entry& entry) const;
    bool has_passed(const audit::Entry& entry) const;

    const OwnerSignatures& signatures_;
    struct Use {
        std::string request, plan;  // the command that used it, and for what
    };
    domain::Approvers approvers_;
    std::set<domain::EnvironmentRef> protected_;
    // In which environment each identity lives: by a hash of its name, because a log may speak of millions.
    std::unordered_map<std::size_t, domain::EnvironmentRef> homes_;
    std::map<domain::ApprovalId, domain::Approval> open_;
    std::string init_request_;         // the command that made the installation, and registered its first owners
    std::map<std::string, Use> used_;  // by an approval's id
    std::size_t checked_ = 0;
};

}  // namespace marque::authority
