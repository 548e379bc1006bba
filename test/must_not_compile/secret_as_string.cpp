// expect: could not convert 'secret' from 'const marque::Secret' to 'std::string'
#include <string>

#include "base/secret.h"

std::string wrong(const marque::Secret& secret) {
    return secret;
}
