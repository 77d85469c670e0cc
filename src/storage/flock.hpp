// src/storage/flock.hpp — the kernel's lock on an open file or folder, tried at once.
//
// Thread safety: any number of threads.
// Source: flock(2).
#pragma once

#include "kith/storage/file.hpp"

#include <sys/file.h>

namespace kith::inline v0::detail {

/// False when another open file of any process holds a lock that `operation`, LOCK_SH or LOCK_EX, cannot stand beside.
/// Throws: Errc::io.
[[nodiscard]] bool lock_now(const File& file, int operation);

/// Whether the path still leads to the file that is open: it may have been removed between open and lock.
[[nodiscard]] bool is_current(const File& file);

}  // namespace kith::inline v0::detail
