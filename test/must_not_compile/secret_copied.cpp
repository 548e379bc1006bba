// expect: use of deleted function 'marque::Secret::Secret(const marque::Secret&)'
#include "base/secret.h"

marque::Secret wrong(const marque::Secret& secret) {
    return secret;
}
