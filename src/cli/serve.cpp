// marque serve: the verifier that applications and proxies ask.
#include "cli/commands.h"

namespace marque::cli {
namespace {

struct Options {
    ServeRequest request;
    std::string unix_path, workers, log_format;
    std::vector<std::string> tcp;
    bool is_check = false;
};

Result<int> run_serve(Shell& shell, const Options& options) {
    ServeRequest request = options.request;
    // The flags are settings by another name; what is given on the command line holds over the file.
    const auto set = [&](const char* key, const std::string& value) {
        if (!value.empty()) request.overrides.push_back(std::string(key) + "=" + value);
    };
    set("unix.path", options.unix_path);
    set("workers", options.workers);
    set("log.format", options.log_format);
    std::string tcp;
    for (const std::string& address : options.tcp) tcp += (tcp.empty() ? "" : ",") + address;
    set("tcp.listen", tcp);
    if (options.is_check) {
        const std::string settings = TRY(shell.service().check_settings(request, shell.store_folder()));
        if (shell.is_json())
            shell.print_json({{"settings", settings}});
        else
            shell.print(settings);
        return 0;
    }
    auto served = shell.service().serve(request, shell.store_folder());
    if (served) return 0;
    if (!served.error().tampered.empty())
        if (auto authority = shell.authority()) (*authority)->note_tampering(served.error());
    return std::move(served).error();
}

}  // namespace

void add_serve(const Command& root, Shell& shell, Exit& exit) {
    auto options = std::make_shared<Options>();
    const Command command =
        root.add_command("serve", "Answer whose token it is, and whether it may, over a unix socket, TCP or TLS");
    command.option("--config", options->request.config, "FILE", "Settings, in TOML");
    command.flag("--check-config", options->is_check, "Check the settings, show those in force, and end");
    command.repeated("--set", options->request.overrides, "KEY=VALUE", "One setting, instead of the file's");
    command.option("--unix", options->unix_path, "PATH", "Unix socket (unix.path)");
    command.repeated("--tcp", options->tcp, "ADDR:PORT", "Listen in the clear, on loopback (tcp.listen)");
    command.option("--workers", options->workers, "N", "Threads that answer (workers)");
    command.option("--log-format", options->log_format, "FORM", "text or json (log.format)");
    on_run(command, shell, exit, options, run_serve);
}

}  // namespace marque::cli
