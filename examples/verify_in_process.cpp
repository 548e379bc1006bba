// verify_in_process FOLDER [SCOPE [ENVIRONMENT]]: opens the store in FOLDER and says of each token on standard input
// whose it is: one a line. The whole of what an application does that verifies within its own process.
#include <iostream>
#include <marque/verifier.h>

int main(int argc, char** argv) {
    if (argc < 2) {
        std::cerr << "usage: verify_in_process FOLDER [SCOPE [ENVIRONMENT]]\n";
        return 2;
    }
    const auto verifier = marque::Verifier::open(argv[1]);
    if (!verifier) {
        std::cerr << verifier.error().message << "\n  " << verifier.error().hint << "\n";
        return 8;
    }
    marque::Demand demand;
    if (argc > 2) demand.scope = argv[2];
    if (argc > 3) demand.environment = argv[3];
    for (std::string token; std::getline(std::cin, token);) {
        const auto answer = (*verifier)->verify(token, demand, "example");
        if (!answer)
            std::cout << "no answer, so refused: " << answer.error().message << std::endl;
        else if (answer->is_accepted())
            std::cout << "accepted: " << answer->identity << " in " << answer->workspace << std::endl;
        else
            std::cout << "refused" << std::endl;
    }
    if (const auto recorded = (*verifier)->record_uses(); !recorded) std::cerr << recorded.error().message << "\n";
}
