#include "test/faults/report.h"
namespace marque::faults {
void fail_file_calls(Report&, std::uint64_t) {}
void fail_allocations(Report&) {}
}  // namespace marque::faults
