// test/reference/ideas.h: what somebody might do next: mostly sense, often nonsense.
#pragma once

#include <string>

#include "test/reference/model.h"
#include "test/simulate/chance.h"

namespace marque::reference {

// Requests that were asked for, with what for.
struct Asked {
    std::string id;
    Command command;
    std::string text;  // to be signed
};

// A token that somebody has, and whose it is.
struct Held {
    std::string credential, text;
};

class Ideas {
 public:
    Ideas(simulation::Chance& chance, const Model& model, const std::vector<Asked>& asked,
          const std::vector<Held>& held)
        : chance_(chance), model_(model), asked_(asked), held_(held) {}

    Command next(Time now);
    // What takes from whoever is in the middle of something.
    Command against(const Command& other);
    // A plan that was shown, for one who confirms just that.
    void remember(const Command& command, const std::string& digest, const std::string& plan);
    std::string a_scope();
    std::uint32_t a_uid();

    static constexpr std::uint32_t first_uid = 1000;

 private:
    std::string a_workspace();
    std::string an_environment(const std::string& workspace);
    std::string an_identity(const std::string& workspace);
    std::string a_credential(const std::string& workspace);
    std::string an_operator();
    std::string a_key();
    std::string a_request(bool is_to_be_approved);
    std::string a_target(Command& command);
    std::optional<std::string> a_paused_target(Command& command);
    End an_end(Time now);
    NewIdentity a_new_identity(const std::string& workspace, Time now);
    Names some_scopes();
    void fill(Command& command, Time now);
    void fill_state(Command& command, Time now);
    void fill_operators(Command& command);
    void fill_owners(Command& command);

    simulation::Chance& chance_;
    const Model& model_;
    const std::vector<Asked>& asked_;
    const std::vector<Held>& held_;
    std::vector<Command> shown_;
    int identities_made_ = 0, places_made_ = 0, operators_made_ = 0;
};

}  // namespace marque::reference
