# SPDX-License-Identifier: Apache-2.0
# The service API of uartd: the console, by lines and by raw bytes.
#
# One Request in the caller's message page, one Response back: single-segment messages of at most
# 1024 bytes, without stream framing. readLine, readBytes and flush block: the server keeps the
# caller's reply right until there is something to say.
@0xd89fafc273250c50;

struct Request {
  union {
    status @0 :Void;
    write :group {
      data @1 :Data;
    }
    readLine :group {
      # NX_ERR_TOO_LARGE: a line was entered that is longer than the editor's 256 bytes; it is lost.
      prompt @2 :Text;
    }
    readBytes :group {
      # Raw input, without echo or editing: at least one byte, at most this many.
      maximum @3 :UInt32;
    }
    setCompletions :group {
      # The words that the tab key completes to on the first place of a line.
      words @4 :List(Text);
    }
    flush @5 :Void;
    # Answered when everything before it has left the device: the kernel log as of now, and what was
    # written by anybody. NX_ERR_BUSY: too many callers wait for that already; ask again.
    watchInterrupt :group {
      # Ctrl-C signals these bits to the notification that rides along, and drops what was typed
      # before it, instead of being input. Without a notification this ends. There is one watch: the
      # last one asked for. A restart of the service ends it.
      bits @6 :UInt64;
    }
  }
}

struct Response {
  status @0 :UInt16;
  # An enum nx_status value.
  union {
    empty @1 :Void;
    # Nothing beside the status: every failure, and a setCompletions or flush that succeeded.
    report @2 :Report;
    # Answers status.
    write :group {
      bytesWritten @3 :UInt32;
    }
    readLine :group {
      line @4 :Text;
      # Without the line end.
      endOfFile @5 :Bool;
      interrupted @6 :Bool;
    }
    readBytes :group {
      data @7 :Data;
    }
  }
}

struct Report {
  mmioBase @0 :UInt64;
  # Physical.
  interruptNumber @1 :UInt32;
  bytesIn @2 :UInt64;
  bytesOut @3 :UInt64;
  interrupts @4 :UInt64;
  overruns @5 :UInt64;
  # Received bytes that were lost, in the device or for want of room.
  kernelLogBytes @6 :UInt64;
  # Bytes of the kernel log that were printed.
}
