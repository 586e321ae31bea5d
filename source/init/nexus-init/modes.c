// SPDX-License-Identifier: Apache-2.0
// Boot modes: a list of programs to run one after the other, and what comes after the last.
#include "modes.h"

#include "bootargs/bootargs.h"
#include "nexus/clock.h"
#include "nexus/console.h"
#include "nexus/log.h"
#include "nexus/process.h"
#include "supervisor.h"

#define WORDS_MAX        PROGRAM_ARGUMENTS_MAX
#define RUN_BYTES_MAX    768u
#define TOKEN_BYTES_MAX  64u
#define JOBS_MAX         8u
#define FLUSH_PATIENCE   (5 * NX_SECOND) // for the console to print what it has
#define EXIT_USAGE       2               // nexus.run is malformed
#define EXIT_NOT_STARTED 127             // nx itself cannot be started
#define CONSOLE_BACK_OFF (100 * NX_MILLISECOND)

// Programs of their own boot archives that take the place of the self-test client: the boot
// argument that names their words.
static const struct {
    const char *argument;
    struct program_other program;
} replacements[] = {
    {"nexus.bench", {.file = "bench"}},
    {"nexus.kills", {.file = "kill-test"}},
    {"nexus.attack",
     {.file = "attack",
      .machine_rights = NX_RIGHT_TRANSFER | NX_RIGHT_DEVICE | NX_RIGHT_DMA,
      .log_rights = NX_RIGHT_READ | NX_RIGHT_TRANSFER | NX_RIGHT_DUPLICATE}},
};

struct job {
    enum program_id program;
    const char *words[WORDS_MAX];
    uint32_t word_count;
};

enum boot_mode { MODE_CONSOLE, MODE_SELFTEST, MODE_RUN };

static enum boot_mode mode = MODE_CONSOLE;
static bool power_off_at_end;
static struct job jobs[JOBS_MAX];
static uint32_t job_count;
static uint32_t job_next;
static char run_text[RUN_BYTES_MAX]; // decoded words of nexus.run, NUL-terminated one by one
// nexus.token behind a blank: marks what only nexus-init can have said; empty: nobody asked for it.
static char token_text[TOKEN_BYTES_MAX + 2];

// ---- Reading the boot arguments -----------------------------------------------------------------

static int hex_digit(char character)
{
    if (character >= '0' && character <= '9') {
        return character - '0';
    }
    character |= 0x20;
    return character >= 'a' && character <= 'f' ? character - 'a' + 10 : -1;
}

// Splits at commas and decodes %XX. False: too long, too many words, or a bad escape.
static bool run_words_decode(const char *value, size_t length, struct job *job)
{
    size_t out = 0;
    job->words[job->word_count++] = run_text;
    for (size_t i = 0; i < length; i++) {
        if (out + 2 > sizeof(run_text)) {
            return false;
        }
        char character = value[i];
        if (character == ',') {
            run_text[out++] = '\0';
            if (job->word_count == WORDS_MAX) {
                return false;
            }
            job->words[job->word_count++] = &run_text[out];
            continue;
        }
        if (character == '%') {
            int high = i + 2 < length ? hex_digit(value[i + 1]) : -1;
            int low = high >= 0 ? hex_digit(value[i + 2]) : -1;
            if (low < 0 || (high == 0 && low == 0)) {
                return false;
            }
            character = (char)(high << 4 | low);
            i += 2;
        }
        run_text[out++] = character;
    }
    run_text[out] = '\0';
    return true;
}

static void jobs_add(enum program_id program, const char *first, const char *second,
                     const char *third)
{
    struct job *job = &jobs[job_count++];
    const char *const words[] = {first, second, third};
    job->program = program;
    for (uint32_t i = 0; i < 3 && words[i] != NULL; i++) {
        job->words[job->word_count++] = words[i];
    }
}

// A boot for one command: `value` holds the words that follow the program's `name`.
static void run_read(enum program_id program, const char *value, size_t length)
{
    mode = MODE_RUN;
    power_off_at_end = true;
    jobs_add(program, NULL, NULL, NULL);
    if (length == 0 || !run_words_decode(value, length, &jobs[0])) {
        job_count = 0; // modes_begin says so
    }
}

// With a token the command's output comes framed, so that whoever reads it gets the exact bytes.
static void token_read(const char *bootargs)
{
    size_t length;
    const char *token = bootargs_find(bootargs, "nexus.token", &length);
    if (token == NULL || length == 0 || length > TOKEN_BYTES_MAX) {
        return;
    }
    token_text[0] = ' ';
    memcpy(token_text + 1, token, length);
    program_set_argument(PROGRAM_UARTD, token_text + 1);
}

void modes_read(const char *bootargs)
{
    size_t length;
    const char *run = bootargs_find(bootargs, "nexus.run", &length);
    if (run != NULL) {
        token_read(bootargs);
        run_read(PROGRAM_NX, run, length);
        return;
    }
    for (size_t i = 0; i < sizeof(replacements) / sizeof(replacements[0]); i++) {
        run = bootargs_find(bootargs, replacements[i].argument, &length);
        if (run != NULL) {
            program_replace(PROGRAM_SELFTEST, &replacements[i].program);
            run_read(PROGRAM_SELFTEST, run, length);
            return;
        }
    }
    if (bootargs_is(bootargs, "nexus.selftest", "1")) {
        mode = MODE_SELFTEST;
        power_off_at_end = bootargs_is(bootargs, "nexus.poweroff", "1");
        jobs_add(PROGRAM_SELFTEST, NULL, NULL, NULL);
        jobs_add(PROGRAM_NX, "hw", "smp", NULL);
        jobs_add(PROGRAM_NX, "hw", "vblk", "info");
        jobs_add(PROGRAM_NX, "hw", "dt", NULL);
        jobs_add(PROGRAM_NX, "hw", "sbi", NULL);
    }
}

// ---- The end ------------------------------------------------------------------------------------

// Waits until everything said so far has left the device. One attempt with a deadline: nexus-init
// itself must never wait for a service that only it can restart.
static void console_flush(void)
{
    if (machine_device(DEVICE_UART)->presence != DEVICE_PRESENT) {
        return; // the kernel prints its log itself, at once
    }
    nx_handle console;
    enum nx_status status = program_client_handle(PROGRAM_UARTD, PROGRAM_NX, &console);
    if (status == NX_OK) {
        status = nx_console_flush_through(console, nx_deadline_after(FLUSH_PATIENCE));
    }
    if (status != NX_OK) { // a console that does not work holds up nothing
        nx_log("init: console not flushed reason=%s", nx_status_text(status));
    }
}

static void job_start(const struct job *job);

static const struct job console_job = {.program = PROGRAM_NX};
static uint64_t console_due = NX_DEADLINE_NEVER; // when the console starts again

static void console_ended(enum program_id id, int64_t exit_status)
{
    (void)id;
    nx_log("init: console ended status=%ld", (long)exit_status);
    console_due = nx_deadline_after(CONSOLE_BACK_OFF);
}

static void modes_finish(void)
{
    if (mode == MODE_SELFTEST) {
        nx_log("SELFTEST: end");
    }
    if (power_off_at_end) {
        console_flush();
        machine_power_off();
    }
    mode = MODE_CONSOLE;
    job_start(&console_job);
}

// ---- One job after the other --------------------------------------------------------------------

static void run_ended(long exit_status)
{
    nx_log("nx: exit status=%ld%s", exit_status, token_text);
}

static void job_run_next(void)
{
    if (job_next == job_count) {
        modes_finish();
        return;
    }
    job_start(&jobs[job_next++]);
}

static void job_ended(enum program_id id, int64_t exit_status)
{
    if (mode == MODE_RUN) {
        run_ended((long)exit_status);
    } else if (exit_status != 0) {
        nx_log("init: %s ended status=%ld", program_row(id)->file, (long)exit_status);
    }
    job_run_next();
}

static void job_start(const struct job *job)
{
    enum nx_status status = supervisor_run_job(job->program, job->words, job->word_count,
                                               mode == MODE_CONSOLE ? console_ended : job_ended);
    if (status == NX_OK) {
        return;
    }
    nx_log("init: cannot start %s reason=%s", program_row(job->program)->file,
           nx_status_text(status));
    if (mode == MODE_RUN) {
        run_ended(EXIT_NOT_STARTED);
    }
    if (mode != MODE_CONSOLE) {
        job_run_next();
    }
}

void modes_begin(void)
{
    if (mode == MODE_RUN) {
        console_flush(); // so that nothing of the boot comes between the lines of the output
        nx_log("nx: output begin%s", token_text);
    }
    if (mode == MODE_RUN && job_count == 0) {
        nx_log("init: nexus.run is malformed: at most %u words joined by commas, %%XX escapes",
               WORDS_MAX);
        run_ended(EXIT_USAGE);
    }
    job_run_next();
}

uint64_t modes_deadline(void)
{
    return console_due;
}

void modes_expired(void)
{
    if (console_due <= nx_clock_now()) {
        console_due = NX_DEADLINE_NEVER;
        job_start(&console_job);
    }
}
