// expect: nothing: what the others do wrong, done right. If this fails, theirs prove nothing.
#include <string>
#include <utility>

#include "base/result.h"
#include "base/secret.h"
#include "domain/name.h"
#include "domain/scope.h"

using namespace marque;

Result<int> answer() {
    return 42;
}

bool greet(const domain::IdentityName& identity) {
    return !identity.text().empty();
}

Result<int> right() {
    Secret secret(32);
    Secret moved = std::move(secret);
    secret = std::move(moved);
    const std::string text(secret.reveal_text());
    const int number = TRY(answer());
    const domain::IdentityName identity = TRY(domain::IdentityName::parse("codex"));
    const domain::Scope scope = TRY(domain::Scope::parse("card:edit"));
    return greet(identity) && scope.text() != text && secret.size() == 32 ? number : 0;
}
