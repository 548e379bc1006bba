#include "store/postgres/libpq.h"

#include <dlfcn.h>

#include "base/check.h"

namespace marque::store::postgres {
namespace {

struct Loaded {
    Libpq functions{};
    bool is_whole = false;
};

template <class Function>
bool find(void* library, const char* name, Function& function) {
    function = reinterpret_cast<Function>(::dlsym(library, name));
    return function != nullptr;
}

// Never unloaded: connections may outlive whatever asked for it.
const Loaded& loaded() {
    static const Loaded once = [] {
        Loaded all;
        void* library = ::dlopen("libpq.so.5", RTLD_NOW | RTLD_LOCAL);
        if (library == nullptr) return all;
        Libpq& f = all.functions;
        all.is_whole =
            find(library, "PQclear", f.clear) && find(library, "PQcmdStatus", f.cmd_status) &&
            find(library, "PQcmdTuples", f.cmd_tuples) && find(library, "PQconnectdbParams", f.connect) &&
            find(library, "PQconsumeInput", f.consume_input) && find(library, "PQnotifies", f.notifies) &&
            find(library, "PQsocket", f.socket) && find(library, "PQconninfoFree", f.conninfo_free) &&
            find(library, "PQconninfoParse", f.conninfo_parse) && find(library, "PQdb", f.db) &&
            find(library, "PQerrorMessage", f.error_message) && find(library, "PQexec", f.exec) &&
            find(library, "PQexecPrepared", f.exec_prepared) && find(library, "PQfinish", f.finish) &&
            find(library, "PQfreemem", f.free) && find(library, "PQgetResult", f.get_result) &&
            find(library, "PQftype", f.type) && find(library, "PQgetisnull", f.is_null) &&
            find(library, "PQgetlength", f.length) && find(library, "PQgetvalue", f.value) &&
            find(library, "PQhost", f.host) && find(library, "PQntuples", f.rows) && find(library, "PQport", f.port) &&
            find(library, "PQprepare", f.prepare) && find(library, "PQresultErrorField", f.result_error_field) &&
            find(library, "PQresultStatus", f.result_status) &&
            find(library, "PQsendQueryPrepared", f.send_query_prepared) &&
            find(library, "PQsetNoticeReceiver", f.set_notice_receiver) &&
            find(library, "PQsetSingleRowMode", f.set_single_row_mode) && find(library, "PQstatus", f.status) &&
            find(library, "PQtransactionStatus", f.transaction_status);
        return all;
    }();
    return once;
}

}  // namespace

Result<void> load_libpq() {
    if (loaded().is_whole) return {};
    return Error(Code::Unavailable, "PostgreSQL's client library, libpq.so.5, is not installed",
                 "it is in Debian's package libpq5");
}

const Libpq& pq() {
    CHECK(loaded().is_whole);
    return loaded().functions;
}

}  // namespace marque::store::postgres
