#include "test/reference/installation.h"

#include <fmt/format.h>

#include <unistd.h>

#include "authority/filter.h"
#include "authority/keys.h"
#include "authority/log.h"
#include "base/overloaded.h"
#include "store/sqlite/sqlite_store.h"

namespace marque::reference {

using namespace domain;
using authority::Confirmation;
using authority::Done;
using authority::Order;

namespace {

const Secret& root_key() {
    static const Secret key = Secret::copy_of(Bytes(authority::root_key_bytes, 5));
    return key;
}
const Secret& token_key() {
    static const Secret key = authority::token_key(root_key());
    return key;
}

// Somebody else's handle on the same rows.
class Shared final : public store::ForwardingStore {
 public:
    explicit Shared(store::Store& inner, Faults* faults = nullptr) : ForwardingStore(inner), faults_(faults) {}
    Result<void> read(const std::function<Result<void>(const store::Reader&)>& view) override {
        if (faults_ == nullptr) return inner_.read(view);
        return FaultyStore(inner_, *faults_).read(view);
    }

 private:
    Faults* faults_;
};

template <class Name>
Name named(const std::string& text) {
    return *Name::parse(text);
}

std::string joined(const Names& names) {
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : ",") + name;
    return text;
}

std::optional<Ending> ending_of(const End& end) {
    switch (end.kind) {
        case End::Kind::Unsaid:
            return std::nullopt;
        case End::Kind::Never:
            return Ending::never();
        case End::Kind::After:
            return Ending::after(Duration(end.value));
        case End::Kind::At:
            return Ending::at(Instant(Duration(end.value)));
    }
    return std::nullopt;
}

Grant grant_of(const std::pair<std::string, std::string>& grant) {
    return {grant.first.empty() ? std::nullopt : std::optional(named<WorkspaceName>(grant.first)),
            *parse_permission(grant.second)};
}

Owner owner_of(const std::string& key, const std::string& holder) {
    return {key, "ssh-ed25519 " + key, "", holder.empty() ? std::nullopt : std::optional(named<OperatorName>(holder))};
}

Confirmation confirmation_of(const Command& command) {
    switch (command.confirm) {
        case Command::Confirm::None:
            return Confirmation::none();
        case Command::Confirm::DryRun:
            return Confirmation::dry_run();
        case Command::Confirm::Yes:
            return *Confirmation::parse("");
        case Command::Confirm::Count:
            return *Confirmation::parse(std::to_string(command.count));
        case Command::Confirm::Digest:
            return *Confirmation::parse(command.digest);
    }
    return Confirmation::none();
}

authority::CreateRequest request_of(const NewIdentity& one) {
    return {named<IdentityName>(one.name),
            named<EnvironmentName>(one.environment),
            *parse_kind(one.kind),
            *ScopeSet::parse(joined(one.scopes)),
            ending_of(one.expires),
            "",
            one.labels};
}

authority::Target target_of(const Command& command, const std::string& token) {
    switch (command.target) {
        case Command::Target::NameOrId:
            return authority::ByNameOrId{command.name};
        case Command::Target::Token:
            return authority::ByToken{Secret::copy_of(bytes_of(token))};
        case Command::Target::Environment:
            return named<EnvironmentName>(command.name);
        case Command::Target::Workspace:
            return named<WorkspaceName>(command.name);
        case Command::Target::Filter:
            break;
    }
    authority::Filter filter;
    for (const auto& [key, value] : command.filter) (void)filter.add(key + "=" + value);
    return filter;
}

Outcome outcome_of(const Result<Done>& done) {
    Outcome outcome;
    if (!done) {
        outcome.code = done.error().code;
        outcome.words = done.error().message;
        switch (done.error().code) {
            case Code::InvalidRequest:
                outcome.exit = Exit::Invalid;
                break;
            case Code::StateRefuses:
                outcome.exit = Exit::RefusedByState;
                break;
            case Code::PermissionDenied:
                outcome.exit = Exit::PermissionDenied;
                break;
            case Code::ApprovalNeeded:
                outcome.exit = Exit::ApprovalNeeded;
                break;
            case Code::NotFound:
                outcome.exit = Exit::NotFound;
                break;
            case Code::Unavailable:
            case Code::OutcomeUnknown:
                if (outcome.words.contains(", and its credential ")) outcome.exit = Exit::Undelivered;
                break;
            default:
                break;
        }
        return outcome;
    }
    switch (done->progress) {
        case authority::Progress::Shown:
            outcome.exit = Exit::Shown;
            break;
        case authority::Progress::Applied:
            outcome.exit = Exit::Done;
            break;
        case authority::Progress::AlreadySo:
            outcome.exit = Exit::AlreadySo;
            break;
        case authority::Progress::AwaitsApproval:
            outcome.exit = Exit::Asked;
            break;
    }
    if (outcome.exit != Exit::AlreadySo) outcome.digest = done->plan.digest();
    outcome.approval = done->approval;
    outcome.is_request_new = done->is_asked_anew;
    return outcome;
}

}  // namespace

Installation::Installation(Backend backend, std::uint64_t seed)
    : backend_(backend), random_(seed ^ 0x5851F42D4C957F2D), hasher_(token_key()) {
    if (backend_ == Backend::Sqlite) {
        static std::atomic<int> made = 0;
        folder_ = std::filesystem::temp_directory_path() / fmt::format("marque-reference-{}-{}", ::getpid(), ++made);
        std::filesystem::create_directory(folder_);
        std::filesystem::permissions(folder_, std::filesystem::perms::owner_all);
        (void)store::sqlite::SqliteStore::create(folder_ / "marque.db");
    } else {
        disk_ = std::make_unique<store::memory::MemoryStore>(authority::log_seal_key(root_key()));
    }
    open();
}

Installation::~Installation() {
    verifier_.reset();
    disk_.reset();
    if (!folder_.empty()) std::filesystem::remove_all(folder_);
}

void Installation::open() {
    if (backend_ == Backend::Sqlite)
        disk_ = store::sqlite::SqliteStore::open(folder_ / "marque.db",
                                                 store::SealingKey([] { return authority::log_seal_key(root_key()); }))
                    .release();
    faulty_ = std::make_unique<FaultyStore>(*disk_, faults);
    restart_verifier();
}

void Installation::restart_process() {
    operators_.clear();
    verifier_.reset();
    faulty_.reset();
    if (backend_ == Backend::Sqlite) disk_.reset();
    open();
}

void Installation::restart_verifier() {
    const auto open_store = [this]() -> Result<std::unique_ptr<store::Store>> {
        if (backend_ == Backend::Memory) return std::make_unique<Shared>(*disk_, &faults);
        verifiers_disk_ = TRY(store::sqlite::SqliteStore::open(
            folder_ / "marque.db", store::SealingKey([] { return authority::log_seal_key(root_key()); })));
        // How often it reads depends on the file's time stamps, so that a fault there would not replay.
        return std::make_unique<Shared>(*verifiers_disk_);
    };
    verifier_.reset();
    verifiers_disk_.reset();
    verifier_ = std::make_unique<verify::Verifier>(open_store, authority::log_seal_key(root_key()), clock,
                                                   [](const verify::Notice&) {});
}

authority::Authority& Installation::as(std::uint32_t uid) {
    auto& found = operators_[uid];
    if (!found) {
        audit::Process process;
        process.uid = uid;
        found = std::make_unique<authority::Authority>(*faulty_, clock, random_, root_key(), signatures, process);
    }
    return *found;
}

Outcome Installation::init(const std::string& operator_name, std::uint32_t uid,
                           const std::map<std::string, std::string>& owners, bool has_sole_owner) {
    authority::InitRequest request{
        named<OperatorName>(operator_name), named<WorkspaceName>("default"), {}, has_sole_owner};
    for (const auto& [key, holder] : owners) request.owners.push_back(owner_of(key, holder));
    return outcome_of(as(uid).init(request, *Confirmation::parse("")));
}

Outcome Installation::run(const Command& c, authority::Delivery& delivery, const std::string& token,
                          const std::string& request_text) {
    using enum Command::Kind;
    Order order;
    if (!c.workspace.empty()) order.workspace = named<WorkspaceName>(c.workspace);
    order.confirmation = confirmation_of(c);
    order.reason = c.reason;
    if (!c.approval.empty()) order.approval = named<ApprovalId>(c.approval);
    authority::Authority& who = as(c.uid);
    const auto call = [&]() -> Result<Done> {
        switch (c.kind) {
            case Create: {
                std::vector<authority::CreateRequest> requests;
                for (const NewIdentity& one : c.identities) requests.push_back(request_of(one));
                return who.create(requests, order, delivery);
            }
            case Issue: {
                authority::IssueRequest request{named<IdentityName>(c.name), {}, ending_of(c.expires)};
                if (c.scopes) request.scopes = *ScopeSet::parse(joined(*c.scopes));
                return who.issue(request, order, delivery);
            }
            case Rotate: {
                authority::RotateRequest request{c.name};
                request.old_credential = c.mode == "compromised"  ? OldCredential::IsRevoked
                                         : c.mode == "until-used" ? OldCredential::RetiresWhenNewIsUsed
                                                                  : OldCredential::RetiresAfterOverlap;
                if (c.overlap) request.overlap = Duration(*c.overlap);
                request.expires = ending_of(c.expires);
                return who.rotate(request, order, delivery);
            }
            case Activate:
                return who.activate(Secret::copy_of(bytes_of(token)), order);
            case Pause:
                return who.pause(target_of(c, token), ending_of(c.until), order);
            case Resume:
                return who.resume(target_of(c, token), order);
            case Revoke:
                return who.revoke(target_of(c, token), order);
            case WorkspaceAdd:
                return who.add_workspace(named<WorkspaceName>(c.name), order);
            case WorkspaceRemove:
                return who.remove_workspace(named<WorkspaceName>(c.name), order);
            case EnvironmentAdd: {
                authority::EnvironmentRequest request{named<EnvironmentName>(c.name)};
                if (c.is_protected) request.protection = Protection::Protected;
                if (c.max_lifetime) request.max_lifetime = Duration(*c.max_lifetime);
                return who.add_environment(request, order);
            }
            case EnvironmentRemove:
                return who.remove_environment(named<EnvironmentName>(c.name), order);
            case Protect:
                return who.set_protection(named<EnvironmentName>(c.name), Protection::Protected, order);
            case Unprotect:
                return who.set_protection(named<EnvironmentName>(c.name), Protection::Open, order);
            case OperatorAdd: {
                std::vector<domain::Grant> grants;
                for (const auto& grant : c.grants) grants.push_back(grant_of(grant));
                return who.add_operator(named<OperatorName>(c.name), c.new_uid, grants, order);
            }
            case OperatorRemove:
                return who.remove_operator(named<OperatorName>(c.name), order);
            case Grant:
                return who.grant(named<OperatorName>(c.name), grant_of(*c.grants.begin()), order);
            case Withdraw:
                return who.withdraw(named<OperatorName>(c.name), grant_of(*c.grants.begin()), order);
            case OwnerAdd:
                return who.add_owner(owner_of(c.name, c.holder), order);
            case OwnerRemove:
                return who.remove_owner(c.name, order);
            case Policy:
                return who.set_policy({c.quorum, c.sole_owner}, order);
            case Sign:
                return who.sign_approval(named<ApprovalId>(c.name),
                                         PlainSignatures::by(owner_of(c.signer, ""), request_text), order);
            case Deny:
                return who.deny_approval(named<ApprovalId>(c.name), order);
            case WithdrawRequest:
                return who.withdraw_approval(named<ApprovalId>(c.name), order);
        }
        return Error(Code::Unexpected, "no such command");
    };
    return outcome_of(call());
}

Result<std::string> Installation::listing() {
    return store::read_from(*disk_, [&](const store::Reader& reader) -> Result<std::string> {
        std::vector<std::string> lines;
        const auto micros = [](Instant at) { return at.time_since_epoch().count(); };
        const Instant now = clock.now();
        std::map<CredentialId, std::string> credentials;
        std::string environments, identities, text;
        auto workspaces = TRY(reader.workspaces(store::Listing::Complete));
        std::ranges::sort(workspaces, {}, &Workspace::name);
        for (const Workspace& workspace : workspaces) {
            const std::string& name = workspace.name.text();
            text += fmt::format("workspace {} {}\n", name, name_of(standing_at(workspace.condition, now)));
            auto places = TRY(reader.environments(workspace.name, store::Listing::Complete));
            std::ranges::sort(places, {}, &Environment::name);
            for (const Environment& one : places)
                environments += fmt::format("environment {} {} {} {}\n", name, one.name.text(),
                                            name_of(standing_at(one.condition, now)),
                                            one.protection == Protection::Protected ? "protected" : "open");
            TRY(authority::for_each_identity(
                reader, workspace.name, store::Listing::Complete, [&](const Identity& one) -> Result<bool> {
                    const authority::IdentityView view = TRY(authority::view_of(reader, workspace, one, now));
                    identities += fmt::format("identity {} {} {} {}\n", name, one.name.text(), name_of(view.own_state),
                                              one.environment.text());
                    for (const authority::CredentialView& c : view.credentials)
                        credentials[c.credential.id] = fmt::format(
                            "credential {} {} {} {} {} {} {} last {}\n", c.credential.id.string(), name,
                            one.name.text(), name_of(c.state), c.credential.scopes.text(),
                            c.credential.expires_at ? std::to_string(micros(*c.credential.expires_at)) : "never",
                            c.last_use ? c.last_use->count : 0, c.last_use ? micros(c.last_use->at) : 0);
                    return true;
                }));
        }
        text += environments + identities;
        std::map<std::string, std::string> by_id;
        for (const auto& [id, line] : credentials) by_id[id.string()] = line;
        for (const auto& [id, line] : by_id) text += line;
        auto people = TRY(reader.operators());
        std::ranges::sort(people, {}, &Operator::name);
        for (const Operator& one : people) {
            std::set<std::pair<std::string, std::string>> grants;
            for (const Grant& grant : one.grants)
                grants.emplace(grant.workspace ? grant.workspace->text() : "",
                               grant.permission == Permission::View ? "view" : "manage");
            text += fmt::format("operator {} {} {} ", one.name.text(), one.uid, one.is_removed ? "removed" : "there");
            for (const auto& [where, permission] : grants) text += fmt::format("{}:{},", where, permission);
            text += "\n";
        }
        const Approvers approvers = TRY(authority::approvers_of(reader));
        auto owners = approvers.owners;
        std::ranges::sort(owners, {}, &Owner::fingerprint);
        for (const Owner& one : owners)
            text += fmt::format("owner {} {}\n", one.fingerprint, one.operator_name ? one.operator_name->text() : "");
        std::map<std::string, std::string> requests;
        for (const Approval& one : TRY(reader.approvals(std::nullopt, 1'000'000, store::Listing::Complete)))
            requests[one.id.string()] =
                fmt::format("request {} {} {} {}\n", one.id.string(), one.requester.text(),
                            name_of(state_at(one, approvers, now)), count_of(counting(one, approvers)));
        for (const auto& [id, line] : requests) text += line;
        return text + fmt::format("policy {} {}\n", approvers.policy.quorum,
                                  approvers.policy.has_sole_owner ? "sole" : "several");
    });
}

std::optional<std::string> Installation::check_log() {
    const auto report = store::read_from(*disk_, [&](const store::Reader& reader) {
        return authority::verify_log(
            reader, root_key(), std::nullopt, [](std::uint64_t, std::uint64_t) {}, &signatures);
    });
    if (!report) return report.error().message;
    if (report->is_sound()) return std::nullopt;
    return fmt::format("entry {}: {}", report->findings.front().seq, report->findings.front().what);
}

}  // namespace marque::reference
