/* Times in AWS answers.  Any thread. */
#ifndef DBSAFE_AWS_AWS_TIME_H
#define DBSAFE_AWS_AWS_TIME_H

#include <stdbool.h>
#include <stdint.h>

/* ISO 8601 as servers and credential programs write it: "2026-11-23T19:04:05Z", with a fraction, with
 * "+01:00" instead of Z.  Milliseconds since 1970; false when malformed. */
bool aws_time_parse(const char *text, int64_t *wall_ms);
/* The Date of HTTP (RFC 9110, 5.6.7). */
bool aws_time_parse_http(const char *text, int64_t *wall_ms);

#endif
