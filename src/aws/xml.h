/*
 * XML answers as a small tree, over expat.  Elements are known by local name: prefixes, namespaces and the
 * name of the root differ between servers.  Attributes, comments and processing instructions are left out; a
 * document type declaration (and with it any entity but the five of XML) is an error, as are more than 64
 * levels and more than 200,000 elements.
 *
 * The caller owns the tree; it is read-only and may be read by several threads.
 */
#ifndef DBSAFE_AWS_XML_H
#define DBSAFE_AWS_XML_H

#include "core/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct xml;

struct xml_node {
    const char *name;       /* local name */
    const char *text;       /* the character data directly inside, in one piece; never NULL */
    struct xml_node *child; /* the first one, or NULL */
    struct xml_node *next;  /* the next sibling, or NULL */
};

/* White space in front of the document is skipped (S3 sends it to keep a connection alive).  ERR_AWS when it
 * is not well-formed, or past a limit. */
enum err_code xml_parse(const void *data, size_t bytes, struct xml **out, struct err *err);
void xml_free(struct xml *x);

const struct xml_node *xml_root(const struct xml *x);
/* The first child of that name, or NULL; node may be NULL. */
const struct xml_node *xml_child(const struct xml_node *node, const char *name);
/* The next sibling of the same name as node, or NULL: for (n = xml_child(p, "Part"); n; n = xml_again(n)). */
const struct xml_node *xml_again(const struct xml_node *node);
/* The first element of that name anywhere below node (depth first), or NULL. */
const struct xml_node *xml_find(const struct xml_node *node, const char *name);
/* Text of the first child of that name; "" when there is none (then found is false; found may be NULL). */
const char *xml_text(const struct xml_node *node, const char *name, bool *found);
/* The child's text as an unsigned decimal number; false when there is none or it is none. */
bool xml_number(const struct xml_node *node, const char *name, uint64_t *out);

#endif
