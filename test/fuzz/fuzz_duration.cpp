// What parses is more than nothing, bounded, and reads back from its own text; an ending that
// resolves lies in the future.
#include "domain/span_of_time.h"
#include "fuzz.h"

using namespace marque;

void fuzz(std::string_view input) {
    if (const auto duration = domain::parse_duration(input)) {
        CHECK(*duration > Duration(0) && *duration <= domain::longest_duration);
        const auto again = domain::parse_duration(domain::to_text(*duration));
        CHECK(again && *again == *duration);
    }
    const auto ending = domain::Ending::parse(input);
    if (!ending) return;
    const Instant now(Duration(1'800'000'000'000'000));
    const auto at = ending->resolve(now);
    CHECK(!at || !*at || **at > now);
    CHECK(ending->is_never() == (input == "never"));
    const auto again = domain::Ending::parse(ending->text());
    CHECK(again && *again == *ending);
}
