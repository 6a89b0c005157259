/*
 * Counts the rows of LOAD DATA text and sums their checksums, as the text comes: newlines inside values are
 * escaped, so a line is a row, and the canonical text of a row is its line without the newline.
 * Belongs to one thread.
 */
#ifndef DBSAFE_ARCHIVE_ROWTEXT_H
#define DBSAFE_ARCHIVE_ROWTEXT_H

#include "archive/manifest.h"

struct rowtext;

struct rowtext *rowtext_new(void);
void rowtext_free(struct rowtext *r);
/* The next piece of text; a line may be split over any number of pieces. */
void rowtext_add(struct rowtext *r, const void *text, size_t bytes);
/* The figures of all text since the last end; starts anew.  False when the text does not end with a newline.
 */
bool rowtext_end(struct rowtext *r, uint64_t *rows, struct rowsum *sum);

#endif
