/*
 * The log: lines on standard error (or any descriptor), as text for people or JSON for machines.
 * Any thread may log.  A progress bar, when one is drawn, is redrawn below each line.
 */
#ifndef DBSAFE_CORE_LOG_H
#define DBSAFE_CORE_LOG_H

#include "core/clock.h"

#include <stdbool.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_TEXT, LOG_JSON };

struct log;

/* level: the most talkative level that is printed.  clock is borrowed. */
struct log *log_new(int fd, enum log_level level, enum log_format format, const struct clock *clock);
void log_free(struct log *l);

/* l may be NULL: nothing is printed. */
void log_error(struct log *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_warn(struct log *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_info(struct log *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_debug(struct log *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool log_wants(const struct log *l, enum log_level level);

/* Replaces the status line at the bottom of the terminal ("" removes it). Text format only. */
void log_status(struct log *l, const char *line);

#endif
