#include "aws/xml.h"

#include "core/arena.h"
#include "core/buf.h"
#include "core/mem.h"

#include <expat.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 64
#define NODES_MAX 200000

struct xml {
    struct arena *arena;
    struct xml_node *root;
};

/* An element that is open: text comes in pieces, with children in between. */
struct level {
    struct xml_node *node;
    struct xml_node *last_child;
    struct buf text;
};

struct parse {
    XML_Parser parser;
    struct xml *xml;
    struct level levels[DEPTH_MAX];
    unsigned depth;
    unsigned nodes;
    size_t bytes;        /* of the document: no text is longer */
    const char *refused; /* why we stopped the parser, or NULL */
};

static void refuse(struct parse *p, const char *why)
{
    p->refused = why;
    XML_StopParser(p->parser, XML_FALSE);
}

static const char *local_name(const char *name)
{
    const char *colon = strrchr(name, ':');
    return colon != NULL ? colon + 1 : name;
}

static void link_node(struct parse *p, struct xml_node *node)
{
    if (p->depth == 0) {
        p->xml->root = node;
        return;
    }
    struct level *parent = &p->levels[p->depth - 1];
    if (parent->last_child != NULL)
        parent->last_child->next = node;
    else
        parent->node->child = node;
    parent->last_child = node;
}

static void XMLCALL on_start(void *arg, const XML_Char *name, const XML_Char **attributes)
{
    struct parse *p = arg;
    (void)attributes;
    if (p->refused != NULL)
        return;
    if (p->depth == DEPTH_MAX || p->nodes == NODES_MAX) {
        refuse(p, "too many elements, or too deep");
        return;
    }
    struct xml_node *node = arena_alloc(p->xml->arena, sizeof *node);
    node->name = arena_strdup(p->xml->arena, local_name(name));
    node->text = "";
    link_node(p, node);
    p->nodes++;
    struct level *l = &p->levels[p->depth++];
    *l = (struct level){.node = node};
    buf_init(&l->text, p->bytes);
}

static void XMLCALL on_end(void *arg, const XML_Char *name)
{
    struct parse *p = arg;
    (void)name;
    if (p->refused != NULL)
        return;
    struct level *l = &p->levels[--p->depth];
    if (l->text.len > 0)
        l->node->text = arena_strndup(p->xml->arena, l->text.data, l->text.len);
    buf_free(&l->text);
}

static void XMLCALL on_text(void *arg, const XML_Char *text, int bytes)
{
    struct parse *p = arg;
    if (p->refused == NULL && p->depth > 0 &&
        buf_add(&p->levels[p->depth - 1].text, text, (size_t)bytes, NULL) != ERR_OK)
        refuse(p, "a text is too long");
}

static void XMLCALL on_doctype(void *arg, const XML_Char *name, const XML_Char *system_id,
                               const XML_Char *public_id, int internal)
{
    (void)name;
    (void)system_id;
    (void)public_id;
    (void)internal;
    refuse(arg, "it has a document type declaration");
}

static enum err_code parse_document(struct parse *p, const char *data, size_t bytes, struct err *err)
{
    XML_SetUserData(p->parser, p);
    XML_SetElementHandler(p->parser, on_start, on_end);
    XML_SetCharacterDataHandler(p->parser, on_text);
    XML_SetStartDoctypeDeclHandler(p->parser, on_doctype);
    enum XML_Status status = XML_Parse(p->parser, data, (int)bytes, XML_TRUE);
    enum err_code rc = ERR_OK;
    if (p->refused != NULL)
        rc = err_set(err, ERR_AWS, "the XML answer is refused: %s", p->refused);
    else if (status != XML_STATUS_OK)
        rc = err_set(err, ERR_AWS, "the answer is not well-formed XML: line %lu: %s",
                     (unsigned long)XML_GetCurrentLineNumber(p->parser),
                     XML_ErrorString(XML_GetErrorCode(p->parser)));
    while (p->depth > 0)
        buf_free(&p->levels[--p->depth].text);
    return rc;
}

enum err_code xml_parse(const void *data, size_t bytes, struct xml **out, struct err *err)
{
    const char *text = data;
    *out = NULL;
    while (bytes > 0 && memchr(" \t\r\n", *text, 4) != NULL) {
        text++;
        bytes--;
    }
    if (bytes == 0)
        return err_set(err, ERR_AWS, "the answer is empty where XML was expected");
    if (bytes > INT32_MAX)
        return err_set(err, ERR_AWS, "the XML answer is too long");
    struct parse *p = xcalloc(1, sizeof *p);
    p->parser = XML_ParserCreate(NULL);
    p->bytes = bytes;
    p->xml = xcalloc(1, sizeof *p->xml);
    p->xml->arena = arena_new();
    enum err_code rc = p->parser != NULL ? parse_document(p, text, bytes, err)
                                         : err_set(err, ERR_NOMEM, "no memory for an XML parser");
    if (rc == ERR_OK)
        *out = p->xml;
    else
        xml_free(p->xml);
    if (p->parser != NULL)
        XML_ParserFree(p->parser);
    free(p);
    return rc;
}

void xml_free(struct xml *x)
{
    if (x == NULL)
        return;
    arena_free(x->arena);
    free(x);
}

const struct xml_node *xml_root(const struct xml *x)
{
    return x->root;
}

static const struct xml_node *first_named(const struct xml_node *node, const char *name)
{
    while (node != NULL && strcmp(node->name, name) != 0)
        node = node->next;
    return node;
}

const struct xml_node *xml_child(const struct xml_node *node, const char *name)
{
    return node != NULL ? first_named(node->child, name) : NULL;
}

const struct xml_node *xml_again(const struct xml_node *node)
{
    return first_named(node->next, node->name);
}

/* Recursion is as deep as the document at most: DEPTH_MAX. */
const struct xml_node *xml_find(const struct xml_node *node, const char *name)
{
    for (const struct xml_node *n = node != NULL ? node->child : NULL; n != NULL; n = n->next) {
        if (strcmp(n->name, name) == 0)
            return n;
        const struct xml_node *below = xml_find(n, name);
        if (below != NULL)
            return below;
    }
    return NULL;
}

const char *xml_text(const struct xml_node *node, const char *name, bool *found)
{
    const struct xml_node *n = xml_child(node, name);
    if (found != NULL)
        *found = n != NULL;
    return n != NULL ? n->text : "";
}

bool xml_number(const struct xml_node *node, const char *name, uint64_t *out)
{
    const char *text = xml_text(node, name, NULL);
    uint64_t n = 0;
    for (const char *s = text; *s != '\0'; s++) {
        unsigned digit = (unsigned)(*s - '0');
        if (digit > 9 || n > (UINT64_MAX - digit) / 10)
            return false;
        n = n * 10 + digit;
    }
    *out = n;
    return *text != '\0';
}
