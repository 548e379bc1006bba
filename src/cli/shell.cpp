#include "cli/shell.h"

#include <fmt/format.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <unistd.h>

#include "authority/keys.h"
#include "base/text.h"

namespace marque::cli {

Shell::Shell(System& system) : system_(system) {}

void Shell::set_colors() {
    const char* no_color = std::getenv("NO_COLOR");
    const char* term = std::getenv("TERM");
    const bool wants_color = !options.no_color && (no_color == nullptr || *no_color == '\0') &&
                             (term == nullptr || std::strcmp(term, "dumb") != 0);
    paint_ = Paint(wants_color && ::isatty(STDOUT_FILENO) == 1);
    paint_err_ = Paint(wants_color && ::isatty(STDERR_FILENO) == 1);
}

std::string Shell::store_folder() {
    return options.store.empty() ? system_.default_store() : options.store;
}

Result<const Secret*> Shell::root_key() {
    if (!root_key_) root_key_ = std::make_unique<Secret>(TRY(system_.read_root_key(store_folder())));
    return root_key_.get();
}

Result<store::Store*> Shell::open_store() {
    if (!store_) {
        const Secret& key = *TRY(root_key());
        store_ =
            TRY(system_.open_store(store_folder(), store::SealingKey([&key] { return authority::log_seal_key(key); })));
    }
    return store_.get();
}

Result<authority::Authority*> Shell::authority() {
    if (!authority_) {
        store::Store& store = *TRY(open_store());
        audit::Process caller = TRY(system_.caller());
        caller.owns_store = system_.owns(store_folder());
        authority_ = std::make_unique<authority::Authority>(store, system_.clock(), system_.random(), *TRY(root_key()),
                                                            system_.owner_signatures(), std::move(caller));
    }
    return authority_.get();
}

Result<std::optional<domain::WorkspaceName>> Shell::workspace() {
    if (options.workspace.empty()) return std::nullopt;
    return TRY(domain::WorkspaceName::parse(options.workspace));
}

Result<authority::Order> Shell::order(const ChangeOptions& change) {
    authority::Order order;
    order.workspace = TRY(workspace());
    if (!change.approval.empty()) order.approval = TRY(domain::ApprovalId::parse(change.approval));
    order.reason = TRY(parse_free_text("reason", change.reason, 500));
    if (change.needs_reason && order.reason.find_first_not_of(' ') == std::string::npos)
        return Error(Code::InvalidRequest, "the reason is empty",
                     "whoever reads the log will want to know: --reason TEXT");
    if (change.does_not_wait) order.awaiting = authority::Awaiting::No;
    if (change.is_dry_run)
        order.confirmation = authority::Confirmation::dry_run();
    else if (!change.confirm.empty())
        order.confirmation =
            TRY(authority::Confirmation::parse(change.confirm == "true" ? "" : std::string_view(change.confirm)));
    return order;
}

void Shell::print(std::string_view text) {
    pending_output_ += text;
    if (pending_output_.size() > 64 * 1024) (void)finish_output();  // a failure is kept for the end
}

void Shell::print_json(audit::JsonObject object) {
    object["schema"] = "marque/1";
    print(audit::canonical(object) + "\n");
}

void Shell::say(std::string_view line) {
    const std::string text = std::string(line) + "\n";
    // Nobody is left to hear of a failure here.
    if (::write(STDERR_FILENO, text.data(), text.size()) < 0) return;
}

Result<void> Shell::show(std::string_view text) {
    const std::string shown = std::string(text) + "\n";
    for (std::string_view rest = shown; !rest.empty();) {
        const ssize_t written = ::write(STDERR_FILENO, rest.data(), rest.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return Error(Code::Unexpected, "standard error could not be written to; nothing changed");
        rest.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
}

void Shell::say_error(const Error& error) {
    if (is_json()) {
        audit::JsonObject object{
            {"code", static_cast<int>(error.code)}, {"error", name_of(error.code)}, {"message", error.message}};
        if (!error.hint.empty()) object["hint"] = error.hint;
        say(audit::canonical(audit::JsonObject{{"schema", "marque/1"}, {"error", std::move(object)}}));
        return;
    }
    say(paint_err_.bad("marque: ") + error.message);
    if (!error.hint.empty()) say("  " + error.hint);
}

Result<void> Shell::finish_output() {
    std::string_view rest = pending_output_;
    while (!rest.empty() && !output_failed_) {
        const ssize_t written = ::write(STDOUT_FILENO, rest.data(), rest.size());
        if (written < 0 && errno == EINTR) continue;
        output_failed_ = written < 0;
        if (!output_failed_) rest.remove_prefix(static_cast<std::size_t>(written));
    }
    pending_output_.clear();
    if (output_failed_)
        return Error(Code::Unexpected, "standard output could not be written to",
                     "what the command was to do is done all the same; marque audit tail shows it");
    return {};
}

void Shell::tell(const std::string& event, audit::JsonObject object) {
    object["schema"] = "marque/1";
    object["event"] = event;
    const auto told = system_.run_hook(store_folder(), event, audit::canonical(object));
    if (!told)
        say(paint_err_.warning("Note: ") + escaped(told.error().message));
    else if (!*told)
        say(paint_err_.warning("Note: ") + "no hook " + event + " is set, so nobody is told: do it yourself");
}

std::function<void(double)> Shell::progress(const std::string& what) {
    using steady = std::chrono::steady_clock;
    const bool is_terminal = ::isatty(STDERR_FILENO) == 1 && !is_json();
    return [this, what, is_terminal, begin = steady::now(), last = steady::now(), shown = false](double part) mutable {
        const auto now = steady::now();
        const bool is_done = part >= 1.0;
        if (!is_terminal || now - begin < std::chrono::seconds(1)) return;
        if (!is_done && now - last < std::chrono::milliseconds(200)) return;
        if (is_done && !shown) return;
        last = now;
        shown = true;
        const std::string line = is_done ? "\r\x1b[K" : fmt::format("\r\x1b[K{} … {:.0f} %", what, part * 100);
        if (::write(STDERR_FILENO, line.data(), line.size()) < 0) return;
    };
}

int run_command(Shell& shell, const std::function<Result<int>()>& body) {
    auto code = body();
    auto flushed = shell.finish_output();
    if (code && flushed) return *code;
    const Error& error = code ? flushed.error() : code.error();
    shell.say_error(error);
    return static_cast<int>(error.code);
}

}  // namespace marque::cli
