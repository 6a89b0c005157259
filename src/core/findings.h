/*
 * What a check found: sentences with a weight, what they are about, and what would help.  Owned by its
 * caller; one thread.
 */
#ifndef DBSAFE_CORE_FINDINGS_H
#define DBSAFE_CORE_FINDINGS_H

#include "core/err.h"

#include <stdbool.h>

enum finding_level {
    FINDING_OK,      /* looked at and fine */
    FINDING_NOTE,    /* worth knowing */
    FINDING_WARNING, /* may surprise */
    FINDING_REFUSAL  /* the command would be refused */
};

struct finding {
    enum finding_level level;
    const char *topic; /* constant: "privileges", "space" */
    char *text;
    char *remedy; /* a statement to run or an option to give; NULL: none */
};

struct findings {
    struct finding *items;
    unsigned count, cap;
};

void findings_free(struct findings *f);
/* The same sentence is kept once.  remedy may be NULL; it is copied. */
void findings_add(struct findings *f, enum finding_level level, const char *topic, const char *remedy,
                  const char *format, ...) __attribute__((format(printf, 5, 6)));
unsigned findings_count(const struct findings *f, enum finding_level level);
const char *finding_level_name(enum finding_level level); /* "ok", "note", "warning", "refusal" */
/* ERR_REFUSED with the refusals as "\n  text: remedy", as many as an error holds and the number of the
 * others, or ERR_OK when there are none. */
enum err_code findings_check(const struct findings *f, const char *what, struct err *err);

#endif
