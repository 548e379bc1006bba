#include "test/faults/installation.h"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <sys/mman.h>
#include <unistd.h>

#include "authority/authority.h"
#include "authority/keys.h"
#include "base/check.h"
#include "cli/run.h"
#include "verify/verify.h"

namespace marque::faults {
namespace {

Error not_here() {
    return Error(Code::Unexpected, "no command of these tests asks for this");
}

// A descriptor stands for another while this lives.
class StandsFor {
 public:
    StandsFor(int other, int fd) : fd_(fd), saved_(::dup(fd)) { CHECK(::dup2(other, fd) == fd); }
    StandsFor(const StandsFor&) = delete;
    StandsFor& operator=(const StandsFor&) = delete;
    ~StandsFor() {
        ::dup2(saved_, fd_);
        ::close(saved_);
    }

 private:
    int fd_, saved_;
};

int spoken_to = -1, real_errors = -1;

// Whatever a command's end by a signal said is shown.
void tell_last_words(int) {
    char words[4096];
    const ssize_t size = ::pread(spoken_to, words, sizeof words, 0);
    if (size > 0 && ::write(real_errors, words, static_cast<std::size_t>(size)) < 0) std::_Exit(1);
    std::_Exit(134);
}

void refill(int fd, const std::string& text) {
    CHECK(::ftruncate(fd, 0) == 0);
    CHECK(::pwrite(fd, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()));
    CHECK(::lseek(fd, 0, SEEK_SET) == 0);
}

std::string contents(int fd) {
    std::string text(static_cast<std::size_t>(::lseek(fd, 0, SEEK_END)), '\0');
    CHECK(::pread(fd, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()));
    return text;
}

}  // namespace

std::uint64_t SeededRandom::next() {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return state_ >> 32;
}

Result<void> SeededRandom::fill(std::span<std::uint8_t> out) {
    for (std::uint8_t& byte : out) byte = static_cast<std::uint8_t>(next() >> 24);
    return {};
}

Folder::Folder() {
    std::error_code error;
    const bool has_memory = std::filesystem::is_directory("/dev/shm", error) && ::access("/dev/shm", W_OK) == 0;
    std::string name =
        (has_memory ? "/dev/shm" : std::filesystem::temp_directory_path().string()) + "/marque-faults-XXXXXX";
    CHECK(::mkdtemp(name.data()) != nullptr);
    path_ = name;
}

Folder::~Folder() {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
}

void Folder::empty() const {
    for (const auto& entry : std::filesystem::directory_iterator(path_)) std::filesystem::remove_all(entry);
}

domain::Owner owner_named(const std::string& name) {
    return {"SHA256:" + name, "ssh-ed25519 " + name, name, {}, 0};
}

Installation::Installation(const Folder&)
    : store(authority::log_seal_key(Secret::copy_of(Bytes(authority::root_key_bytes, 5)))),
      root_key_(Secret::copy_of(Bytes(authority::root_key_bytes, 5))),
      input_(::memfd_create("input", MFD_CLOEXEC)),
      output_(::memfd_create("output", MFD_CLOEXEC)) {
    CHECK(input_ >= 0 && output_ >= 0);
    spoken_to = output_;
    real_errors = ::dup(STDERR_FILENO);
    std::signal(SIGABRT, tell_last_words);
}

Ran Installation::run(const std::vector<std::string>& words, const std::string& input, FaultPlan* plan) {
    std::vector<const char*> argv{"marque"};
    for (const std::string& word : words) argv.push_back(word.c_str());
    refill(input_, input);
    refill(output_, "");
    plan_ = plan;
    Ran ran;
    ran.code = run_bare(argv);
    plan_ = nullptr;
    ran.words = contents(output_);
    return ran;
}

int Installation::run_bare(std::span<const char* const> argv) {
    const StandsFor in(input_, STDIN_FILENO), out(output_, STDOUT_FILENO), err(output_, STDERR_FILENO);
    return cli::run(static_cast<int>(argv.size()), argv.data(), *this);
}

bool Installation::accepts(const std::string& token) {
    const Secret key = authority::token_key(root_key_);
    const auto finding = store::read_from(store, [&](const store::Reader& reader) {
        return verify::verify(reader, key, token.substr(0, token.find('\n')), {}, set_clock.now());
    });
    return finding && finding->is_accepted();
}

Result<audit::Process> Installation::caller() {
    audit::Process process;
    process.uid = uid;
    return process;
}

Result<std::unique_ptr<store::Store>> Installation::open_store(const std::string&, store::SealingKey,
                                                               const std::function<void(const std::string&)>&) {
    if (!is_made) return Error(Code::Unavailable, "there is no store");
    static FaultPlan none(StoreFault::None, 0, {});
    return std::make_unique<FailingStore>(store, plan_ == nullptr ? none : *plan_);
}

Result<void> Installation::create_store(const std::string&, const std::string&) {
    is_made = true;
    return {};
}

Result<Secret> Installation::read_root_key(const std::string&) {
    if (when_asked_for_key != nullptr) when_asked_for_key();
    if (!is_made) return Error(Code::Unavailable, "there is no key");
    return Secret::copy_of(root_key_.reveal());
}

Result<domain::Owner> Installation::read_owner_key(const std::string& path) {
    return owner_named(path);
}

Result<std::string> Installation::sign_as_owner(std::string_view text, const std::string&,
                                                std::span<const domain::Owner> owners) {
    if (owners.empty()) return Error(Code::NotFound, "no owner is registered");
    return PlainSignatures::by(owners.front(), text);
}

Result<std::unique_ptr<store::Maintenance>> Installation::open_maintenance(const std::string&, store::SealingKey) {
    return not_here();
}
Result<std::unique_ptr<store::Store>> Installation::open_backup(const std::string&, store::SealingKey) {
    return not_here();
}
Result<Secret> Installation::next_root_key(const std::string&) {
    return not_here();
}
Result<void> Installation::adopt_next_root_key(const std::string&) {
    return not_here();
}
Result<std::unique_ptr<store::Maintenance>> Installation::check_backup(const std::string&) {
    return not_here();
}
Result<store::Moved> Installation::move_store(const cli::MoveRequest&, store::SealingKey, const store::MoveSteps&) {
    return not_here();
}
Result<std::string> Installation::check_settings(const cli::ServeRequest&, const std::string&) {
    return not_here();
}
Result<void> Installation::serve(const cli::ServeRequest&, const std::string&) {
    return not_here();
}

}  // namespace marque::faults
