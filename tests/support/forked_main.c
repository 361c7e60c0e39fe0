// LD_PRELOAD for tests that start one program hundreds of times: its libraries are loaded once, and each case is a process of its
// own, forked where main begins. Asked over standard input: a 4-byte length, then strings that end in 0: where to write standard
// output and standard error, the working folder, seconds until SIGALRM (0: none), the environment (NAME=VALUE, until an empty
// string), and the arguments. Answers on standard output: waitpid's status, 4 bytes.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

typedef int (*Main)(int, char**, char**);
static Main program;

static int whole(int (*move)(int, char*, size_t), int file, char* data, size_t size) {
    while (size) {
        int done = move(file, data, size);
        if (done <= 0) return 0;
        data += done, size -= done;
    }
    return 1;
}

static int take(int file, char* data, size_t size) { return read(file, data, size); }
static int give(int file, char* data, size_t size) { return write(file, data, size); }

static void opened_as(const char* path, int flags, int as) {
    int file = open(path, flags, 0600);
    if (file < 0 || dup2(file, as) < 0) abort();
    close(file);
}

static char* next(char** at) {
    char* text = *at;
    *at += strlen(text) + 1;
    return text;
}

static int serve(int count, char** words, char** environment) {
    int32_t size, status;
    while (whole(take, 0, (char*)&size, sizeof size)) {
        char* text = malloc(size);
        if (!text || !whole(take, 0, text, size)) return 1;
        pid_t child = fork();
        if (child == 0) {
            setsid();
            char** arguments = calloc(size + 1, sizeof *arguments);
            char* at = text;
            char *out = next(&at), *err = next(&at), *folder = next(&at), *seconds = next(&at), *variable;
            if (chdir(folder)) abort();
            clearenv();  // LD_PRELOAD too: what the program starts is no server
            while (*(variable = next(&at))) putenv(variable);
            arguments[0] = words[0];
            count = 1;
            while (at < text + size) arguments[count++] = next(&at);
            opened_as("/dev/null", O_RDONLY, 0);
            opened_as(out, O_WRONLY | O_CREAT | O_TRUNC, 1);
            opened_as(err, O_WRONLY | O_CREAT | O_TRUNC, 2);
            alarm(atoi(seconds));
            const int code = program(count, arguments, environ);
            fflush(NULL);
            _exit(code);  // Torch takes a tenth of a second to take its operators down, the same for every case
        }
        free(text);
        if (child < 0 || waitpid(child, &status, 0) != child) return 1;
        kill(-child, SIGKILL);  // what it left behind
        if (!whole(give, 1, (char*)&status, sizeof status)) return 1;
    }
    return 0;
}

int __libc_start_main(Main of_program, int count, char** words, void (*init)(void), void (*fini)(void), void (*end)(void), void* stack) {
    program = of_program;
    int (*start)(Main, int, char**, void (*)(void), void (*)(void), void (*)(void), void*) = dlsym(RTLD_NEXT, "__libc_start_main");
    return start(serve, count, words, init, fini, end, stack);
}
