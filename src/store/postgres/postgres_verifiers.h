// store/postgres/postgres_verifiers.h: the table of verifiers, on the store's own connection.
#pragma once

#include <functional>

#include "store/postgres/connection.h"
#include "store/verifiers.h"

namespace marque::store::postgres {

class PostgresVerifiers final : public Verifiers {
 public:
    // `connect`: a connection that lives, outside of any transaction.
    using Connect = std::function<Result<Connection*>()>;
    explicit PostgresVerifiers(Connect connect) : connect_(std::move(connect)) {}

    Result<std::string> add(const VerifierTerms& terms) override;
    Result<std::optional<Renewal>> renew(const std::string& id) override;
    Result<void> acknowledge(const std::string& id, domain::Revision revision, const audit::Digest& seal) override;
    Result<void> tell_closed(const std::string& id, const std::string& why) override;
    Result<VerifierList> all() override;
    Result<void> fence(const std::string& id) override;
    Result<void> remove(const std::string& id) override;
    Result<bool> wait_for_change(Duration longest) override;
    void pause(Duration time) override;

    // The last change: what VerifierList::has_change is about.
    void expect(domain::Revision revision, const audit::Digest& seal) { expected_ = {revision, seal}; }

 private:
    Result<void> set(const char* sql, const std::string& id);

    Connect connect_;
    std::optional<Renewal> expected_;
};

}  // namespace marque::store::postgres
