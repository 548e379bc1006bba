// marque doctor: is this installation well? Reads everything, changes nothing.
#include <fmt/format.h>

#include "authority/keys.h"
#include "authority/log.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/log_progress.h"

namespace marque::cli {
namespace {

using namespace domain;
using authority::Authority;

struct Options {
    std::string backup;
};

enum class Health { Well, Warning, Ill };

// The findings, printed as they come.
class Examination {
 public:
    explicit Examination(Shell& shell) : shell_(shell) {}

    void add(Health health, const std::string& what) {
        if (health == Health::Ill) is_ill_ = true;
        findings_.emplace_back(audit::JsonObject{{"health", word(health)}, {"what", what}});
        if (shell_.is_json()) return;
        const Paint& paint = shell_.paint();
        const std::string mark = health == Health::Well      ? paint.good("ok     ")
                                 : health == Health::Warning ? paint.warning("warning")
                                                             : paint.bad("ILL    ");
        shell_.print(fmt::format("{}  {}\n", mark, escaped(what)));
    }
    void add(bool is_well, Health otherwise, const std::string& well, const std::string& ill) {
        add(is_well ? Health::Well : otherwise, is_well ? well : ill);
    }

    int finish() {
        if (shell_.is_json()) shell_.print_json({{"well", !is_ill_}, {"findings", std::move(findings_)}});
        return is_ill_ ? static_cast<int>(Code::Corrupt) : 0;
    }

 private:
    static const char* word(Health health) {
        return health == Health::Well ? "ok" : health == Health::Warning ? "warning" : "ill";
    }
    Shell& shell_;
    audit::JsonArray findings_;
    bool is_ill_ = false;
};

void examine_log(const authority::LogReport& report, Examination& examination) {
    if (report.is_sound())
        examination.add(Health::Well, fmt::format("the log verifies: {} entries, owners' signatures: {}", report.size,
                                                  report.signatures));
    for (const authority::LogFinding& finding : report.findings) examination.add(Health::Ill, finding.what);
}

void examine_owners(const Approvers& approvers, const std::vector<Operator>& operators, Examination& examination) {
    const auto& [owners, policy, uids] = approvers;
    if (owners.empty())
        return examination.add(Health::Warning,
                               "no owner key is registered: the gate of protected environments stays shut, and whoever "
                               "manages the installation can register the first");
    std::string names;
    for (const Owner& owner : owners)
        if (owner.operator_name) names += (names.empty() ? "; of operator " : ", ") + owner.operator_name->text();
    examination.add(Health::Well,
                    fmt::format("owner keys: {}{}; an approval needs {}", owners.size(), names, policy.quorum));
    if (policy.has_sole_owner)
        examination.add(Health::Warning,
                        "there is a sole owner, as the installation was told: who asks may approve it too");
    if (holders(approvers) == policy.quorum)
        examination.add(Health::Warning,
                        "every owner is needed for an approval: when one key is lost, the gate stays shut for ever");
    for (const Operator& one : operators)
        if (!one.is_removed && !one.grants.empty() && !can_approve_for(one.name, approvers))
            examination.add(Health::Warning,
                            fmt::format("what {} asks for can't be approved: without their own keys there are too few "
                                        "owners",
                                        one.name.text()));
}

// After a restore on another machine, accounts have other uids.
Result<void> examine_accounts(Shell& shell, const std::vector<Operator>& operators, Examination& examination) {
    const std::uint32_t uid = TRY(shell.host().caller()).uid;
    bool is_operator = false;
    std::string all;
    for (const Operator& one : operators) {
        if (one.is_removed) continue;
        if (one.uid == uid) is_operator = true;
        all += fmt::format("{}{} (uid {})", all.empty() ? "" : ", ", one.name.text(), one.uid);
        if (shell.host().login_name(one.uid).empty())
            examination.add(Health::Warning, fmt::format("operator {} has uid {}, which no account of this machine has",
                                                         one.name.text(), one.uid));
    }
    if (!is_operator)
        examination.add(Health::Warning,
                        fmt::format("uid {} is no operator, and these are: {}; if it is the account of one now, "
                                    "marque operator reassign NAME --user {}",
                                    uid, all, uid));
    return {};
}

Result<void> examine_rows(Shell& shell, const store::Reader& reader, Instant now, Examination& examination) {
    TRY(examine_accounts(shell, TRY(reader.operators()), examination));
    examine_owners(TRY(authority::approvers_of(reader)), TRY(reader.operators()), examination);
    std::size_t managers = 0;
    for (const Operator& operator_ : TRY(reader.operators()))
        if (!operator_.is_removed && authority::holds(operator_, std::nullopt, Permission::Manage)) ++managers;
    examination.add(managers > 0, Health::Ill, fmt::format("operators who manage everything: {}", managers),
                    "no operator manages the installation");
    std::size_t identities = 0, credentials = 0, pending = 0;
    for (const Workspace& workspace : TRY(reader.workspaces(store::Listing::Complete)))
        TRY(authority::for_each_identity(
            reader, workspace.name, store::Listing::Complete, [&](const Identity& identity) -> Result<bool> {
                ++identities;
                const auto view = TRY(authority::view_of(reader, workspace, identity, now));
                for (const auto& credential : view.credentials) {
                    ++credentials;
                    if (credential.state == CredentialState::Pending) ++pending;
                }
                return true;
            }));
    examination.add(Health::Well,
                    fmt::format("every row reads; identities: {}, credentials: {}", identities, credentials));
    if (pending > 0)
        examination.add(
            Health::Warning,
            fmt::format("pending credentials: {}; their commands run now, or were cut off (marque activate)", pending));
    return {};
}

Result<void> examine_clock(const store::Reader& reader, Instant now, std::uint64_t size, Examination& examination) {
    if (size == 0) return {};
    const auto entries = TRY(reader.entries(size - 1, 1));
    if (entries.empty()) return {};
    const auto newest = audit::decode(entries.front().bytes);
    if (!newest) return {};  // verify_log has said so
    examination.add(newest->at <= now + std::chrono::minutes(1), Health::Warning,
                    "the system clock is not behind the log",
                    fmt::format("the system clock is behind the log (newest entry: {}); credentials may expire late",
                                to_calendar(newest->at)));
    return {};
}

Result<void> examine_known_log(const Result<std::optional<verify::KnownLog>>& known, const store::Reader& reader,
                               Examination& examination) {
    if (!known) {
        examination.add(Health::Ill, known.error().message);
        return {};
    }
    if (!*known) return {};
    const auto continues = verify::require_continues(reader, **known);
    if (!continues && continues.error().code != Code::Corrupt) return continues.error();
    examination.add(
        continues.has_value(), Health::Ill,
        fmt::format("the log continues what this machine's verifiers knew of it: {} entries", (*known)->size),
        continues ? "" : continues.error().message + "; this machine's verifiers refuse it");
    return {};
}

Result<void> examine_verifiers(Shell& shell, Examination& examination) {
    store::Verifiers* const verifiers = TRY(shell.open_store())->verifiers();
    if (verifiers == nullptr) return {};
    const store::VerifierList list = TRY(verifiers->all());
    for (const store::VerifierRow& row : list.rows) {
        if (row.silent > store::longest_in_force(row.terms.lease))
            examination.add(Health::Warning, fmt::format("verifier {} is silent since {} s: changes wait for it",
                                                         row.terms.name, row.silent / std::chrono::seconds(1)));
        if (!row.closed.empty())
            examination.add(Health::Ill, fmt::format("verifier {} answers nobody: {}", row.terms.name, row.closed));
    }
    examination.add(Health::Well, fmt::format("verifiers that answer by a lease: {}", list.rows.size()));
    return {};
}

Result<int> examine_backup(Shell& shell, const std::string& path) {
    Examination examination(shell);
    const Secret& root_key = *TRY(shell.root_key());
    const auto backup = TRY(
        shell.stores().open_backup(path, store::SealingKey([&root_key] { return authority::log_seal_key(root_key); })));
    for (const std::string& finding : TRY(TRY(shell.stores().check_backup(path))->check()))
        examination.add(Health::Ill, finding);
    Authority& authority = *TRY(shell.authority());
    TRY(authority.view_installation([&](const Authority::Overview& live) -> Result<void> {
        return backup->read_unchecked([&](const store::Reader& reader) -> Result<void> {
            const std::string mine = TRY(authority::log_origin(live.reader)), its = TRY(authority::log_origin(reader));
            if (mine != its) return Error(Code::InvalidRequest, "the backup is of another installation");
            auto its_log = TRY(authority::verify_log(reader, root_key, std::nullopt,
                                                     log_progress(shell, "reading the backup's log"),
                                                     &shell.owner_keys().owner_signatures()));
            TRY(authority::verify_rows(reader, its_log));
            examine_log(its_log, examination);
            const audit::Checkpoint then{its, its_log.size, its_log.root};
            const auto my_log =
                TRY(authority::verify_log(live.reader, root_key, then, [](std::uint64_t, std::uint64_t) {}));
            examination.add(
                my_log.is_sound(), Health::Ill,
                fmt::format("the store goes on from it: {} entries since",
                            my_log.size - std::min(my_log.size, its_log.size)),
                my_log.is_sound() ? "" : "the store does not go on from it: " + my_log.findings.front().what);
            return {};
        });
    }));
    return examination.finish();
}

Result<int> run_doctor(Shell& shell, const Options& options) {
    if (!options.backup.empty()) return examine_backup(shell, options.backup);
    Examination examination(shell);
    for (const FileFinding& finding : shell.stores().examine_files(shell.store_folder()))
        examination.add(finding.is_well ? Health::Well : Health::Ill, finding.what);
    if (auto key = shell.root_key(); !key) {
        examination.add(Health::Ill, "without its key the rest can't be examined: " + key.error().message);
        return examination.finish();
    }
    const Secret& root_key = *TRY(shell.root_key());
    if (!Secret::are_all_locked())
        examination.add(Health::Warning,
                        "the memory of keys and tokens can't be locked and may be swapped: raise RLIMIT_MEMLOCK");
    const auto maintenance = TRY(shell.stores().open_maintenance(
        shell.store_folder(), store::SealingKey([&root_key] { return authority::log_seal_key(root_key); })));
    const auto damage = TRY(maintenance->check());
    const auto status = TRY(maintenance->status());
    if (status.backend != "sqlite")
        examination.add(
            damage.empty(), Health::Ill,
            fmt::format("the store is in {}, whose pages and indexes are its own to check", status.location),
            damage.empty() ? "" : damage.front());
    else
        examination.add(damage.empty(), Health::Ill, "the database's pages and indexes are whole",
                        damage.empty() ? "" : "the database is damaged: " + damage.front());
    if (status.schema != status.supported_schema) {
        examination.add(Health::Ill,
                        fmt::format("the store has schema {}, and this marque needs {}, so the rest can't be examined: "
                                    "back it up, then run marque store migrate --confirm",
                                    status.schema, status.supported_schema));
        return examination.finish();
    }
    // Read before the snapshot: the log that is known may move on meanwhile.
    const auto known = shell.host_files().known_log(shell.store_folder());
    TRY(TRY(shell.authority())->view_unchecked([&](const store::Reader& reader, Instant now) -> Result<void> {
        auto report = TRY(authority::verify_log(reader, root_key, std::nullopt, log_progress(shell, "reading the log"),
                                                &shell.owner_keys().owner_signatures()));
        TRY(authority::verify_rows(reader, report));
        examine_log(report, examination);
        TRY(examine_clock(reader, now, report.size, examination));
        TRY(examine_known_log(known, reader, examination));
        return examine_rows(shell, reader, now, examination);
    }));
    TRY(examine_verifiers(shell, examination));
    return examination.finish();
}

}  // namespace

void add_doctor(const Command& root, Shell& shell, Exit& exit) {
    auto options = std::make_shared<Options>();
    const Command command = root.add_command("doctor", "Examine the installation: read everything, change nothing");
    command.option("--backup", options->backup, "FILE", "Examine this backup, and that the store goes on from it");
    on_run(command, shell, exit, options, run_doctor);
}

}  // namespace marque::cli
