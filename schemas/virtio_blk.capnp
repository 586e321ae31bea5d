# SPDX-License-Identifier: Apache-2.0
# The service API of virtioblkd: facts about the disk, and reads that land in the client's memory, one
# by one or through a queue in shared memory.
#
# A queue (session) is opened with a page that both sides map (source/libs/block/block_ring.h). Whoever
# holds that page's memory object with the right to write is the session's client: each later request
# about the session brings it along. A session ends when its client's endpoint does.
#
# One Request in the caller's message page, one Response back: single-segment messages of at most
# 1024 bytes, without stream framing. Wide, rare answers are structs of their own, so that the hot
# answer (read) stays small.
@0xbe6a86bba0d7aaa4;

const maximumReadSectors :UInt32 = 256;
# The most sectors that one read may ask for (128 KiB).

struct Request {
  union {
    info @0 :Void;
    read :group {
      # Reads whole sectors by DMA into the memory object whose handle rides along with the call.
      lba @1 :UInt64;
      # First sector, in 512-byte sectors whatever the block size of the device.
      count @2 :UInt32;
      # Sectors, 1 to maximumReadSectors.
      memoryOffset @3 :UInt64;
      # Where the first byte goes in the memory object, in bytes.
      slot @8 :UInt16;
      # 0: the memory object rides along. Else an attached one, whose slot is one less, of the session
      # through whose own endpoint the request comes.
    }
    openQueue :group {
      # Opens a session. Handles: the page of the rings (readable, writable, all zero); a notification
      # to signal when answers are there; an endpoint on which the client keeps the only right to
      # receive.
      noticeBits @4 :UInt64;
      # What to signal.
    }
    attach @5 :Void;
    # Lets queued reads go to a memory object. Handles: the page of the rings; the memory object
    # (writable).
    detach :group {
      # Ends that. Handle: the page of the rings.
      slot @6 :UInt16;
    }
    checkQueue @7 :Void;
    # Is the session known? Handle: the page of the rings.
  }
}

struct Response {
  status @0 :UInt16;
  # An enum nx_status value.
  union {
    empty @1 :Void;
    # Nothing beside the status.
    info @2 :Info;
    read :group {
      bytesRead @3 :UInt32;
      reason @4 :Text;
      # Names the refusal when status is not NX_OK; else absent.
    }
    openQueue :group {
      # Handles: the notification to signal when entries are there; the session's own endpoint, for
      # reads into attached memory.
      doorbellBit @5 :UInt8;
      # Which of its bits.
    }
    attach :group {
      slot @6 :UInt16;
      # Names the memory object in the session's entries.
    }
  }
}

struct Info {
  sectors @0 :UInt64;
  # Capacity in sectors of sectorSize bytes.
  sectorSize @1 :UInt32;
  readOnly @2 :Bool;
  transport @3 :UInt32;
  # 1 is legacy, 2 is modern.
  features @4 :UInt64;
  # As negotiated.
  queueSize @5 :UInt16;
  mmioBase @6 :UInt64;
  # Physical.
  interruptNumber @7 :UInt32;
  requests @8 :UInt64;
  completions @9 :UInt64;
  errors @10 :UInt64;
  resets @11 :UInt64;
  timeouts @12 :UInt64;
  interrupts @13 :UInt64;
  bytesCopied @14 :UInt64;
  # Payload bytes that the service copied instead of having the device write them in place.
  kicks @15 :UInt64;
  # Times that the device was told of new requests.
  sessions @16 :UInt32;
  # Open now.
  queued @17 :UInt64;
  # Reads that came through sessions.
  doorbells @18 :UInt64;
  # Times that clients told the service of entries.
  notices @19 :UInt64;
  # Times that the service told clients of answers.
}
