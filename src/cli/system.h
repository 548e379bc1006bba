// cli/system.h: what the commands need of the machine, by what it is needed for. main/machine.h has the real one;
// nothing in cli/ opens a store, reads a clock or asks the kernel by itself. For one thread at a time, as a command is.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "audit/entry.h"
#include "authority/owner_signatures.h"
#include "base/random.h"
#include "base/secret.h"
#include "base/time.h"
#include "domain/entities.h"
#include "store/maintenance.h"
#include "store/sealing_key.h"
#include "store/store.h"
#include "verify/known_log.h"

namespace marque::cli {

struct FileFinding {
    bool is_well = true;
    std::string what;
};

// What `marque serve` was told.
struct ServeRequest {
    std::string config;                  // file; empty: none
    std::vector<std::string> overrides;  // key=value
};

// Absolute paths. `conninfo` is libpq's connection string; empty: the new store is in its folder itself.
struct MoveRequest {
    std::string from, to, conninfo;
};

// The host and its accounts.
class Host {
 public:
    virtual ~Host() = default;
    virtual const Clock& clock() = 0;
    virtual Random& random() = 0;
    // Returns the calling process as the kernel tells it. Errors: PermissionDenied (set-user-id).
    virtual Result<audit::Process> caller() = 0;
    // Returns true if the folder exists and belongs to the caller.
    virtual bool owns(const std::string& folder) = 0;
    // Returns the account's name, or an empty string if the uid has no account.
    virtual std::string login_name(std::uint32_t uid) = 0;
    // Errors: NotFound when no account has that name; Unavailable.
    virtual Result<std::uint32_t> uid_of(const std::string& login_name) = 0;
};

// The stores in folders. Errors of all: Unavailable, Corrupt, PermissionDenied.
class Stores {
 public:
    virtual ~Stores() = default;
    // Returns the folder that is used without --store and MARQUE_STORE.
    virtual std::string default_store() = 0;
    // `tell` is called with the reason when a change, which stands, could not be remembered
    // (verify/remembering_store.h).
    virtual Result<std::unique_ptr<store::Store>> open_store(const std::string& folder, store::SealingKey sealing_key,
                                                             const std::function<void(const std::string&)>& tell) = 0;
    // Checks that a store may be made there. Errors: InvalidRequest, StateRefuses (open to others, or its key is gone).
    virtual Result<void> check_folder(const std::string& folder) = 0;
    // Makes an empty store and its root key, or finishes what an interrupted call left. `conninfo` is libpq's
    // connection string; empty: the store is in the folder itself.
    virtual Result<void> create_store(const std::string& folder, const std::string& conninfo) = 0;
    virtual Result<std::unique_ptr<store::Maintenance>> open_maintenance(const std::string& folder,
                                                                         store::SealingKey sealing_key) = 0;
    virtual Result<std::unique_ptr<store::Store>> open_backup(const std::string& file,
                                                              store::SealingKey sealing_key) = 0;
    virtual Result<std::unique_ptr<store::Maintenance>> check_backup(const std::string& file) = 0;
    // Moves the store in a folder into a new folder, and closes the old one (store/sql/move.h). Errors: those of
    // `steps`; StateRefuses, PermissionDenied, Unavailable, Corrupt: it is where it was; OutcomeUnknown: repeat it.
    virtual Result<store::Moved> move_store(const MoveRequest& request, store::SealingKey sealing_key,
                                            const store::MoveSteps& steps) = 0;
    // Returns what is to be said of the owners and modes of the store's folder and files.
    virtual std::vector<FileFinding> examine_files(const std::string& folder) = 0;
};

// The root key of a store, and the one that is to follow it. Errors: those of the files.
class RootKeys {
 public:
    virtual ~RootKeys() = default;
    virtual Result<Secret> read_root_key(const std::string& folder) = 0;
    // Returns the key that is to be the next one: the one that an interrupted rotation left, or a new one. It is
    // durable.
    virtual Result<Secret> next_root_key(const std::string& folder) = 0;
    // Puts the next key in the place of the present one.
    virtual Result<void> adopt_next_root_key(const std::string& folder) = 0;
};

// Owners' SSH keys, and OpenSSH, which checks them.
class OwnerKeys {
 public:
    virtual ~OwnerKeys() = default;
    // Reads an OpenSSH public key. Errors: InvalidRequest, Unavailable.
    virtual Result<domain::Owner> read_owner_key(const std::string& path) = 0;
    virtual const authority::OwnerSignatures& owner_signatures() = 0;
    // Signs `text` as one of `owners`, with the key file `key`, or with whichever of theirs is in ~/.ssh or held by
    // the agent. OpenSSH asks for passphrases and touches by itself. Errors: InvalidRequest, NotFound, Unavailable.
    virtual Result<std::string> sign_as_owner(std::string_view text, const std::string& key,
                                              std::span<const domain::Owner> owners) = 0;
};

// The programs that hooks.toml names.
class Hooks {
 public:
    virtual ~Hooks() = default;
    // Returns true if the store in `folder` has a hook for `event`. Errors: those of reading hooks.toml.
    virtual Result<bool> has_hook(const std::string& folder, const std::string& event) = 0;
    // Runs the hook for `event`, with `json` on its standard input, and stops it after some seconds. Returns false if
    // the store has no hook for it. Errors: those of starting the program; Unavailable when it fails or is stopped.
    virtual Result<bool> run_hook(const std::string& folder, const std::string& event, const std::string& json) = 0;
};

// The files beside a store in which this host keeps what it knew. Errors of all: Unavailable, Corrupt.
class HostFiles {
 public:
    virtual ~HostFiles() = default;
    // Returns what this host's verifiers and commands knew of the log.
    virtual Result<std::optional<verify::KnownLog>> known_log(const std::string& folder) = 0;
    virtual Result<void> set_known_log(const std::string& folder, const verify::KnownLog& known) = 0;
    // Returns the time up to which the hook for `event` was told; nothing if it never ran.
    virtual Result<std::optional<Instant>> last_notice(const std::string& folder, const std::string& event) = 0;
    virtual Result<void> set_last_notice(const std::string& folder, const std::string& event, Instant at) = 0;
};

// `marque serve`.
class Service {
 public:
    virtual ~Service() = default;
    // Returns the settings in force for the store in `folder`, as text. Errors: InvalidRequest.
    virtual Result<std::string> check_settings(const ServeRequest& request, const std::string& folder) = 0;
    // Serves the store in `folder` until asked to stop. Errors: InvalidRequest, and those of the store.
    virtual Result<void> serve(const ServeRequest& request, const std::string& folder) = 0;
};

// The whole machine. The program gives it to run() (cli/run.h); a command asks the shell for the part that it needs.
class System : public Host,
               public Stores,
               public RootKeys,
               public OwnerKeys,
               public Hooks,
               public HostFiles,
               public Service {};

}  // namespace marque::cli
