// cli/reading.h: what a command shows is read first, as a value, and printed afterwards.
//
// A function that reads gets a store's Reader and returns a view; a function that prints gets the view. So what is
// shown is of one snapshot, no output is made inside a transaction, and the view can be had without a terminal.
#pragma once

#include <optional>
#include <type_traits>

#include "cli/shell.h"

namespace marque::cli {

using authority::Authority;

// Returns what `read` makes of the installation, for an operator who may see all of it. Errors: PermissionDenied, those
// of `read` and of the store.
template <class Read>
auto read_installation(Shell& shell, const Read& read) -> std::invoke_result_t<Read, const Authority::Overview&> {
    std::optional<typename std::invoke_result_t<Read, const Authority::Overview&>::value_type> found;
    TRY(TRY(shell.authority())->view_installation([&](const Authority::Overview& overview) -> Result<void> {
        found.emplace(TRY(read(overview)));
        return {};
    }));
    return std::move(*found);
}

// Returns what `read` makes of the workspace that is given or, if none is, of the only one that the operator can see.
// Errors: as above.
template <class Read>
auto read_workspace(Shell& shell, const Read& read) -> std::invoke_result_t<Read, const Authority::Sight&> {
    std::optional<typename std::invoke_result_t<Read, const Authority::Sight&>::value_type> found;
    TRY(TRY(shell.authority())
            ->view_workspace(TRY(shell.workspace()), [&](const Authority::Sight& sight) -> Result<void> {
                found.emplace(TRY(read(sight)));
                return {};
            }));
    return std::move(*found);
}

}  // namespace marque::cli
