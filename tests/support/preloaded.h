// tests/support/preloaded.h — what the libraries share that stand between a program and the C library.
//
// They are loaded with LD_PRELOAD and define system calls by their own names; NEXT finds the ones they hide. Each looks
// at the files below one directory only.
#pragma once

#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

enum { most_descriptors = 65536 };

// The absolute path of `path` below `directory` into `out`; 1 when it lies in `root`.
static int resolve(const char* root, int directory, const char* path, char out[PATH_MAX]) {
    if (root == NULL || path == NULL) return 0;
    char base[PATH_MAX] = "";
    if (path[0] != '/') {
        if (directory == AT_FDCWD) {
            if (getcwd(base, sizeof(base)) == NULL) return 0;
        } else {
            char link[64];
            snprintf(link, sizeof(link), "/proc/self/fd/%d", directory);
            const ssize_t length = readlink(link, base, sizeof(base) - 1);
            if (length < 0) return 0;
            base[length] = '\0';
        }
    }
    if (strlen(base) + 1 + strlen(path) >= PATH_MAX) abort();
    strcpy(out, base);
    if (path[0] != '/') strcat(out, "/");
    strcat(out, path);
    const size_t length = strlen(root);
    return strncmp(out, root, length) == 0 && (out[length] == '/' || out[length] == '\0');
}

// The last argument of an open that has one.
static mode_t mode_of(int flags, va_list arguments) {
    return (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(arguments, mode_t) : 0;
}
