// The only place that makes real clocks, keys, stores and files; see main/machine.h.
#include "cli/run.h"
#include "main/machine.h"

int main(int argc, char** argv) {
    marque::harden_process();
    marque::Machine machine;
    return marque::cli::run(argc, argv, machine);
}
