/*
 * Building blocks of a self-contained HTML page: escaped text, and a frame whose policy lets the page load
 * nothing and run nothing.  All append to out; running into out's maximum is remembered by its length and
 * told at the end.
 */
#ifndef DBSAFE_RECOVERY_HTML_H
#define DBSAFE_RECOVERY_HTML_H

#include "core/buf.h"

/* Doctype, head and the start of the body; style: CSS without "</". */
void html_begin(struct buf *out, const char *title, const char *style);
/* Markup as it is: constant strings and numbers only. */
void html_put(struct buf *out, const char *markup);
/* Text of any origin: & < > " ' escaped, control characters and bytes that are not UTF-8 as U+FFFD. */
void html_text(struct buf *out, const char *text);
/* ERR_NOMEM when not all of it fitted. */
enum err_code html_end(struct buf *out, struct err *err);

#endif
