// store/postgres/libpq.h: PostgreSQL's client library, loaded when a store first needs it.
//
// Linked in, it and the dozen libraries behind it would double what every command costs to start, for those too who
// have no PostgreSQL; and they could not do without having it installed.
#pragma once

#include <libpq-fe.h>

#include "base/result.h"

namespace marque::store::postgres {

// Its functions, as far as they are called, by their names without PQ.
struct Libpq {
    decltype(&::PQclear) clear;
    decltype(&::PQcmdStatus) cmd_status;
    decltype(&::PQcmdTuples) cmd_tuples;
    decltype(&::PQconnectdbParams) connect;
    decltype(&::PQconsumeInput) consume_input;
    decltype(&::PQconninfoFree) conninfo_free;
    decltype(&::PQconninfoParse) conninfo_parse;
    decltype(&::PQdb) db;
    decltype(&::PQerrorMessage) error_message;
    decltype(&::PQexec) exec;
    decltype(&::PQexecPrepared) exec_prepared;
    decltype(&::PQfinish) finish;
    decltype(&::PQfreemem) free;
    decltype(&::PQgetResult) get_result;
    decltype(&::PQftype) type;
    decltype(&::PQgetisnull) is_null;
    decltype(&::PQgetlength) length;
    decltype(&::PQnotifies) notifies;
    decltype(&::PQgetvalue) value;
    decltype(&::PQhost) host;
    decltype(&::PQntuples) rows;
    decltype(&::PQport) port;
    decltype(&::PQprepare) prepare;
    decltype(&::PQresultErrorField) result_error_field;
    decltype(&::PQresultStatus) result_status;
    decltype(&::PQsendQueryPrepared) send_query_prepared;
    decltype(&::PQsetNoticeReceiver) set_notice_receiver;
    decltype(&::PQsetSingleRowMode) set_single_row_mode;
    decltype(&::PQsocket) socket;
    decltype(&::PQstatus) status;
    decltype(&::PQtransactionStatus) transaction_status;
};

// Loads it, once. Thread-safe. Errors: Unavailable when it is not installed.
Result<void> load_libpq();

// Loaded before.
const Libpq& pq();

}  // namespace marque::store::postgres
