#include "restore/refusals.h"

#include <stdarg.h>
#include <stdio.h>

#define REASON_BYTES 1024

void refuse(struct findings *f, const char *format, ...)
{
    char reason[REASON_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    findings_add(f, FINDING_REFUSAL, "live tables", NULL, "%s", reason);
}
