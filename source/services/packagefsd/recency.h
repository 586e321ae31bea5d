// SPDX-License-Identifier: Apache-2.0
// A list in order of use: what was touched last is in front, what to give up first is at the back.
//
// The links live in the members, so nothing is allocated. A member is in one list at a time;
// whoever owns the list guards it.
#ifndef PACKAGEFSD_RECENCY_H
#define PACKAGEFSD_RECENCY_H

#include <stdbool.h>
#include <stddef.h>

struct recency_link {
    struct recency_link *newer;
    struct recency_link *older;
};

// The head is a link itself: head.older is the newest member, head.newer the oldest.
struct recency_list {
    struct recency_link head;
};

// The member of type `type` whose link `field` is at `link`.
#define RECENCY_MEMBER(link, type, field)                                                          \
    ((type *)(void *)((unsigned char *)(link)-offsetof(type, field)))

static inline void recency_init(struct recency_list *list)
{
    list->head.newer = &list->head;
    list->head.older = &list->head;
}

static inline void recency_remove(struct recency_link *link)
{
    link->newer->older = link->older;
    link->older->newer = link->newer;
}

// Adds a member that is in no list, as the newest.
static inline void recency_add(struct recency_list *list, struct recency_link *link)
{
    link->newer = &list->head;
    link->older = list->head.older;
    list->head.older->newer = link;
    list->head.older = link;
}

// Makes a member of any list the newest of `list`.
static inline void recency_touch(struct recency_list *list, struct recency_link *link)
{
    recency_remove(link);
    recency_add(list, link);
}

// The member to give up first, or NULL.
static inline struct recency_link *recency_oldest(struct recency_list *list)
{
    return list->head.newer != &list->head ? list->head.newer : NULL;
}

// The member to give up after `link`, or NULL.
static inline struct recency_link *recency_next_oldest(struct recency_list *list,
                                                       const struct recency_link *link)
{
    return link->newer != &list->head ? link->newer : NULL;
}

#endif
