// expect: [-Werror=unused-result]
#include "base/result.h"

marque::Result<void> answer();

void wrong() {
    answer();
}
