#include "cli/shell.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <sys/ioctl.h>
#include <unistd.h>

#include "authority/keys.h"
#include "base/text.h"
#include "base/utf8.h"

namespace marque::cli {

Shell::Shell(System& system) : system_(system) {}

namespace {

// Escapes strings that are not UTF-8, such as paths: a parser would refuse the document otherwise.
void make_utf8(audit::Json& json) {
    if (auto* text = json.if_string(); text != nullptr && !is_utf8(*text)) *text = escaped(*text);
    if (auto* array = json.if_array())
        for (audit::Json& one : *array) make_utf8(one);
    if (auto* object = json.if_object())
        for (auto& member : *object) make_utf8(member.value());
}

std::string document(audit::JsonObject object) {
    object["schema"] = "marque/1";
    audit::Json json = std::move(object);
    make_utf8(json);
    return audit::canonical(json) + "\n";
}

Result<void> write_to_stderr(std::string_view text) {
    while (!text.empty()) {
        const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return Error(Code::Unexpected, "standard error could not be written to; nothing changed");
        text.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
}

Colors colors_of(const Paint& paint) {
    return paint.is_on() ? Colors::Kept : Colors::Escaped;
}

}  // namespace

void Shell::set_appearance() {
    const char* no_color = std::getenv("NO_COLOR");
    const char* term = std::getenv("TERM");
    const bool wants_color = !options.no_color && (no_color == nullptr || *no_color == '\0') &&
                             (term == nullptr || std::strcmp(term, "dumb") != 0);
    paint_ = Paint(wants_color && ::isatty(STDOUT_FILENO) == 1);
    paint_err_ = Paint(wants_color && !is_json() && ::isatty(STDERR_FILENO) == 1);
    if (options.has_absolute_times) show_absolute_times();
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
        const auto tell = [this](const std::string& why) {
            say(paint_err_.warning("Note: ") +
                "what this machine's verifiers know of the log was not brought forward: " + why);
        };
        store_ = TRY(system_.open_store(store_folder(),
                                        store::SealingKey([&key] { return authority::log_seal_key(key); }), tell));
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
    print_exact(for_terminal(text, colors_of(paint_)));
}

void Shell::print(const Table& table) {
    std::size_t width = 0;
    if (winsize size{}; ::isatty(STDOUT_FILENO) == 1) {
        const bool is_known = ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
        width = is_known ? size.ws_col : 80;
    }
    print(table.text(paint_, width));
}

void Shell::print_page(const std::string& text) {
    if (is_json())
        print_json({{"page", text}});
    else
        print(text);
}

void Shell::print_exact(std::string_view bytes) {
    pending_output_ += bytes;
    if (pending_output_.size() > 64 * 1024) (void)finish_output();  // a failure is kept for the end
}

void Shell::print_json(audit::JsonObject object) {
    print_exact(document(std::move(object)));
}

void Shell::say(std::string_view line) {
    (void)show(line);  // nobody is left to hear of a failure
}

Result<void> Shell::show(std::string_view text) {
    if (is_json()) {
        text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
        return write_to_stderr(document({{"note", text}}));
    }
    return write_to_stderr(for_terminal(text, colors_of(paint_err_)) + "\n");
}

void Shell::say_error(const Error& error) {
    if (is_json()) {
        audit::JsonObject object{
            {"code", static_cast<int>(error.code)}, {"error", name_of(error.code)}, {"message", error.message}};
        if (!error.hint.empty()) object["hint"] = error.hint;
        (void)write_to_stderr(document({{"error", std::move(object)}}));
        return;
    }
    say(paint_err_.bad("marque: ") + error.message);
    if (!error.hint.empty()) say("  " + error.hint);
}

Result<void> Shell::finish_output() {
    std::string_view rest = pending_output_;
    while (!rest.empty() && output_error_ == 0) {
        const ssize_t written = ::write(STDOUT_FILENO, rest.data(), rest.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0)
            output_error_ = errno;
        else
            rest.remove_prefix(static_cast<std::size_t>(written));
    }
    pending_output_.clear();
    reader_is_gone_ = output_error_ == EPIPE;
    if (output_error_ == 0 || reader_is_gone_) return {};
    return Error(Code::Unavailable,
                 fmt::format("standard output could not be written to: {}", std::strerror(output_error_)),
                 "what was written before is not all of it");
}

void Shell::tell(const std::string& event, audit::JsonObject object) {
    object["schema"] = "marque/1";
    object["event"] = event;
    const auto told = system_.run_hook(store_folder(), event, audit::canonical(object));
    if (!told)
        say(paint_err_.warning("Note: ") + told.error().message);
    else if (!*told)
        say(paint_err_.warning("Note: ") + "no hook " + event + " is set, so nobody is told: do it yourself");
}

std::function<void(double)> Shell::progress(const std::string& what) {
    using steady = std::chrono::steady_clock;
    const bool is_terminal = ::isatty(STDERR_FILENO) == 1 && !is_json();
    return [what, is_terminal, begin = steady::now(), last = steady::now(), shown = false](double part) mutable {
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
    const auto code = body();
    const auto flushed = shell.finish_output();
    if (!code) {
        shell.say_error(code.error());
        return static_cast<int>(code.error().code);
    }
    if (shell.has_changed() && (!flushed || !shell.has_reader())) {
        shell.say("Note: standard output could not be written to; what is changed is changed: marque audit tail");
        return *code;
    }
    if (flushed) return *code;
    shell.say_error(flushed.error());
    return *code != 0 ? *code : static_cast<int>(flushed.error().code);
}

}  // namespace marque::cli
