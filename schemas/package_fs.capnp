# SPDX-License-Identifier: Apache-2.0
# The service API of packagefsd: the read-only files of pkg://.
#
# One Request in the caller's message page, one Response back: single-segment messages of at most
# 1024 bytes, without stream framing. Paths start at the root of the package and carry no scheme.
@0xe35ce06df072a5fa;

enum FileType {
  unknown @0;
  regular @1;
  directory @2;
  symlink @3;
}

enum Source {
  none @0;
  virtioBlk @1;
  fixtures @2;
}

struct Request {
  union {
    status @0 :Void;
    open :group {
      # The reply carries a read-only memory-object handle whose bytes are the file.
      path @1 :Text;
      release @10 :UInt64;
      # A node that the client closes on the way; 0 is none. It counts whether or not the open
      # succeeds. One that the client does not have open is passed over.
    }
    fetch :group {
      # Makes a range of an open file's memory object valid. The node is one that this client, by
      # its badge, has open; that goes for close, too.
      node @2 :UInt64;
      offset @3 :UInt64;
      length @4 :UInt64;
    }
    close :group {
      node @5 :UInt64;
    }
    stat :group {
      # Does not follow a symlink at the end of the path.
      path @6 :Text;
    }
    list :group {
      path @7 :Text;
      cookie @8 :UInt64;
      # 0 starts at the first entry; else the nextCookie of the answer before.
    }
    readLink :group {
      path @9 :Text;
    }
  }
}

struct Response {
  status @0 :UInt16;
  # An enum nx_status value.
  union {
    empty @1 :Void;
    # Nothing beside the status: every failure, and a close that succeeded.
    report @2 :Report;
    # Answers status.
    open :group {
      node @3 :UInt64;
      size @4 :UInt64;
      mode @5 :UInt16;
      type @6 :FileType;
      valid @19 :UInt64;
      # Bytes from the start of the file that are valid now: these need no fetch.
    }
    fetch :group {
      # The range that is valid now; it holds the one asked for, cut at the end of the file.
      offset @7 :UInt64;
      length @8 :UInt64;
    }
    stat :group {
      node @9 :UInt64;
      size @10 :UInt64;
      modifiedSeconds @11 :UInt64;
      # Since 1970-01-01 00:00 UTC.
      links @12 :UInt32;
      mode @13 :UInt16;
      # Permission bits as in POSIX; the type is apart.
      type @14 :FileType;
    }
    list :group {
      entries @15 :List(Entry);
      # As many as fit into one message.
      nextCookie @16 :UInt64;
      done @17 :Bool;
    }
    readLink :group {
      target @18 :Text;
    }
  }
}

struct Entry {
  name @0 :Text;
  node @1 :UInt64;
  size @2 :UInt64;
  type @3 :FileType;
}

struct Report {
  source @0 :Source;
  blocks @1 :UInt64;
  blockSize @2 :UInt32;
  reads @3 :UInt64;
  # Read requests that reached the block service.
  cacheHits @4 :UInt64;
  cacheMisses @5 :UInt64;
  ioErrors @6 :UInt64;
  verifiedBlocks @7 :UInt64;
  # Blocks found right, of data and of the hash tree itself; 0 for the fixtures, which have none.
  openFiles @8 :UInt32;
  imageVersion @9 :UInt64;
  # 0 for the fixtures.
  hashErrors @10 :UInt64;
  # Blocks found wrong.
}
