// SPDX-License-Identifier: Apache-2.0
// hello: a small program from pkg://bin, written as any C program is. It shows its arguments, reads
// a file with stdio and maps another one.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOTD  "pkg://etc/motd"
#define HELLO "pkg://fixtures/hello.txt"

static int failed(const char *what)
{
    fprintf(stderr, "hello: %s: %s\n", what, strerror(errno));
    return EXIT_FAILURE;
}

static int motd_print(void)
{
    char line[256];
    FILE *file = fopen(MOTD, "r");
    if (file == NULL) {
        return failed(MOTD);
    }
    while (fgets(line, sizeof(line), file) != NULL) {
        fputs(line, stdout);
    }
    int status = ferror(file) ? failed(MOTD) : EXIT_SUCCESS;
    fclose(file);
    return status;
}

static int mapped_print(void)
{
    struct stat facts;
    int fd = open(HELLO, O_RDONLY);
    if (fd < 0 || fstat(fd, &facts) != 0) {
        return failed(HELLO);
    }
    size_t size = (size_t)facts.st_size;
    const char *text = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (text == MAP_FAILED) {
        return failed("mmap " HELLO);
    }
    printf("hello: mapped %s size=%zu\n", HELLO, size);
    fwrite(text, 1, size, stdout);
    munmap((void *)(uintptr_t)text, size);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        printf("hello: argument %d is %s\n", i, argv[i]);
    }
    if (motd_print() != EXIT_SUCCESS) {
        return EXIT_FAILURE;
    }
    return mapped_print();
}
