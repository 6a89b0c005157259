#include "restore/preflight.h"

enum err_code preflight_restore(struct preflight *p, struct err *err)
{
    enum err_code code = facts_read(p->conn, p->arena, &p->facts, err);
    if (code == ERR_OK)
        code = grants_read(p->conn, &p->grants, err);
    if (code == ERR_OK) {
        preflight_family(p);
        preflight_server(p);
        preflight_rights(p);
        preflight_space(p);
    }
    grants_free(p->grants);
    p->grants = NULL;
    return code;
}
