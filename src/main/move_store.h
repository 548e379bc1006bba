// main/move_store.h: the folders of a move: the new one gets its key before it gets a store, and the old one loses its
// store's name. The stores themselves are moved by store/sql/move.h.
#pragma once

#include "cli/system.h"

namespace marque {

// As cli::Stores::move_store.
Result<store::Moved> move_store(const cli::MoveRequest& request, store::SealingKey sealing_key,
                                const store::MoveSteps& steps);

}  // namespace marque
