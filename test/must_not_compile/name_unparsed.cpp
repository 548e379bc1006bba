// expect: is private within this context
#include "domain/name.h"

marque::domain::IdentityName wrong() {
    return marque::domain::IdentityName("codex");
}
