// SPDX-License-Identifier: Apache-2.0
// kill-test: what its parts share. main.c says what it does.
#ifndef KILL_TEST_H
#define KILL_TEST_H

#include "nexus/block.h"
#include "nexus/clock.h"
#include "nexus/packages.h"
#include "nexus/process.h"
#include "nexus/thread.h"
#include "sha256/sha256.h"
#include <stdatomic.h>
#include <stdbool.h>

#define READERS      4u
#define FILES_MAX    128u
#define PATH_BYTES   128u
#define REASON_BYTES 160u
#define PROGRAM_PATH NX_PACKAGE_SCHEME "bin/kill-test"

// ---- The board: memory that the readers' processes share with their creator ---------------------

struct board_file {
    char path[PATH_BYTES]; // with the scheme
    uint64_t size;
    uint8_t digest[SHA256_BYTES];
};

// Of one reader, written by it alone; the creator looks on. All relaxed: nothing depends on their
// order.
struct board_reader {
    _Atomic uint64_t passes;
    _Atomic uint64_t files;
    _Atomic uint64_t mapped; // of `files`
    _Atomic uint64_t bytes;
    _Atomic uint64_t retried;    // calls that the service died under; each was made again
    _Atomic uint64_t wrong;      // files whose bytes were others
    _Atomic uint64_t failed;     // operations that reported an error
    _Atomic uint64_t longest_ns; // of one operation
    _Atomic bool inside;         // an operation on pkg:// is under way
    char reason[REASON_BYTES];   // of the first failure; valid when `failed` or `wrong` is not 0
};

struct board {
    uint32_t file_count; // constant once the readers start, like `files`
    struct board_file files[FILES_MAX];
    struct board_reader readers[READERS];
};

// board.c: creates the board and fills in every file of pkg:// as it is read now, sorted by path.
// False: `reason` says why.
bool board_create(struct board **board, nx_handle *memory, char reason[REASON_BYTES]);

// Reads every file again. False: one is not what the board says, or cannot be read.
bool board_verify(const struct board *board, char reason[REASON_BYTES]);

// The board as a reader's process finds it; NULL: it was not given one.
struct board *board_open(void);

// Grants `memory`, a board, to a process that is to call board_open.
struct nx_grant board_grant(nx_handle memory);

// The digest over "HEX  PATH\n" for all files: that of the host's build/pkgfs.img.sums.
void board_digest(const struct board *board, uint64_t *bytes, char text[SHA256_HEX_BYTES]);

// walk.c: calls `visit` with the path of each regular file below `path`; false: `visit` returned
// false, or errno says what failed.
bool walk_files(const char *path, bool (*visit)(void *context, const char *path), void *context);

// reader.c: one pass over all of pkg://, as reader `number`; returns the exit status.
int reader_main(uint32_t number);

// crowd.c: callers of a service that crashes; returns the exit status.
int crowd_main(void);

// ---- The load: what works while services are killed ---------------------------------------------

struct load_facts {
    uint64_t raw_reads; // of the disk, through a queue
    uint64_t raw_wrong;
    uint64_t raw_failed;
    uint64_t raw_reopened; // queues that the service died under; their reads were sent again
    uint64_t programs;     // started from pkg:// and ended well
    uint64_t programs_failed;
    uint64_t lines;        // written to the console and to the log, each
    uint64_t lines_failed; // writes that reported an error
};

// load.c: starts the readers' processes, each anew when its pass is over, and for a disk a thread
// that keeps raw reads in flight. With `lines` also two threads that write numbered lines.
NX_MUST_CHECK enum nx_status load_start(struct board *board, nx_handle board_memory, bool lines);

// Lets every pass end, and ends the threads. False: some did not end.
bool load_stop(void);

// What has been done since the program began.
struct load_facts load_facts(void);
const char *load_reason(void); // of its first failure, or ""

// Readers inside an operation on pkg://, and raw reads in flight, at this moment.
uint32_t load_readers_inside(void);
uint32_t load_raw_in_flight(void);

// raw.c: the raw reads. raw_open takes a copy of the disk's start to compare with; false: no disk.
bool raw_open(char reason[REASON_BYTES]);
void raw_run(const atomic_bool *stopping, struct load_facts *facts, char reason[REASON_BYTES]);
uint32_t raw_in_flight(void);

// ---- Memory -------------------------------------------------------------------------------------

// snapshot.c: what the kernel and each process hold.
#define PROCESSES_MAX 16u

struct snapshot_process {
    char name[NX_NAME_BYTES];
    uint64_t pages;
    uint64_t handles;
    uint32_t threads;
};

// Without the notifications of this program's mutexes, each of which stays from the first time that
// two threads want it at once.
struct snapshot {
    uint64_t frames;       // in use, but for those that kernel objects lie in
    uint64_t object_bytes; // of kernel objects: how many frames these take depends on their order
    uint32_t process_count;
    struct snapshot_process processes[PROCESSES_MAX]; // sorted by name
};

// Waits until two looks in a row see the same and nothing waits for a grace period. False: it did
// not settle.
bool snapshot_take(struct snapshot *snapshot);

// Reports what `after` holds that `before` did not, or has lost; false: there is something.
bool snapshot_compare(const struct snapshot *before, const struct snapshot *after);

// ---- Services -----------------------------------------------------------------------------------

enum victim { VICTIM_BLOCK, VICTIM_PACKAGES, VICTIM_CONSOLE, VICTIM_COUNT };

// victims.c
const char *victim_name(enum victim victim);
bool victim_find(const char *name, size_t length, enum victim *victim);

// Kills the service's process, as soon as there is one. False: `reason` says why not.
bool victim_kill(enum victim victim, char reason[REASON_BYTES]);

// Waits until a process started after `restarts` restarts has answered a call.
bool victim_recovered(enum victim victim, uint64_t restarts, char reason[REASON_BYTES]);

uint64_t victim_restarts(enum victim victim);

// recovery.c: times from a kill to the first answer. recovery_begin also touches the memory, so
// that none comes later.
#define KILLS_MAX 20000u // of one service
void recovery_begin(void);
void recovery_note(enum victim victim, uint64_t nanoseconds);
void recovery_report(enum victim victim, uint32_t kills);

#endif
