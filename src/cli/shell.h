// cli/shell.h: what every command shares: options, the open installation, and how it speaks.
//
// The rules of the command line, kept here and nowhere else:
//  - data goes to stdout, words to stderr; a token is the only thing `create`, `issue` and
//    `rotate` ever write to stdout as text
//  - with -o json, data and plans are one JSON document on stdout with "schema": "marque/1"; on
//    stderr each line is a JSON document, with "error" or "note". Commands that print without end
//    (audit tail -f, audit export, --watch) print one document a line
//  - text is escaped where it is put into a message; print() and say() escape whatever was
//    forgotten there, and print_json() strings that are not UTF-8. Colours only on a terminal
//  - the exit code is the Code of the error, 0 when done, 5 when the plan was only shown
//  - when the reader of stdout has gone away, the command ends in silence with its own code; when
//    stdout can't be written for another reason, it fails with 8. A change that was made keeps its
//    own code in both cases, and says on stderr that its words were lost
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "authority/authority.h"
#include "cli/system.h"
#include "cli/table.h"

namespace marque::cli {

// Options that stand on every command.
struct GlobalOptions {
    std::string store;
    std::string output = "text";
    std::string workspace;
    bool no_color = false;
    bool has_absolute_times = false;
};

// Options of every command that changes something.
struct ChangeOptions {
    std::string confirm;  // "true" for the bare flag, empty without it
    bool is_dry_run = false;
    std::string reason;
    bool needs_reason = false;
    bool does_not_wait = false;
    std::string approval;
};

class Shell {
 public:
    explicit Shell(System& system);

    GlobalOptions options;
    // The parts of the machine.
    Host& host() { return system_; }
    Stores& stores() { return system_; }
    RootKeys& root_keys() { return system_; }
    OwnerKeys& owner_keys() { return system_; }
    Hooks& hooks() { return system_; }
    HostFiles& host_files() { return system_; }
    Service& service() { return system_; }

    std::string store_folder();
    // Opens the installation, once. Errors: those of the store and of its key file.
    Result<authority::Authority*> authority();
    Result<store::Store*> open_store();
    Result<const Secret*> root_key();

    // The order that the options make. Errors: InvalidRequest.
    Result<authority::Order> order(const ChangeOptions& change);
    Result<std::optional<domain::WorkspaceName>> workspace();

    bool is_json() const { return options.output == "json"; }
    const Paint& paint() const { return paint_; }  // for stdout
    const Paint& paint_err() const { return paint_err_; }
    Instant now() { return system_.clock().now(); }

    // Writes text for people to stdout. What can't be written is an error in the end: see finish_output().
    void print(std::string_view text);
    // Writes `table` as print() does, cut to the terminal's width if stdout is one.
    void print(const Table& table);
    // Writes a page of help; with -o json as {"page": text}.
    void print_page(const std::string& text);
    // Writes bytes to stdout as they are: JSON.
    void print_exact(std::string_view bytes);
    // Writes one document to stdout; adds the schema.
    void print_json(audit::JsonObject object);
    // Writes a line to stderr; with -o json as {"note": line}.
    void say(std::string_view line);
    // A text to stderr that somebody has to have seen. Errors: Unexpected.
    Result<void> show(std::string_view text);
    void say_error(const Error& error);
    // Flushes stdout. Errors: Unavailable when not everything could be written, unless the reader has gone away.
    Result<void> finish_output();
    // Returns false once a write to stdout has failed because its reader closed the pipe. A command that prints in a
    // loop should then stop.
    bool has_reader() const { return !reader_is_gone_; }
    // Remembers that the command has changed something, which stays true if its words are lost.
    void note_change() { has_changed_ = true; }
    bool has_changed() const { return has_changed_; }

    // Called with the part done, 0 to 1: a line on a terminal, once a second has passed.
    std::function<void(double)> progress(const std::string& what);

    // After a change: prints the plan or what was done; the exit code.
    int report(const authority::Done& done, const ChangeOptions& change);
    // Takes colours, JSON and the form of times from the options.
    void set_appearance();
    // Runs the hook for `event`, if there is one. What goes wrong is said, and changes nothing.
    void tell(const std::string& event, audit::JsonObject object);

 private:
    System& system_;
    Paint paint_, paint_err_;
    std::string pending_output_;
    int output_error_ = 0;  // errno of the first write to stdout that failed
    bool reader_is_gone_ = false;
    bool has_changed_ = false;
    std::unique_ptr<Secret> root_key_;
    std::unique_ptr<store::Store> store_;
    std::unique_ptr<authority::Authority> authority_;
};

// Runs the body of a command: prints its error if it has one, and answers with the exit code.
int run_command(Shell& shell, const std::function<Result<int>()>& body);

}  // namespace marque::cli
