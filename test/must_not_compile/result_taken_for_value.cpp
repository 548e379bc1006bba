// expect: cannot convert 'marque::Result<int>' to 'int' in return
#include "base/result.h"

marque::Result<int> answer();

int wrong() {
    return answer();
}
