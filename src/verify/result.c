#include "verify/verify.h"

#include "core/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void verify_result_free(struct verify_result *r)
{
    if (r == NULL)
        return;
    for (unsigned i = 0; i < r->problem_count; i++) {
        free(r->problems[i].where);
        free(r->problems[i].what);
    }
    free(r->problems);
    *r = (struct verify_result){0};
}

void verify_add_problem(struct verify_result *r, const char *where, const char *format, ...)
{
    char what[ERR_TEXT_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    r->problems = xreallocarray(r->problems, (size_t)r->problem_count + 1, sizeof *r->problems);
    r->problems[r->problem_count++] = (struct verify_problem){.where = xstrdup(where), .what = xstrdup(what)};
}
