// expect: 'marque::domain::Scope::Scope(std::string)' is private within this context
#include "domain/scope.h"

marque::domain::Scope wrong() {
    return marque::domain::Scope("card:edit");
}
