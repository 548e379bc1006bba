// test/faults/installation.h: the real command line over a store in memory that can be made to fail.
//
// The rows are a value: an installation is put back to a moment by assigning them. Time and random bytes are the
// test's; tokens go to files in a folder of its own, and a command's words to where they can be read.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "cli/system.h"
#include "store/memory/memory_store.h"
#include "test/faults/failing_store.h"
#include "test/plain_signatures.h"

namespace marque::faults {

class SetClock final : public Clock {
 public:
    Instant now() const override { return now_; }
    Duration since_boot() const override { return now_.time_since_epoch(); }
    void pass(Duration time) { now_ += time; }
    void set(Instant now) { now_ = now; }

 private:
    Instant now_{Duration(1'800'000'000'000'000)};
};

class SeededRandom final : public Random {
 public:
    explicit SeededRandom(std::uint64_t seed) : state_(seed) {}
    Result<void> fill(std::span<std::uint8_t> out) override;
    std::uint64_t below(std::uint64_t limit) { return next() % limit; }

 private:
    std::uint64_t next();
    std::uint64_t state_;
};

// A folder of the run's own, in memory where there is such a place; removed at the end.
class Folder {
 public:
    Folder();
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    ~Folder();
    std::string path(const std::string& name) const { return (path_ / name).string(); }
    void empty() const;  // removes what is in it

 private:
    std::filesystem::path path_;
};

// What a command left: its exit code and its words.
struct Ran {
    int code = 0;
    std::string words;
};

// What is in the files of tokens, by the file's name.
using Tokens = std::map<std::string, std::string>;

class Installation final : public cli::System {
 public:
    explicit Installation(const Folder& folder);

    // Runs `marque WORDS…` with `input` on its standard input. With a plan the store fails by it.
    Ran run(const std::vector<std::string>& words, const std::string& input = "", FaultPlan* plan = nullptr);
    // The same with nothing around it: the exit code, and no allocation but the command's own.
    int run_bare(std::span<const char* const> argv);

    store::memory::MemoryStore store;
    bool is_made = false;
    SetClock set_clock;
    PlainSignatures signatures;
    std::uint32_t uid = 1000;
    // When a command asks for the key: its words are understood by now, and nothing is opened yet.
    void (*when_asked_for_key)() = nullptr;

    bool accepts(const std::string& token);
    const Secret& root_key() const { return root_key_; }

    const Clock& clock() override { return set_clock; }
    Random& random() override { return random_; }
    Result<audit::Process> caller() override;
    std::string login_name(std::uint32_t) override { return "ops"; }
    Result<std::uint32_t> uid_of(const std::string&) override { return 2000; }
    std::string default_store() override { return "here"; }
    Result<std::unique_ptr<store::Store>> open_store(const std::string&, store::SealingKey,
                                                     const std::function<void(const std::string&)>&) override;
    Result<void> check_folder(const std::string&) override { return {}; }
    Result<void> create_store(const std::string&, const std::string&) override;
    Result<Secret> read_root_key(const std::string&) override;
    Result<domain::Owner> read_owner_key(const std::string& path) override;
    const authority::OwnerSignatures& owner_signatures() override { return signatures; }
    Result<std::string> sign_as_owner(std::string_view text, const std::string& key,
                                      std::span<const domain::Owner> owners) override;
    Result<bool> has_hook(const std::string&, const std::string&) override { return false; }
    Result<bool> run_hook(const std::string&, const std::string&, const std::string&) override { return false; }

    // What no command of these tests asks for.
    Result<std::unique_ptr<store::Maintenance>> open_maintenance(const std::string&, store::SealingKey) override;
    Result<std::unique_ptr<store::Store>> open_backup(const std::string&, store::SealingKey) override;
    Result<Secret> next_root_key(const std::string&) override;
    Result<void> adopt_next_root_key(const std::string&) override;
    Result<std::unique_ptr<store::Maintenance>> check_backup(const std::string&) override;
    Result<store::Moved> move_store(const cli::MoveRequest&, store::SealingKey, const store::MoveSteps&) override;
    std::vector<cli::FileFinding> examine_files(const std::string&) override { return {}; }
    bool owns(const std::string&) override { return true; }
    Result<std::string> check_settings(const cli::ServeRequest&, const std::string&) override;
    Result<void> serve(const cli::ServeRequest&, const std::string&) override;
    Result<std::optional<verify::KnownLog>> known_log(const std::string&) override { return std::nullopt; }
    Result<void> set_known_log(const std::string&, const verify::KnownLog&) override { return {}; }
    Result<std::optional<Instant>> last_notice(const std::string&, const std::string&) override { return std::nullopt; }
    Result<void> set_last_notice(const std::string&, const std::string&, Instant) override { return {}; }

 private:
    Secret root_key_;
    SeededRandom random_{1};
    FaultPlan* plan_ = nullptr;
    int input_, output_;  // files in memory
};

domain::Owner owner_named(const std::string& name);

}  // namespace marque::faults
