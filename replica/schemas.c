/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "replica/schemas.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "column.h"
#include "openvswitch/json.h"
#include "ovsdb-error.h"
#include "ovsdb.h"
#include "ovsdb/table.h"
#include "util.h"

#include "lib/version.h"

/* What one schema has and another has not. */
struct lack {
    const char *table, *column; /* NULL: nothing; only the column: no table. */
};

static struct ovsdb_schema *
schema_parse(const char *text)
{
    struct json *json = json_from_string(text);
    struct ovsdb_schema *schema;

    ovsdb_error_destroy(ovsdb_schema_from_json(json, &schema));
    json_destroy(json);
    return schema; /* NULL after an error. */
}

/* The first thing of 'other' that 'one' has no place for. */
static struct lack
schema_lacks(const struct ovsdb_schema *one, const struct ovsdb_schema *other)
{
    struct shash_node *t, *c;

    SHASH_FOR_EACH (t, &other->tables) {
        const struct ovsdb_table_schema *theirs = t->data;
        const struct ovsdb_table_schema *ours =
            shash_find_data(&one->tables, t->name);

        if (!ours) {
            return (struct lack){ .table = t->name };
        }
        SHASH_FOR_EACH (c, &theirs->columns) {
            if (!ovsdb_table_schema_get_column(ours, c->name)) {
                return (struct lack){ .table = t->name, .column = c->name };
            }
        }
    }
    return (struct lack){ .table = NULL };
}

/* The caller frees it. */
static char *
lack_to_string(const struct lack *l)
{
    return l->column ? xasprintf("column %s of %s", l->column, l->table)
                     : xasprintf("table %s", l->table);
}

/* 'theirs' has what 'l' names, and the own database has no place for it. */
static enum schemas_fit
judge_lack(const struct ovsdb_schema *ours, const struct ovsdb_schema *theirs,
           const struct lack *l, char why[WIRE_WHY_LEN])
{
    struct lack other = schema_lacks(theirs, ours);
    char *mine, *its;

    if (!other.table) {
        return SCHEMAS_CONVERT;
    }
    mine = lack_to_string(&other);
    its = lack_to_string(l);
    snprintf(why, WIRE_WHY_LEN,
             "schemas do not fit: the source's %s has %s, which the own %s "
             "lacks, and lacks %s",
             theirs->version, its, ours->version, mine);
    free(mine);
    free(its);
    return SCHEMAS_REFUSE;
}

static enum schemas_fit
schemas_judge(const struct ovsdb_schema *ours,
              const struct ovsdb_schema *theirs, char why[WIRE_WHY_LEN])
{
    struct lack l;

    if (strcmp(ours->name, theirs->name)) {
        snprintf(why, WIRE_WHY_LEN,
                 "own database is %.40s, the source's %.40s", ours->name,
                 theirs->name);
        return SCHEMAS_REFUSE;
    }
    l = schema_lacks(ours, theirs);
    if (l.table) {
        return judge_lack(ours, theirs, &l, why);
    }
    /* A newer one of the same columns may allow more values in them. */
    l = schema_lacks(theirs, ours);
    return !l.table && version_cmp(theirs->version, ours->version) > 0
               ? SCHEMAS_CONVERT
               : SCHEMAS_FIT;
}

enum schemas_fit
schemas_fit(const char *ours_text, const char *theirs_text,
            char why[WIRE_WHY_LEN])
{
    struct ovsdb_schema *ours = schema_parse(ours_text);
    struct ovsdb_schema *theirs = schema_parse(theirs_text);
    enum schemas_fit fit = SCHEMAS_REFUSE;

    if (!ours || !theirs) {
        snprintf(why, WIRE_WHY_LEN, "%s schema cannot be understood",
                 ours ? "the source's" : "the own");
    } else {
        fit = schemas_judge(ours, theirs, why);
    }
    if (fit == SCHEMAS_CONVERT) {
        snprintf(why, WIRE_WHY_LEN,
                 "the own database is converted from schema %.20s to the "
                 "source's %.20s",
                 ours->version, theirs->version);
    }
    ovsdb_schema_destroy(ours);
    ovsdb_schema_destroy(theirs);
    return fit;
}

bool
schemas_has_all(const char *one_text, const char *other_text)
{
    struct ovsdb_schema *one = schema_parse(one_text);
    struct ovsdb_schema *other = schema_parse(other_text);
    bool all = one && other && !schema_lacks(one, other).table;

    ovsdb_schema_destroy(one);
    ovsdb_schema_destroy(other);
    return all;
}

bool
schemas_are_equal(const char *one_text, const char *other_text)
{
    struct ovsdb_schema *one = schema_parse(one_text);
    struct ovsdb_schema *other = schema_parse(other_text);
    bool equal = one && other && ovsdb_schema_equal(one, other);

    ovsdb_schema_destroy(one);
    ovsdb_schema_destroy(other);
    return equal;
}
