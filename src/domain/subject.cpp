#include "domain/subject.h"

#include <fmt/format.h>

#include "base/overloaded.h"

namespace marque::domain {
const char* kind_of(const Subject& subject) {
    return std::visit(Overloaded{
                          [](const InstallationRef&) { return "installation"; },
                          [](const StoreRef&) { return "store"; },
                          [](const WorkspaceRef&) { return "workspace"; },
                          [](const EnvironmentRef&) { return "environment"; },
                          [](const IdentityRef&) { return "identity"; },
                          [](const CredentialRef&) { return "credential"; },
                          [](const OperatorRef&) { return "operator"; },
                          [](const OwnerRef&) { return "owner"; },
                          [](const ApprovalRef&) { return "approval"; },
                      },
                      subject);
}

std::string describe(const Subject& subject) {
    const std::string name =
        std::visit(Overloaded{
                       [](const InstallationRef&) { return std::string(); },
                       [](const StoreRef&) { return std::string(); },
                       [](const WorkspaceRef& r) { return r.name.text(); },
                       [](const EnvironmentRef& r) { return r.name.text(); },
                       [](const IdentityRef& r) { return r.name.text(); },
                       [](const CredentialRef& r) { return fmt::format("{} of {}", r.id.text(), r.identity.text()); },
                       [](const OperatorRef& r) { return r.name.text(); },
                       [](const OwnerRef& r) { return r.fingerprint; },
                       [](const ApprovalRef& r) { return r.id.string(); },
                   },
                   subject);
    return name.empty() ? kind_of(subject) : fmt::format("{} {}", kind_of(subject), name);
}

}  // namespace marque::domain
