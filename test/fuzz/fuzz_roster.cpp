// The plan file of `create --from`: every identity that comes out is complete, and so is every condition of
// a filter and every confirmation.
#include "authority/filter.h"
#include "authority/plan.h"
#include "cli/roster.h"
#include "fuzz.h"

using namespace marque;

void fuzz(std::string_view input) {
    const auto defaults = [](domain::IdentityName name) {
        return authority::CreateRequest{std::move(name), domain::EnvironmentName::parse("dev").release()};
    };
    if (const auto requests = cli::parse_roster(input, defaults)) {
        CHECK(!requests->empty());
        for (const auto& request : *requests) {
            CHECK(domain::is_name(request.name.text()) && domain::is_name(request.environment.text()));
            CHECK(!request.scopes.empty() && request.contact.size() <= 200);
        }
    }
    authority::Filter filter;
    if (filter.add(input)) CHECK(!filter.is_empty() && !filter.to_json().empty());
    if (const auto confirmation = authority::Confirmation::parse(input)) CHECK(confirmation->is_given());
}
