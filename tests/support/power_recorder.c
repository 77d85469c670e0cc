// tests/support/power_recorder.c — writes down every change a program makes under one directory, in order.
//
// Loaded with LD_PRELOAD, it passes each call on and records the ones that succeeded, so that power_cut.py can build
// what a disk might hold had the power gone at any moment. What a program writes to standard output is recorded too,
// and so stands between the changes that came before and after it.
//
//   KITH_RECORD_DIRECTORY   absolute path of the directory
//   KITH_RECORD_TRACE       the file to write
//
//   trace  := record*
//   record := u64 number; u32 kind; i32 descriptor; u64 a; u64 thread; u64 payload bytes; payload  all little-endian
//   kind   := 'o' open (a flags, payload path)      | 'c' close
//           | 'w' write (a offset, payload data)    | 't' ftruncate (a bytes)   | 's' sync (a: see below)
//           | 'r' rename (payload from, 0, to)      | 'u' unlink | 'd' rmdir | 'm' mkdir (payload path)
//           | 'k' standard output (payload text)
//
// A sync covers the records numbered below its `a`: those that stood there when it began. A change is recorded after
// it was made, a close before, so whatever threads do at once, no record claims more than is true. Calls that look a
// name up or change one take turns, so that a file is not opened under a name that no record gives it yet.
//
// It does not see shared mappings, duplicated descriptors, or what the C library does for itself (fopen). power_cut.py
// compares the last image with the real directory, so none of these can hide.
#define _GNU_SOURCE

#include "preloaded.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/uio.h>

struct head {
    uint64_t number;
    uint32_t kind;
    int32_t descriptor;
    uint64_t a;
    uint64_t thread;
    uint64_t payload_bytes;
};

static pthread_mutex_t names = PTHREAD_MUTEX_INITIALIZER;  // held from a change of names to its record
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int trace = -1;                  // guarded by mutex; -1 until the first record
static uint64_t next_number = 1;        // guarded by mutex
static char tracked[most_descriptors];  // 1: open under the directory

static void write_all(const void* bytes, size_t count) {
    const char* at = bytes;
    while (count > 0) {
        const ssize_t done = NEXT(write)(trace, at, count);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) abort();  // half a trace would prove nothing
        at += done;
        count -= (size_t)done;
    }
}

static void record(int kind, int descriptor, uint64_t a, const void* payload, size_t payload_bytes) {
    const int error = errno;
    pthread_mutex_lock(&mutex);
    if (trace < 0) {
        const char* path = getenv("KITH_RECORD_TRACE");
        trace = path == NULL ? -1 : NEXT(open)(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        if (trace < 0) abort();
    }
    const struct head head = {next_number++, (uint32_t)kind, descriptor, a, (uint64_t)gettid(), payload_bytes};
    write_all(&head, sizeof(head));
    write_all(payload, payload_bytes);
    pthread_mutex_unlock(&mutex);
    errno = error;
}

static uint64_t newest_number(void) {
    pthread_mutex_lock(&mutex);
    const uint64_t number = next_number;
    pthread_mutex_unlock(&mutex);
    return number;
}

static int is_recorded(int directory, const char* path, char out[PATH_MAX]) {
    return resolve(getenv("KITH_RECORD_DIRECTORY"), directory, path, out);
}

static int is_tracked(int descriptor) {
    return descriptor >= 0 && descriptor < most_descriptors && tracked[descriptor];
}

static int opened(int descriptor, int directory, const char* path, int flags) {
    char full[PATH_MAX];
    if (descriptor < 0) return descriptor;
    if (descriptor >= most_descriptors) abort();
    tracked[descriptor] = (char)is_recorded(directory, path, full);
    if (tracked[descriptor]) record('o', descriptor, (uint64_t)(unsigned)flags, full, strlen(full));
    return descriptor;
}

#define DEFINE_OPEN(name)                                                                \
    int name(const char* path, int flags, ...) {                                         \
        va_list arguments;                                                               \
        va_start(arguments, flags);                                                      \
        const mode_t mode = mode_of(flags, arguments);                                   \
        va_end(arguments);                                                               \
        pthread_mutex_lock(&names);                                                      \
        const int result = opened(NEXT(name)(path, flags, mode), AT_FDCWD, path, flags); \
        pthread_mutex_unlock(&names);                                                    \
        return result;                                                                   \
    }
#define DEFINE_OPENAT(name)                                                                          \
    int name(int directory, const char* path, int flags, ...) {                                      \
        va_list arguments;                                                                           \
        va_start(arguments, flags);                                                                  \
        const mode_t mode = mode_of(flags, arguments);                                               \
        va_end(arguments);                                                                           \
        pthread_mutex_lock(&names);                                                                  \
        const int result = opened(NEXT(name)(directory, path, flags, mode), directory, path, flags); \
        pthread_mutex_unlock(&names);                                                                \
        return result;                                                                               \
    }
DEFINE_OPEN(open)
DEFINE_OPEN(open64)
DEFINE_OPENAT(openat)
DEFINE_OPENAT(openat64)

int creat(const char* path, mode_t mode) {
    return open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
}

int creat64(const char* path, mode_t mode) {
    return open64(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
}

static void closing(int descriptor) {
    if (!is_tracked(descriptor)) return;
    record('c', descriptor, 0, NULL, 0);
    tracked[descriptor] = 0;
}

int close(int descriptor) {
    closing(descriptor);
    return NEXT(close)(descriptor);
}

int closedir(DIR* directory) {
    closing(dirfd(directory));
    return NEXT(closedir)(directory);
}

static void written(int descriptor, const struct iovec* parts, int count, off_t offset, ssize_t done) {
    for (int part = 0; part < count && done > 0; ++part) {
        const size_t bytes = parts[part].iov_len < (size_t)done ? parts[part].iov_len : (size_t)done;
        if (bytes > 0) record('w', descriptor, (uint64_t)offset, parts[part].iov_base, bytes);
        offset += (off_t)bytes;
        done -= (ssize_t)bytes;
    }
}

ssize_t write(int descriptor, const void* bytes, size_t count) {
    const ssize_t done = NEXT(write)(descriptor, bytes, count);
    if (done > 0 && descriptor == STDOUT_FILENO) {
        record('k', descriptor, 0, bytes, (size_t)done);
    } else if (done > 0 && is_tracked(descriptor)) {
        const struct iovec part = {(void*)bytes, (size_t)done};
        written(descriptor, &part, 1, lseek(descriptor, 0, SEEK_CUR) - done, done);
    }
    return done;
}

ssize_t writev(int descriptor, const struct iovec* parts, int count) {
    const ssize_t done = NEXT(writev)(descriptor, parts, count);
    if (done > 0 && is_tracked(descriptor)) {
        written(descriptor, parts, count, lseek(descriptor, 0, SEEK_CUR) - done, done);
    }
    return done;
}

#define DEFINE_PWRITE(name, offset_type)                                                \
    ssize_t name(int descriptor, const void* bytes, size_t count, offset_type offset) { \
        const ssize_t done = NEXT(name)(descriptor, bytes, count, offset);              \
        const struct iovec part = {(void*)bytes, count};                                \
        if (is_tracked(descriptor)) written(descriptor, &part, 1, offset, done);        \
        return done;                                                                    \
    }
#define DEFINE_PWRITEV(name, offset_type)                                                    \
    ssize_t name(int descriptor, const struct iovec* parts, int count, offset_type offset) { \
        const ssize_t done = NEXT(name)(descriptor, parts, count, offset);                   \
        if (is_tracked(descriptor)) written(descriptor, parts, count, offset, done);         \
        return done;                                                                         \
    }
DEFINE_PWRITE(pwrite, off_t)
DEFINE_PWRITE(pwrite64, off64_t)
DEFINE_PWRITEV(pwritev, off_t)
DEFINE_PWRITEV(pwritev64, off64_t)

#define DEFINE_FTRUNCATE(name, offset_type)                                                           \
    int name(int descriptor, offset_type bytes) {                                                     \
        const int result = NEXT(name)(descriptor, bytes);                                             \
        if (result == 0 && is_tracked(descriptor)) record('t', descriptor, (uint64_t)bytes, NULL, 0); \
        return result;                                                                                \
    }
DEFINE_FTRUNCATE(ftruncate, off_t)
DEFINE_FTRUNCATE(ftruncate64, off64_t)

#define DEFINE_SYNC(name)                                                                    \
    int name(int descriptor) {                                                               \
        const uint64_t before = newest_number();                                             \
        const int result = NEXT(name)(descriptor);                                           \
        if (result == 0 && is_tracked(descriptor)) record('s', descriptor, before, NULL, 0); \
        return result;                                                                       \
    }
DEFINE_SYNC(fsync)
DEFINE_SYNC(fdatasync)

static void named(int kind, int directory, const char* path) {
    char full[PATH_MAX];
    if (is_recorded(directory, path, full)) record(kind, -1, 0, full, strlen(full));
}

static void renamed(int from_directory, const char* from, int to_directory, const char* to) {
    char full_from[PATH_MAX];
    char full_to[PATH_MAX];
    const int from_here = is_recorded(from_directory, from, full_from);
    const int to_here = is_recorded(to_directory, to, full_to);
    if (from_here != to_here) abort();  // in or out of the directory: power_cut.py could not follow
    if (!from_here) return;
    char both[2 * PATH_MAX];
    const size_t from_bytes = strlen(full_from) + 1;
    memcpy(both, full_from, from_bytes);
    memcpy(both + from_bytes, full_to, strlen(full_to));
    record('r', -1, 0, both, from_bytes + strlen(full_to));
}

int rename(const char* from, const char* to) {
    pthread_mutex_lock(&names);
    const int result = NEXT(rename)(from, to);
    if (result == 0) renamed(AT_FDCWD, from, AT_FDCWD, to);
    pthread_mutex_unlock(&names);
    return result;
}

int renameat(int from_directory, const char* from, int to_directory, const char* to) {
    pthread_mutex_lock(&names);
    const int result = NEXT(renameat)(from_directory, from, to_directory, to);
    if (result == 0) renamed(from_directory, from, to_directory, to);
    pthread_mutex_unlock(&names);
    return result;
}

int unlink(const char* path) {
    pthread_mutex_lock(&names);
    const int result = NEXT(unlink)(path);
    if (result == 0) named('u', AT_FDCWD, path);
    pthread_mutex_unlock(&names);
    return result;
}

int rmdir(const char* path) {
    pthread_mutex_lock(&names);
    const int result = NEXT(rmdir)(path);
    if (result == 0) named('d', AT_FDCWD, path);
    pthread_mutex_unlock(&names);
    return result;
}

int unlinkat(int directory, const char* path, int flags) {
    pthread_mutex_lock(&names);
    const int result = NEXT(unlinkat)(directory, path, flags);
    if (result == 0) named((flags & AT_REMOVEDIR) != 0 ? 'd' : 'u', directory, path);
    pthread_mutex_unlock(&names);
    return result;
}

// The C library's own calls unlink and rmdir where nobody else can see them.
int remove(const char* path) {
    const int result = unlink(path);
    return result != 0 && (errno == EISDIR || errno == EPERM) ? rmdir(path) : result;
}

int mkdir(const char* path, mode_t mode) {
    pthread_mutex_lock(&names);
    const int result = NEXT(mkdir)(path, mode);
    if (result == 0) named('m', AT_FDCWD, path);
    pthread_mutex_unlock(&names);
    return result;
}

int mkdirat(int directory, const char* path, mode_t mode) {
    pthread_mutex_lock(&names);
    const int result = NEXT(mkdirat)(directory, path, mode);
    if (result == 0) named('m', directory, path);
    pthread_mutex_unlock(&names);
    return result;
}
