// SPDX-License-Identifier: Apache-2.0
// The Cap'n Proto message runtime: single-segment messages, read in place and built in place.
//
// Programs include the header that capnpc-nexus generated from a schema (virtio_blk.capnp.h) and
// use its typed accessors; those stand on read.h and build.h. Nothing here allocates, and there is
// no state outside what the caller passes.
//
// A message is the words of one segment, without the stream framing of the specification's section
// "Serialization Over a Stream": the transport (the kernel's message info word) carries its length.
#ifndef CAPNP_CAPNP_H
#define CAPNP_CAPNP_H

#include "capnp/build.h"
#include "capnp/read.h"

#endif
