// expect: invalid initialization of reference of type 'const marque::domain::IdentityName&'
#include "domain/name.h"

void greet(const marque::domain::IdentityName& identity);

void wrong(const marque::domain::EnvironmentName& environment) {
    greet(environment);
}
