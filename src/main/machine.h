// main/machine.h: the real machine: its clock, kernel, files and stores.
#pragma once

#include "cli/system.h"
#include "main/ssh_signature.h"

namespace marque {

// The machine with the system's clock, or with `clock`, which outlives it.
class Machine final : public cli::System {
 public:
    Machine();
    explicit Machine(const Clock& clock);

    const Clock& clock() override { return clock_; }
    Random& random() override;
    Result<audit::Process> caller() override;
    bool owns(const std::string& folder) override;
    std::string login_name(std::uint32_t uid) override;
    Result<std::uint32_t> uid_of(const std::string& login_name) override;
    std::string default_store() override;
    Result<std::unique_ptr<store::Store>> open_store(const std::string& folder, store::SealingKey sealing_key,
                                                     const std::function<void(const std::string&)>& tell) override;
    Result<void> check_folder(const std::string& folder) override;
    Result<void> create_store(const std::string& folder, const std::string& conninfo) override;
    Result<std::unique_ptr<store::Maintenance>> open_maintenance(const std::string& folder,
                                                                 store::SealingKey sealing_key) override;
    Result<std::unique_ptr<store::Store>> open_backup(const std::string& file, store::SealingKey sealing_key) override;
    Result<std::unique_ptr<store::Maintenance>> check_backup(const std::string& file) override;
    Result<store::Moved> move_store(const cli::MoveRequest& request, store::SealingKey sealing_key,
                                    const store::MoveSteps& steps) override;
    Result<Secret> read_root_key(const std::string& folder) override;
    Result<Secret> next_root_key(const std::string& folder) override;
    Result<void> adopt_next_root_key(const std::string& folder) override;
    std::vector<cli::FileFinding> examine_files(const std::string& folder) override;
    Result<std::string> check_settings(const cli::ServeRequest& request, const std::string& folder) override;
    Result<void> serve(const cli::ServeRequest& request, const std::string& folder) override;
    Result<domain::Owner> read_owner_key(const std::string& path) override;
    const authority::OwnerSignatures& owner_signatures() override { return signatures_; }
    Result<std::string> sign_as_owner(std::string_view text, const std::string& key,
                                      std::span<const domain::Owner> owners) override;
    Result<bool> has_hook(const std::string& folder, const std::string& event) override;
    Result<bool> run_hook(const std::string& folder, const std::string& event, const std::string& json) override;
    Result<std::optional<verify::KnownLog>> known_log(const std::string& folder) override;
    Result<void> set_known_log(const std::string& folder, const verify::KnownLog& known) override;
    Result<std::optional<Instant>> last_notice(const std::string& folder, const std::string& event) override;
    Result<void> set_last_notice(const std::string& folder, const std::string& event, Instant at) override;

 private:
    const Clock& clock_;
    SshSignatures signatures_;
};

// Before anything else: no core dumps, no files for others, closed standard streams replaced,
// a broken pipe an error and not the end.
void harden_process();

}  // namespace marque
