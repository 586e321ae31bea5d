# SPDX-License-Identifier: Apache-2.0
# The service API of virtioblkd: facts about the disk, and reads that land in the client's memory.
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
    }
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
}
