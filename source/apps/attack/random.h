// SPDX-License-Identifier: Apache-2.0
// A seeded series of numbers (splitmix64): the same seed gives the same attack, as far as the harts
// take their turns alike.
#ifndef ATTACK_RANDOM_H
#define ATTACK_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct random {
    uint64_t state;
};

static inline uint64_t random_next(struct random *random)
{
    uint64_t mixed = random->state += 0x9e3779b97f4a7c15ull;
    mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9ull;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebull;
    return mixed ^ mixed >> 31;
}

// 0 to limit - 1.
static inline uint64_t random_below(struct random *random, uint64_t limit)
{
    return random_next(random) % limit;
}

static inline bool random_one_in(struct random *random, uint64_t count)
{
    return random_below(random, count) == 0;
}

// A series of its own for each pair of numbers.
static inline struct random random_fork(uint64_t seed, uint64_t major, uint64_t minor)
{
    struct random random = {seed ^ major << 32 ^ minor << 1};
    random.state = random_next(&random);
    return random;
}

#endif
