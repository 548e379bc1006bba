// The one path of everything that only looks: authorise, and show a snapshot; a refusal leaves an entry.
#include "authority/authority.h"
#include "authority/resolve.h"

namespace marque::authority {

using namespace domain;

namespace {

// Of what was only to be looked at: the rest of refusals says nothing that is worth keeping.
bool is_denial(const Error& error) {
    return error.code == Code::PermissionDenied || !error.tampered.empty();
}

}  // namespace

Result<void> Authority::view_workspace(const std::optional<WorkspaceName>& workspace,
                                       const std::function<Result<void>(const Sight&)>& view) {
    auto result = store_.read([&](const store::Reader& reader) -> Result<void> {
        const Operator who = TRY(authorise(reader, false, workspace, Permission::View));
        const Workspace chosen = TRY(choose_workspace(reader, who, workspace));
        TRY(authorise(reader, false, chosen.name, Permission::View));
        return view(Sight{reader, who, chosen, clock_.now()});
    });
    if (!result && is_denial(result.error())) {
        const Subject subject = workspace ? Subject(WorkspaceRef{*workspace}) : Subject(InstallationRef{});
        record_refusal("workspace.view", subject, {}, result.error());
    }
    return result;
}

Result<void> Authority::view_by_token(const std::optional<WorkspaceName>& workspace, const Secret& token,
                                      const std::function<Result<void>(const Sight&, const Credential&)>& view) {
    Subject subject = InstallationRef{};
    auto result = store_.read([&](const store::Reader& reader) -> Result<void> {
        const Operator who = TRY(authorise(reader, false, workspace, Permission::View));
        const Credential credential = TRY(find_by_token(reader, token.reveal_text()));
        subject = ref_of(credential);
        const Workspace place = TRY(workspace_of_token(reader, who, credential, workspace, Permission::View));
        return view(Sight{reader, who, place, clock_.now()}, credential);
    });
    if (!result && is_denial(result.error())) record_refusal("workspace.view", subject, {}, result.error());
    return result;
}

Result<void> Authority::view_permitted(const std::function<Result<void>(const Overview&)>& view) {
    auto result = store_.read([&](const store::Reader& reader) -> Result<void> {
        const Operator who = TRY(viewer(reader, false));
        return view(Overview{reader, who, clock_.now()});
    });
    if (!result && is_denial(result.error())) record_refusal("approval.view", InstallationRef{}, {}, result.error());
    return result;
}

Result<void> Authority::view_unchecked(const std::function<Result<void>(const store::Reader&, Instant now)>& view) {
    auto allowed = store_.read([&](const store::Reader& reader) -> Result<void> {
        TRY(viewer(reader, true));
        return {};
    });
    if (!allowed && is_denial(allowed.error()))
        record_refusal("installation.view", InstallationRef{}, {}, allowed.error());
    if (!allowed && allowed.error().tampered.empty()) return allowed;
    return store_.read_unchecked([&](const store::Reader& reader) { return view(reader, clock_.now()); });
}

Result<void> Authority::view_installation(const std::function<Result<void>(const Overview&)>& view) {
    auto result = store_.read([&](const store::Reader& reader) -> Result<void> {
        const Operator who = TRY(authorise(reader, true, std::nullopt, Permission::View));
        return view(Overview{reader, who, clock_.now()});
    });
    if (!result && is_denial(result.error()))
        record_refusal("installation.view", InstallationRef{}, {}, result.error());
    return result;
}

}  // namespace marque::authority
