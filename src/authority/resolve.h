// authority/resolve.h: from what a person typed to the thing that is meant.
#pragma once

#include <variant>

#include "domain/entities.h"
#include "store/store.h"

namespace marque::authority {

using Resolved = std::variant<domain::Identity, domain::Credential>;

// An identity of the workspace by its name, or a credential of it by its id; an identity is
// never named like an id, so it can't be both. Errors: NotFound with the closest name as a
// hint; InvalidRequest when it can be neither.
Result<Resolved> resolve(const store::Reader& reader, const domain::WorkspaceName& workspace, std::string_view text);

// Errors: NotFound, with a hint.
Result<domain::Identity> require_identity(const store::Reader& reader, const domain::WorkspaceName& workspace,
                                          const domain::IdentityName& name);
Result<domain::Environment> require_environment(const store::Reader& reader, const domain::WorkspaceName& workspace,
                                                const domain::EnvironmentName& name);

// The hint of a NotFound: the closest of `names`, or else `otherwise`.
std::string did_you_mean(const std::string& word, const std::vector<std::string>& names, const char* otherwise);

domain::CredentialRef ref_of(const domain::Credential& credential);
domain::IdentityRef ref_of(const domain::Identity& identity);

}  // namespace marque::authority
