/*
 * Reasons of the live side to refuse a restore or an undo, collected so that all are told at once.
 */
#ifndef DBSAFE_RESTORE_REFUSALS_H
#define DBSAFE_RESTORE_REFUSALS_H

#include "core/findings.h"

/* Adds a refusal under the topic "live tables"; the same reason is kept once. */
void refuse(struct findings *f, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
