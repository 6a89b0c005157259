/* What clients ask of their session, inside src/aws only.  Any thread. */
#ifndef DBSAFE_AWS_SESSION_H
#define DBSAFE_AWS_SESSION_H

#include "aws/client.h"

void session_set_clock_offset_ms(struct aws_session *s, int64_t offset_ms);
void session_set_region(struct aws_session *s, const char *region_key, const char *region);
/* As aws_session_region; ask: the metadata service may be asked. */
enum err_code session_region(struct aws_session *s, const char *region_key, bool ask, struct cancel *cancel,
                             struct buf *out, struct err *err);
uint64_t session_random(const struct aws_session *s);

#endif
