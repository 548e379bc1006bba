#include "test/simulate/simulation.h"

#include "authority/keys.h"

namespace marque::simulation {
namespace {

constexpr int node_count = 3, client_count = 3;
// Whatever happens, a change returns: with an error, or when its patience and the longest lease are over.
constexpr Duration longest_run = std::chrono::minutes(30);

class Simulation {
 public:
    Simulation(std::uint64_t seed, const Beginning& beginning, std::string* trace)
        : world_(seed, trace), database_(world_, beginning.rows, authority::log_seal_key(beginning.root_key)) {
        promises_.tokens = beginning.tokens;
        for (int i = 1; i <= node_count; ++i)
            nodes_.push_back(
                std::make_unique<Node>(world_, database_, promises_, beginning.root_key, "node-" + std::to_string(i)));
        const auto verify_everywhere = [this](const Token& token) {
            for (const auto& node : nodes_) world_.tasks.start([&node = *node, token] { node.verify(token); });
        };
        operators_.emplace(world_, database_, promises_, beginning.root_key,
                           Operators::Meanwhile{[this](Machine& from) { endanger(from); }, verify_everywhere});
        database_.announce = [this] {
            for (const auto& node : nodes_) node->announce();
        };
        database_.judge = [this](const auto& before, const auto& drafts) { operators_->judge(before, drafts); };
    }

    Outcome run() {
        for (const auto& node : nodes_) node->start(Node::Former::Killed);
        operators_->start();
        for (int i = 0; i < client_count; ++i) world_.tasks.start([this] { ask(); });
        if (world_.is_faulty) world_.tasks.start([this] { break_things(); });
        world_.tasks.start([this] { wait_for_operators(); });
        world_.tasks.run();
        return {world_.violation, world_.verifications, world_.changes, world_.faults, world_.hash, world_.now()};
    }

 private:
    void ask() {
        for (;;) {
            world_.tasks.sleep_for(world_.chance.up_to(world_.lease / 10));
            // Mostly what was issued lately.
            const auto& tokens = promises_.tokens;
            const std::size_t back = world_.chance.below(std::min<std::size_t>(tokens.size(), 6));
            world_.chance.one_of(nodes_)->verify(Token(tokens[tokens.size() - 1 - back]));
        }
    }

    void wait_for_operators() {
        while (!operators_->are_done()) {
            world_.tasks.sleep_for(world_.lease / 4);
            if (world_.now() > longest_run) world_.violate("a change does not return");
        }
        world_.tasks.sleep_for(world_.lease);
        world_.tasks.stop();
    }

    // A change is most in danger when somebody has just begun to answer, or goes on to for as long as can be.
    void endanger(Machine& from) {
        if (!world_.is_faulty || !world_.chance.one_in(2)) return;
        Node& node = *world_.chance.one_of(nodes_);
        if (world_.chance.one_in(3)) return node.start(Node::Former::GoesOn);
        node.machine.is_to_be_cut = true;
        for (int looks = 0; node.machine.is_to_be_cut && looks < 500; ++looks) from.sleep_for(world_.lease / 2000);
    }

    void break_things() {
        Chance& chance = world_.chance;
        const Duration lease = world_.lease, longest_peace = lease * static_cast<int>(1 + chance.below(4));
        for (;;) {
            world_.tasks.sleep_for(chance.up_to(longest_peace));
            Node& node = *chance.one_of(nodes_);
            Machine& machine = chance.one_in(5) ? *chance.one_of(operators_->machines) : node.machine;
            switch (chance.below(world_.fails_over ? 8 : 7)) {
                case 0:
                case 1:
                case 2:
                    machine.cut(chance.up_to(2 * lease));
                    break;
                case 3:
                    machine.stand_still(chance.up_to(2 * lease), Standstill::Stopped);
                    break;
                case 4: {
                    const bool may_pause = node.mode == store::Freshness::AckOnly && &machine == &node.machine;
                    machine.stand_still(chance.up_to(2 * lease),
                                        may_pause ? Standstill::Paused : Standstill::Suspended);
                    break;
                }
                case 5:
                    node.start(Node::Former::Killed);
                    break;
                case 6:
                    node.start(Node::Former::GoesOn);
                    break;
                default:
                    database_.promote();
            }
        }
    }

    World world_;
    Database database_;
    Promises promises_;
    std::vector<std::unique_ptr<Node>> nodes_;
    std::optional<Operators> operators_;
};

}  // namespace

Outcome simulate(std::uint64_t seed, const Beginning& beginning, std::string* trace) {
    return Simulation(seed, beginning, trace).run();
}

}  // namespace marque::simulation
