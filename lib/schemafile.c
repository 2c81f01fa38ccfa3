/* SPDX-License-Identifier: Apache-2.0 */

#include "lib/schemafile.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/jsonget.h"

int
schemafile_version(const char *path, char version[SCHEMAFILE_VERSION_LEN])
{
    FILE *stream = fopen(path, "re");
    const char *text;
    json_t *schema;

    version[0] = '\0';
    if (!stream) {
        return -errno;
    }
    schema = json_loadf(stream, 0, NULL);
    fclose(stream);
    text = jsonget_text(schema, "version");
    if (strlen(text) < SCHEMAFILE_VERSION_LEN) {
        strcpy(version, text);
    }
    json_decref(schema);
    return version[0] ? 0 : -EINVAL;
}
