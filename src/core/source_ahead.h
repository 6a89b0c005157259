/*
 * A stream over a seekable source that several threads read ahead of its one reader: for sources where a read
 * takes long and many may run at once (source.lanes).  Reads have ascending offsets without gaps.
 */
#ifndef DBSAFE_CORE_SOURCE_AHEAD_H
#define DBSAFE_CORE_SOURCE_AHEAD_H

#include "core/source.h"

/* src is borrowed.  At most (src->lanes + 1) x piece_bytes are held; threads start with the first read.  Its
 * size is known (source.size), though it is not seekable.  Freeing it waits for the reads that are under way.
 */
struct source *source_ahead_new(struct source *src, size_t piece_bytes, struct cancel *cancel);

#endif
