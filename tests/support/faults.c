/* LD_PRELOAD: the n-th file operation below $FAULT_FOLDER fails, writes short, or ends the process.
 *
 *   FAULT_CALL=n      which operation, counted from 1; with FAULT_ONWARDS=1 every one from there on
 *   FAULT_KIND=slow   a quarter of a second before it
 *   FAULT_KIND=kill   SIGKILL before it; kill-after: behind it; ENOSPC, EIO, EROFS: errno; short: half of a write
 *   FAULT_READ=FILE   whoever opens this file as a stream is killed, whatever else is set
 *   FAULT_LOG=FILE    at exit each process adds a line: how many operations there were
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static long calls = 0;

static int below(const char *path) {
  const char *folder = getenv("FAULT_FOLDER");
  return folder && path && strncmp(path, folder, strlen(folder)) == 0;
}

static int handle_below(int file) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  const ssize_t n = readlink(link, path, sizeof path - 1);
  if (n < 0) return 0;
  path[n] = 0;
  return below(path);
}

static void end(void) { kill(getpid(), SIGKILL); }

/* 0: go on; 1: errno is set; 2: write short; 3: die behind it */
static int fault(int is_write) {
  const char *at = getenv("FAULT_CALL"), *kind = getenv("FAULT_KIND");
  const long n = __sync_add_and_fetch(&calls, 1), wanted = at ? atol(at) : 0;
  if (!wanted || !kind || (getenv("FAULT_ONWARDS") ? n < wanted : n != wanted)) return 0;
  if (!strcmp(kind, "slow")) {
    usleep(250000);
    return 0;
  }
  if (!strcmp(kind, "kill")) end();
  if (!strcmp(kind, "kill-after")) return 3;
  if (!strcmp(kind, "short")) return is_write ? 2 : 0;
  errno = !strcmp(kind, "EIO") ? EIO : !strcmp(kind, "EROFS") ? EROFS : ENOSPC;
  return 1;
}

__attribute__((destructor)) static void report(void) {
  const char *log = getenv("FAULT_LOG");
  FILE *out = log ? fopen(log, "a") : NULL;
  if (!out) return;
  fprintf(out, "%ld\n", calls);
  fclose(out);
}

#define REAL(name) __typeof__(&name) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

ssize_t write(int file, const void *bytes, size_t n) {
  REAL(write);
  if (!handle_below(file)) return real(file, bytes, n);
  switch (fault(1)) {
    case 1: return -1;
    case 2: return real(file, bytes, n / 2);
    case 3: real(file, bytes, n); end();
  }
  return real(file, bytes, n);
}

ssize_t writev(int file, const struct iovec *parts, int n) {
  REAL(writev);
  if (!handle_below(file)) return real(file, parts, n);
  switch (fault(1)) {
    case 1: return -1;
    case 2: return real(file, parts, 1);
    case 3: real(file, parts, n); end();
  }
  return real(file, parts, n);
}

static int opened(const char *path, int flags, mode_t mode) {
  int (*real)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open64");
  const int counts = (flags & O_CREAT) && below(path);
  const int what = counts ? fault(0) : 0;
  if (what == 1) return -1;
  const int file = real(path, flags, mode);
  if (what == 3) end();
  return file;
}
int open(const char *path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  const mode_t mode = (flags & O_CREAT) ? va_arg(list, mode_t) : 0;
  va_end(list);
  return opened(path, flags, mode);
}
int open64(const char *path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  const mode_t mode = (flags & O_CREAT) ? va_arg(list, mode_t) : 0;
  va_end(list);
  return opened(path, flags, mode);
}

FILE *fopen64(const char *path, const char *mode) {
  REAL(fopen64);
  const char *deadly = getenv("FAULT_READ");
  if (deadly && !strcmp(path, deadly)) end();
  return real(path, mode);
}

#define ON_HANDLE(name, parameters, arguments)   \
  int name parameters {                          \
    REAL(name);                                  \
    if (!handle_below(file)) return real arguments; \
    const int what = fault(0);                   \
    if (what == 1) return -1;                    \
    const int result = real arguments;           \
    if (what == 3) end();                        \
    return result;                               \
  }
ON_HANDLE(fsync, (int file), (file))
ON_HANDLE(fdatasync, (int file), (file))
ON_HANDLE(ftruncate, (int file, off_t size), (file, size))
ON_HANDLE(flock, (int file, int how), (file, how))

#define ON_PATH(name, parameters, arguments)    \
  int name parameters {                          \
    REAL(name);                                  \
    if (!below(path)) return real arguments;     \
    const int what = fault(0);                   \
    if (what == 1) return -1;                    \
    const int result = real arguments;           \
    if (what == 3) end();                        \
    return result;                               \
  }
ON_PATH(unlink, (const char *path), (path))
ON_PATH(remove, (const char *path), (path))
ON_PATH(mkdir, (const char *path, mode_t mode), (path, mode))
