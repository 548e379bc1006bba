// expect: use of deleted function 'bool marque::operator==(const Secret&, const Secret&)'
#include "base/secret.h"

bool wrong(const marque::Secret& a, const marque::Secret& b) {
    return a == b;
}
