// What a connection string may say, in both of libpq's forms. No server is needed.
#include "store/postgres/conninfo.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "store/postgres/libpq.h"

namespace marque::store::postgres {
namespace {

class Conninfo : public testing::Test {
 protected:
    void SetUp() override {
        if (!load_libpq()) GTEST_SKIP() << "libpq.so.5 is not installed";
        forget_environment_of_libpq();
    }
    // Why it is refused; empty: it is taken.
    static std::string refusal(const std::string& conninfo) {
        const auto checked = check_conninfo(conninfo);
        if (checked) return {};
        EXPECT_EQ(checked.error().code, Code::InvalidRequest) << conninfo;
        return checked.error().message;
    }
};

TEST_F(Conninfo, TakesWhatIsNeededToConnect) {
    for (const char* conninfo :
         {"host=db.example.org dbname=marque", "host=a,b port=5432,5433 user=marque target_session_attrs=read-write",
          "postgresql://marque@db.example.org:5432/marque?sslmode=verify-full&sslrootcert=/etc/ssl/ca.pem",
          "host=/run/postgresql sslmode=verify-full sslrootcert=system sslcert=/x/c.pem sslkey=/x/k.pem",
          "passfile=/etc/marque/pgpass connect_timeout=3 keepalives=1 application_name=a channel_binding=require"})
        EXPECT_EQ(refusal(conninfo), "") << conninfo;
}

TEST_F(Conninfo, RefusesWhatLoadsCodeReadsFilesOrSendsThePasswordElsewhere) {
    for (const auto& [conninfo, why] : {
             std::pair{"host=h sslkey=/x/evil.so:x", "sslkey='/x/evil.so:x' is not an absolute path without a colon"},
             {"postgresql://h/d?sslkey=/x/evil.so%3Ax", "is not an absolute path without a colon"},
             {"sslkey=pkcs11:token=x", "is not an absolute path without a colon"},
             {"sslcert=client.pem", "is not an absolute path without a colon"},
             {"sslrootcert=/dev/zero", "sslrootcert='/dev/zero' is not a regular file"},
             {"passfile=pgpass", "is not an absolute path"},
             {"host=h hostaddr=127.0.0.1", "holds a hostaddr, which sends the password"},
             {"postgresql://h/d?hostaddr=127.0.0.1", "holds a hostaddr"},
             {"service=marque", "holds a service, which stands for settings in another file"},
             {"options=-csynchronous_commit=off", "holds a options, which changes the settings"},
             {"password=secret", "holds a password, which would be stored"},
             {"postgresql://u:secret@h/d", "holds a password"},
             {"sslpassword=secret", "holds a sslpassword"},
             {"replication=database", "holds a replication"},
             {"hsot=h", "makes no sense"},
         })
        EXPECT_NE(refusal(conninfo).find(why), std::string::npos) << conninfo << ": " << refusal(conninfo);
    EXPECT_EQ(refusal("password=secret").find("secret"), std::string::npos);
}

// A keyword that a later libpq knows is refused until somebody has thought about it.
TEST_F(Conninfo, EveryKeywordOfThisLibpqIsTakenOrRefusedWithAReason) {
    char* why = nullptr;
    PQconninfoOption* const options = pq().conninfo_parse("", &why);
    ASSERT_NE(options, nullptr);
    for (const PQconninfoOption* option = options; option->keyword != nullptr; ++option) {
        const std::string said = refusal(std::string(option->keyword) + "=/x");
        EXPECT_EQ(said.find("which is not known"), std::string::npos) << said;
    }
    pq().conninfo_free(options);
}

TEST_F(Conninfo, TheEnvironmentAddsNothing) {
    for (const char* name : {"PGHOST", "PGHOSTADDR", "PGSERVICE", "PGOPTIONS", "PGSSLKEY", "PGPASSFILE", "PGUSER"}) {
        ::setenv(name, "/x", 1);
        EXPECT_NE(refusal("dbname=d").find(std::string("the environment has ") + name), std::string::npos) << name;
        forget_environment_of_libpq();
        EXPECT_EQ(std::getenv(name), nullptr);
        EXPECT_EQ(refusal("dbname=d"), "") << name;
    }
    // The string says it, so the environment does not matter.
    ::setenv("PGHOST", "elsewhere", 1);
    EXPECT_EQ(refusal("host=h"), "");
    ::setenv("PGPASSWORD", "secret", 1);
    ::setenv("OPENSSL_CONF", "/x", 1);
    forget_environment_of_libpq();
    EXPECT_EQ(std::getenv("OPENSSL_CONF"), nullptr);
    EXPECT_STREQ(std::getenv("PGPASSWORD"), "secret");
    ::unsetenv("PGPASSWORD");
}

}  // namespace
}  // namespace marque::store::postgres
