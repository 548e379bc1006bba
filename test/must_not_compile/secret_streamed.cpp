// expect: use of deleted function 'std::ostream& marque::operator<<(std::ostream&, const Secret&)'
#include <ostream>

#include "base/secret.h"

void wrong(std::ostream& out, const marque::Secret& secret) {
    out << secret;
}
