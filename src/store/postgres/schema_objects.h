// store/postgres/schema_objects.h: what may be in the schema `marque`: what Marque's migrations make, and nothing else.
//
// An attacker with SQL access can add what acts or speaks for a table: a trigger, a rule, a row policy, a child table,
// a default, an index whose expression calls a function. The seals show what came of that; this names its cause, before
// anything is read or written through it.
#pragma once

#include <string_view>

#include "base/result.h"
#include "store/postgres/connection.h"

namespace marque::store::postgres {

// Compares the objects in the schema `marque` with those of `version`. Errors: Corrupt, with the name of the first that
// differs as `tampered`; Unavailable.
Result<void> require_own_objects(Connection& connection, int version);

// Rows of one text: "trigger NAME on TABLE", "column TABLE.NAME bigint not null", and so on. The policies that
// packaging/postgresql/verifier-role.sql puts on the table verifier are let pass by their names: no seal covers that
// table, and an attacker who can change a policy there can change its rows.
constexpr const char* objects_sql = R"(
WITH ours AS (SELECT oid FROM pg_namespace WHERE nspname = 'marque'),
relation AS (SELECT c.* FROM pg_class c JOIN ours ON c.relnamespace = ours.oid)
SELECT line FROM (
    SELECT CASE relkind WHEN 'r' THEN 'table ' WHEN 'v' THEN 'view ' ELSE 'relation ' END || relname || ' '
           || relkind::text || relpersistence::text
           || CASE WHEN relrowsecurity AND relname <> 'verifier' THEN ' row security' ELSE '' END
    FROM relation WHERE relkind NOT IN ('i', 'I')
    UNION ALL
    SELECT 'column ' || relname || '.' || attname || ' ' || format_type(atttypid, atttypmod)
           || CASE WHEN attnotnull THEN ' not null' ELSE '' END
           || coalesce(' collate ' || (SELECT collname FROM pg_collation l WHERE l.oid = attcollation), '')
           || coalesce(' ' || nullif(attgenerated::text || attidentity::text, ''), '')
           || coalesce(' default ' || pg_get_expr(adbin, adrelid), '')
    FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid AND attnum > 0 AND NOT attisdropped
         LEFT JOIN pg_attrdef d ON d.adrelid = r.oid AND d.adnum = attnum
    WHERE relkind NOT IN ('i', 'I')
    UNION ALL
    SELECT 'index ' || relname || ' '
           || regexp_replace(replace(pg_get_indexdef(oid), 'CREATE ', ''), ' ON (ONLY )*[^ ]*[.]', ' ON ')
    FROM relation WHERE relkind IN ('i', 'I')
    UNION ALL
    SELECT 'constraint ' || conname || ' ' || relname || ' '
           || regexp_replace(replace(pg_get_constraintdef(k.oid), '::text', ''), 'REFERENCES ([a-z_]*[.])*', '-> ')
    FROM relation r JOIN pg_constraint k ON k.conrelid = r.oid WHERE contype <> 'n'
    UNION ALL
    SELECT 'trigger ' || tgname || ' on ' || relname
    FROM relation r JOIN pg_trigger t ON t.tgrelid = r.oid WHERE NOT tgisinternal
    UNION ALL
    SELECT 'rule ' || rulename || ' on ' || relname FROM relation r JOIN pg_rewrite w ON w.ev_class = r.oid
    UNION ALL
    SELECT 'policy ' || polname || ' on ' || relname FROM relation r JOIN pg_policy p ON p.polrelid = r.oid
    WHERE relname <> 'verifier' OR polname NOT IN ('reading', 'of_others', 'of_its_login', 'removing_the_dead')
    UNION ALL
    SELECT 'child ' || i.inhrelid::regclass || ' of ' || relname
    FROM relation r JOIN pg_inherits i ON r.oid IN (i.inhparent, i.inhrelid)
    UNION ALL
    SELECT 'function ' || proname FROM pg_proc JOIN ours ON pronamespace = ours.oid
    UNION ALL
    SELECT 'operator ' || oprname FROM pg_operator JOIN ours ON oprnamespace = ours.oid
    UNION ALL
    SELECT 'collation ' || collname FROM pg_collation JOIN ours ON collnamespace = ours.oid
    UNION ALL
    SELECT 'type ' || typname FROM pg_type JOIN ours ON typnamespace = ours.oid
    WHERE typrelid = 0 AND typcategory <> 'A'
) AS objects (line) ORDER BY line COLLATE "C")";

}  // namespace marque::store::postgres
