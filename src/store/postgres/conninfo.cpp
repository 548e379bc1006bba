#include "store/postgres/conninfo.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

#include "base/text.h"
#include "store/postgres/libpq.h"

namespace marque::store::postgres {
namespace {

enum class Value {
    Any,
    File,  // the absolute path of a regular file, without a colon: ENGINE:KEY would have OpenSSL load a library
};

struct Allowed {
    std::string_view keyword;
    Value value = Value::Any;
};

constexpr Allowed allowed[] = {
    // The server and the login. libpq looks up a saved password by the host, port, database and user that it connects
    // to.
    {"host"},
    {"port"},
    {"dbname"},
    {"user"},
    // libpq takes passwords out of it only for the host that it connects to.
    {"passfile", Value::File},
    // How the connection is protected.
    {"sslmode"},
    {"sslnegotiation"},
    {"sslrootcert", Value::File},
    {"sslcert", Value::File},
    {"sslkey", Value::File},
    {"sslcrl", Value::File},
    {"sslsni"},
    {"sslcertmode"},
    {"ssl_min_protocol_version"},
    {"ssl_max_protocol_version"},
    {"channel_binding"},
    {"require_auth"},
    {"requirepeer"},
    {"gssencmode"},
    {"krbsrvname"},
    // How long it may take, and which of several servers.
    {"connect_timeout"},
    {"keepalives"},
    {"keepalives_idle"},
    {"keepalives_interval"},
    {"keepalives_count"},
    {"tcp_user_timeout"},
    {"target_session_attrs"},
    {"load_balance_hosts"},
    // These can do no harm: two are labels, and Marque overrides client_encoding with UTF8.
    {"application_name"},
    {"fallback_application_name"},
    {"client_encoding"},
};

struct Refused {
    std::string_view keyword, reason, hint;
};

constexpr std::string_view password_hint = "put it into a password file: ~/.pgpass, or passfile=/absolute/path";

constexpr Refused refused[] = {
    {"password", "would be stored in the clear", password_hint},
    {"sslpassword", "would be stored in the clear", "take a key without a passphrase, mode 600"},
    {"scram_client_key", "is as good as a password", password_hint},
    {"scram_server_key", "is as good as a password", password_hint},
    {"oauth_client_secret", "is as good as a password", password_hint},
    {"service", "stands for settings in another file, which can be anything",
     "write out what the service says: host=… port=… dbname=… user=…"},
    {"servicefile", "stands for settings in another file, which can be anything",
     "write out what the service says: host=… port=… dbname=… user=…"},
    {"hostaddr", "sends the password that is saved for one host to another", "write host="},
    {"options", "changes the settings of the session, on which the store's guarantees rest",
     "set what you need for the role: ALTER ROLE … SET …"},
    {"replication", "makes a connection that is no session of SQL", ""},
    {"gssdelegation", "hands the account's Kerberos credentials to the server", ""},
    {"gsslib", "names a library to load", ""},
    {"sslkeylogfile", "writes the keys of the connection to a file", ""},
    {"sslcrldir", "is a folder that is searched", "name the one file with sslcrl="},
    {"sslcompression", "weakens the encryption", ""},
};

Result<void> check_file(const PQconninfoOption& option) {
    const std::string_view path = option.val;
    const std::string name = fmt::format("{}={}", option.keyword, quote(path, 200));
    // The system's own authorities, from libpq 16 on.
    if (path == "system" && std::strcmp(option.keyword, "sslrootcert") == 0) return {};
    if (!path.starts_with('/') || path.find(':') != std::string_view::npos)
        return Error(Code::InvalidRequest, fmt::format("{} is not an absolute path without a colon", name),
                     "a colon would have a library loaded; another working folder would find another file");
    struct stat info{};
    if (::stat(option.val, &info) == 0 && !S_ISREG(info.st_mode))
        return Error(Code::InvalidRequest, name + " is not a regular file");
    return {};
}

Result<void> check_option(const PQconninfoOption& option) {
    const std::string_view keyword = option.keyword;
    if (const auto* known = std::ranges::find(allowed, keyword, &Allowed::keyword); known != std::end(allowed)) {
        if (known->value == Value::File) return check_file(option);
        return {};
    }
    const auto* why = std::ranges::find(refused, keyword, &Refused::keyword);
    if (why == std::end(refused))
        return Error(Code::InvalidRequest, fmt::format("the connection string holds {}, which is not known", keyword),
                     "docs/postgresql.md says what it may hold");
    return Error(Code::InvalidRequest, fmt::format("the connection string holds a {}, which {}", keyword, why->reason),
                 std::string(why->hint));
}

// Set by Marque for every connection, whatever the environment says (connection.cpp); the password leads nowhere.
bool is_of_no_consequence(std::string_view keyword) {
    return keyword == "password" || keyword == "connect_timeout" || keyword == "application_name" ||
           keyword == "client_encoding";
}

std::string first_line(const char* text) {
    const std::string_view all = text;
    return escaped(all.substr(0, std::min<std::size_t>(all.find('\n'), 400)));
}

}  // namespace

Result<void> check_conninfo(const std::string& conninfo) {
    TRY(load_libpq());
    struct Free {
        void operator()(PQconninfoOption* options) const { pq().conninfo_free(options); }
    };
    char* why = nullptr;
    const std::unique_ptr<PQconninfoOption, Free> options(pq().conninfo_parse(conninfo.c_str(), &why));
    if (!options) {
        const std::string said = why == nullptr ? "out of memory" : first_line(why);
        if (why != nullptr) pq().free(why);
        return Error(Code::InvalidRequest, "the connection string makes no sense: " + said);
    }
    for (const PQconninfoOption* option = options.get(); option->keyword != nullptr; ++option)
        if (option->val != nullptr) TRY(check_option(*option));
    for (const PQconninfoOption* option = options.get(); option->keyword != nullptr; ++option) {
        const char* said = option->envvar == nullptr ? nullptr : std::getenv(option->envvar);
        if (option->val == nullptr && said != nullptr && *said != '\0' && !is_of_no_consequence(option->keyword))
            return Error(Code::InvalidRequest,
                         fmt::format("the environment has {}, and the connection string does not say {}=",
                                     option->envvar, option->keyword),
                         "unset it, or write it into the connection string");
    }
    return {};
}

void forget_environment_of_libpq() {
    // libpq reads the PG variables. OPENSSL_ and KRB5_CONFIG variables name configuration files, which can load
    // libraries. SSLKEYLOGFILE would write the connection's keys to a file.
    static constexpr std::string_view followed[] = {"PG", "OPENSSL_", "KRB5_CONFIG", "SSLKEYLOGFILE"};
    std::vector<std::string> names;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string_view name = std::string_view(*entry).substr(0, std::string_view(*entry).find('='));
        const bool is_followed =
            std::ranges::any_of(followed, [&](std::string_view prefix) { return name.starts_with(prefix); });
        if (is_followed && name != "PGPASSWORD") names.emplace_back(name);
    }
    for (const std::string& name : names) ::unsetenv(name.c_str());
}

}  // namespace marque::store::postgres
