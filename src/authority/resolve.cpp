#include "authority/resolve.h"

#include "base/text.h"

namespace marque::authority {

using namespace domain;

namespace {

constexpr std::size_t suggestion_candidates = 2000;

}  // namespace

std::string did_you_mean(const std::string& word, const std::vector<std::string>& names, const char* otherwise) {
    const std::string best = closest(word, names);
    return best.empty() ? otherwise : "did you mean " + best + "?";
}

Result<Identity> require_identity(const store::Reader& reader, const WorkspaceName& workspace,
                                  const IdentityName& name) {
    if (auto identity = TRY(reader.identity(workspace, name))) return std::move(*identity);
    std::vector<std::string> names;
    for (const Identity& identity :
         TRY(reader.identities(workspace, std::nullopt, suggestion_candidates, store::Listing::AsFound)))
        names.push_back(identity.name.text());
    return Error(Code::NotFound, "there is no identity " + name.text() + " in workspace " + workspace.text(),
                 did_you_mean(name.text(), names, "see marque list"));
}

Result<Environment> require_environment(const store::Reader& reader, const WorkspaceName& workspace,
                                        const EnvironmentName& name) {
    if (auto environment = TRY(reader.environment(workspace, name))) return std::move(*environment);
    std::vector<std::string> names;
    for (const Environment& environment : TRY(reader.environments(workspace, store::Listing::AsFound)))
        names.push_back(environment.name.text());
    return Error(Code::NotFound, "there is no environment " + name.text() + " in workspace " + workspace.text(),
                 did_you_mean(name.text(), names, "see marque environment list"));
}

Result<Resolved> resolve(const store::Reader& reader, const WorkspaceName& workspace, std::string_view text) {
    if (const auto id = CredentialId::parse(text)) {
        auto credential = TRY(reader.credential(*id));
        // Looked up together with its owner: an id of another workspace is not there.
        if (credential && credential->workspace == workspace) return std::move(*credential);
        return Error(Code::NotFound,
                     "there is no credential " + std::string(text) + " in workspace " + workspace.text(),
                     "see marque list");
    }
    return TRY(require_identity(reader, workspace, TRY(IdentityName::parse(text))));
}

CredentialRef ref_of(const Credential& credential) {
    return {credential.workspace, credential.identity, credential.id};
}

IdentityRef ref_of(const Identity& identity) {
    return {identity.workspace, identity.name};
}

}  // namespace marque::authority
