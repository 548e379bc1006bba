// expect: use of deleted function 'marque::Secret& marque::Secret::operator=(const marque::Secret&)'
#include "base/secret.h"

void wrong(marque::Secret& to, const marque::Secret& from) {
    to = from;
}
