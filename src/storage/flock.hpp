// src/storage/flock.hpp — the kernel's lock on an open file or folder, tried at once or waited for.
//
// Thread safety: any number of threads.
// Source: flock(2).
#pragma once

#include "kith/storage/file.hpp"

#include <sys/file.h>
#include <filesystem>
#include <optional>

namespace kith::inline v0::detail {

/// False when another open file of any process holds a lock that `operation`, LOCK_SH or LOCK_EX, cannot stand beside.
/// Throws: Errc::io.
[[nodiscard]] bool lock_now(const File& file, int operation);

/// A lock on a folder for a moment. It is let go by name, so a child that was forked meanwhile does not keep it.
class FolderGate {
public:
    /// Waits until it has the lock. Throws: Errc::io.
    static FolderGate wait(const std::filesystem::path& folder, int operation);
    /// Nothing where another holds it. Throws: Errc::io.
    static std::optional<FolderGate> try_now(const std::filesystem::path& folder, int operation);

    FolderGate(FolderGate&&) noexcept = default;
    FolderGate& operator=(FolderGate&&) = delete;
    ~FolderGate();

private:
    explicit FolderGate(const std::filesystem::path& folder) : folder_(File::open_to_read(folder)) {}

    File folder_;  // not open once it was moved from
};

/// Whether the path still leads to the file that is open: it may have been removed between open and lock.
[[nodiscard]] bool is_current(const File& file);

}  // namespace kith::inline v0::detail
