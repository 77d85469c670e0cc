// tests/support/call_faults.c — the nth system call on a file below one directory fails, or is the program's last.
//
// Loaded with LD_PRELOAD. Calls are counted by kind, or several kinds together, over all threads:
//
//   KITH_FAULT_DIRECTORY   absolute path of the directory
//   KITH_FAULT_CALLS       kinds to count, with commas: write sync truncate rename remove mkdir open map read lock
//   KITH_FAULT_FIRST       the first call, from 1, that is done something to; none without it
//   KITH_FAULT_LAST        the last one; the first unless given
//   KITH_FAULT_ACTION      kill     the program dies before the call
//                          half     it dies in the middle of a write
//                          short    half of a write succeeds
//                          a number the call fails with this errno
//   KITH_FAULT_LIST        a file to which each call that was counted adds a line: kind, path
//
// A call that fails, or is cut short, is said on standard output too, "fault KIND PATH", between what the program says itself.
#define _GNU_SOURCE

#include "preloaded.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>

enum action { pass, fail, part };

static atomic_long seen;
static atomic_char tracked[most_descriptors];  // 1: open under the directory

static int is_below(int directory, const char* path, char out[PATH_MAX]) {
    return resolve(getenv("KITH_FAULT_DIRECTORY"), directory, path, out);
}

static int is_tracked(int descriptor) {
    return descriptor >= 0 && descriptor < most_descriptors && tracked[descriptor];
}

static void say(int descriptor, const char* first, const char* kind, const char* path) {
    char line[PATH_MAX + 64];
    const int length = snprintf(line, sizeof(line), "%s%s %s\n", first, kind, path);
    if (NEXT(write)(descriptor, line, (size_t)length) != length) abort();
}

static void list(const char* kind, const char* path) {
    const char* const file = getenv("KITH_FAULT_LIST");
    if (file == NULL) return;
    const int descriptor = NEXT(open)(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (descriptor < 0) abort();
    say(descriptor, "", kind, path);
    NEXT(close)(descriptor);
}

static int is_counted(const char* kind) {
    const char* at = getenv("KITH_FAULT_CALLS");
    const size_t length = strlen(kind);
    for (; at != NULL && *at != '\0'; at = strchr(at, ',') == NULL ? NULL : strchr(at, ',') + 1) {
        if (strncmp(at, kind, length) == 0 && (at[length] == ',' || at[length] == '\0')) return 1;
    }
    return 0;
}

static void die(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

// What is to become of this call. Sets errno where it fails.
static enum action decide(const char* kind, const char* path) {
    const int error = errno;
    if (!is_counted(kind)) return pass;
    list(kind, path);
    const char* const first = getenv("KITH_FAULT_FIRST");
    const char* const last = getenv("KITH_FAULT_LAST");
    const long number = ++seen;
    errno = error;
    if (first == NULL || number < atol(first) || number > atol(last == NULL ? first : last)) return pass;
    const char* const action = getenv("KITH_FAULT_ACTION");
    if (action == NULL) abort();
    if (strcmp(action, "half") == 0) return part;
    if (strcmp(action, "kill") == 0) die();
    say(STDOUT_FILENO, "fault ", kind, path);
    if (strcmp(action, "short") == 0) return part;
    errno = atoi(action);
    return fail;
}

static enum action decide_path(const char* kind, int directory, const char* path) {
    char full[PATH_MAX];
    return is_below(directory, path, full) ? decide(kind, full) : pass;
}

static enum action decide_file(const char* kind, int descriptor) {
    if (!is_tracked(descriptor)) return pass;
    char link[64];
    char path[PATH_MAX] = "";
    snprintf(link, sizeof(link), "/proc/self/fd/%d", descriptor);
    const ssize_t length = readlink(link, path, sizeof(path) - 1);
    if (length > 0) path[length] = '\0';
    return decide(kind, path);
}

static int opened(int descriptor, int directory, const char* path) {
    char full[PATH_MAX];
    if (descriptor >= most_descriptors) abort();
    if (descriptor >= 0) tracked[descriptor] = (char)is_below(directory, path, full);
    return descriptor;
}

#define DEFINE_OPEN(name)                                             \
    int name(const char* path, int flags, ...) {                      \
        va_list arguments;                                            \
        va_start(arguments, flags);                                   \
        const mode_t mode = mode_of(flags, arguments);                \
        va_end(arguments);                                            \
        if (decide_path("open", AT_FDCWD, path) != pass) return -1;   \
        return opened(NEXT(name)(path, flags, mode), AT_FDCWD, path); \
    }
#define DEFINE_OPENAT(name)                                                       \
    int name(int directory, const char* path, int flags, ...) {                   \
        va_list arguments;                                                        \
        va_start(arguments, flags);                                               \
        const mode_t mode = mode_of(flags, arguments);                            \
        va_end(arguments);                                                        \
        if (decide_path("open", directory, path) != pass) return -1;              \
        return opened(NEXT(name)(directory, path, flags, mode), directory, path); \
    }
DEFINE_OPEN(open)
DEFINE_OPEN(open64)
DEFINE_OPENAT(openat)
DEFINE_OPENAT(openat64)

int close(int descriptor) {
    if (descriptor >= 0 && descriptor < most_descriptors) tracked[descriptor] = 0;
    return NEXT(close)(descriptor);
}

int closedir(DIR* directory) {
    tracked[dirfd(directory)] = 0;
    return NEXT(closedir)(directory);
}

// After half a write: a program that was to die does.
static ssize_t halved(ssize_t done) {
    if (strcmp(getenv("KITH_FAULT_ACTION"), "half") == 0) die();
    return done;
}

static ssize_t total(const struct iovec* parts, int count) {
    ssize_t bytes = 0;
    for (int at = 0; at < count; ++at) bytes += (ssize_t)parts[at].iov_len;
    return bytes;
}

// The first half of all parts as one piece of memory, which the caller frees.
static char* first_half(const struct iovec* parts, int count, size_t* bytes) {
    const size_t half = ((size_t)total(parts, count) + 1) / 2;
    char* const copy = malloc(half + 1);
    if (copy == NULL) abort();
    *bytes = 0;
    for (int at = 0; at < count && *bytes < half; ++at) {
        const size_t rest = half - *bytes;
        const size_t taken = parts[at].iov_len < rest ? parts[at].iov_len : rest;
        memcpy(copy + *bytes, parts[at].iov_base, taken);
        *bytes += taken;
    }
    return copy;
}

// Begins a write: -1 to return, 0 to go on, 1 for half of it.
static int begin_write(int descriptor) {
    const enum action action = decide_file("write", descriptor);
    return action == fail ? -1 : action == part;
}

ssize_t write(int descriptor, const void* bytes, size_t count) {
    const int begun = begin_write(descriptor);
    if (begun < 0) return -1;
    if (begun == 0) return NEXT(write)(descriptor, bytes, count);
    return halved(NEXT(write)(descriptor, bytes, (count + 1) / 2));
}

ssize_t writev(int descriptor, const struct iovec* parts, int count) {
    const int begun = begin_write(descriptor);
    if (begun < 0) return -1;
    if (begun == 0) return NEXT(writev)(descriptor, parts, count);
    size_t bytes = 0;
    char* const half = first_half(parts, count, &bytes);
    const ssize_t done = halved(NEXT(write)(descriptor, half, bytes));
    free(half);
    return done;
}

#define DEFINE_PWRITE(name, offset_type)                                                \
    ssize_t name(int descriptor, const void* bytes, size_t count, offset_type offset) { \
        const int begun = begin_write(descriptor);                                      \
        if (begun < 0) return -1;                                                       \
        if (begun == 0) return NEXT(name)(descriptor, bytes, count, offset);            \
        return halved(NEXT(name)(descriptor, bytes, (count + 1) / 2, offset));          \
    }
#define DEFINE_PWRITEV(name, offset_type)                                                    \
    ssize_t name(int descriptor, const struct iovec* parts, int count, offset_type offset) { \
        const int begun = begin_write(descriptor);                                           \
        if (begun < 0) return -1;                                                            \
        if (begun == 0) return NEXT(name)(descriptor, parts, count, offset);                 \
        size_t bytes = 0;                                                                    \
        char* const half = first_half(parts, count, &bytes);                                 \
        const ssize_t done = halved(NEXT(pwrite)(descriptor, half, bytes, (off_t)offset));   \
        free(half);                                                                          \
        return done;                                                                         \
    }
DEFINE_PWRITE(pwrite, off_t)
DEFINE_PWRITE(pwrite64, off64_t)
DEFINE_PWRITEV(pwritev, off_t)
DEFINE_PWRITEV(pwritev64, off64_t)

#define GUARDED_FILE(kind, descriptor, call) return decide_file(kind, descriptor) == pass ? (call) : -1
#define GUARDED_PATH(kind, directory, path, call) return decide_path(kind, directory, path) == pass ? (call) : -1

ssize_t read(int descriptor, void* bytes, size_t count) {
    GUARDED_FILE("read", descriptor, NEXT(read)(descriptor, bytes, count));
}
ssize_t pread(int descriptor, void* bytes, size_t count, off_t offset) {
    GUARDED_FILE("read", descriptor, NEXT(pread)(descriptor, bytes, count, offset));
}
ssize_t pread64(int descriptor, void* bytes, size_t count, off64_t offset) {
    GUARDED_FILE("read", descriptor, NEXT(pread64)(descriptor, bytes, count, offset));
}
int fsync(int descriptor) {
    GUARDED_FILE("sync", descriptor, NEXT(fsync)(descriptor));
}
int fdatasync(int descriptor) {
    GUARDED_FILE("sync", descriptor, NEXT(fdatasync)(descriptor));
}
int ftruncate(int descriptor, off_t bytes) {
    GUARDED_FILE("truncate", descriptor, NEXT(ftruncate)(descriptor, bytes));
}
int ftruncate64(int descriptor, off64_t bytes) {
    GUARDED_FILE("truncate", descriptor, NEXT(ftruncate64)(descriptor, bytes));
}
int flock(int descriptor, int operation) {
    GUARDED_FILE("lock", descriptor, NEXT(flock)(descriptor, operation));
}
int rename(const char* from, const char* to) {
    GUARDED_PATH("rename", AT_FDCWD, from, NEXT(rename)(from, to));
}
int renameat(int from_directory, const char* from, int to_directory, const char* to) {
    GUARDED_PATH("rename", from_directory, from, NEXT(renameat)(from_directory, from, to_directory, to));
}
int unlink(const char* path) {
    GUARDED_PATH("remove", AT_FDCWD, path, NEXT(unlink)(path));
}
int unlinkat(int directory, const char* path, int flags) {
    GUARDED_PATH("remove", directory, path, NEXT(unlinkat)(directory, path, flags));
}
int rmdir(const char* path) {
    GUARDED_PATH("remove", AT_FDCWD, path, NEXT(rmdir)(path));
}
int mkdir(const char* path, mode_t mode) {
    GUARDED_PATH("mkdir", AT_FDCWD, path, NEXT(mkdir)(path, mode));
}
int mkdirat(int directory, const char* path, mode_t mode) {
    GUARDED_PATH("mkdir", directory, path, NEXT(mkdirat)(directory, path, mode));
}

// The C library's own calls unlink and rmdir where nobody else can see them.
int remove(const char* path) {
    const int result = unlink(path);
    return result != 0 && (errno == EISDIR || errno == EPERM) ? rmdir(path) : result;
}

void* mmap(void* address, size_t bytes, int protection, int flags, int descriptor, off_t offset) {
    if (decide_file("map", descriptor) != pass) return MAP_FAILED;
    return NEXT(mmap)(address, bytes, protection, flags, descriptor, offset);
}
void* mmap64(void* address, size_t bytes, int protection, int flags, int descriptor, off64_t offset) {
    if (decide_file("map", descriptor) != pass) return MAP_FAILED;
    return NEXT(mmap64)(address, bytes, protection, flags, descriptor, offset);
}
