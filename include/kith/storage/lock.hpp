// kith/storage/lock.hpp — who may write to a collection: one.
//
// The lock is the kernel's (flock on the file `LOCK`), so a process that dies lets go of it however it dies. The
// writer puts its number, host and time into the file, for no other purpose than the error another program gets. A
// second open in the same process conflicts like one in another. A child made by fork shares its parent's lock, and
// closing the child's copy does not release it.
//
// A reader needs no lock: LMDB knows which commit it reads, and FolderLease which segments. Only one that can tell
// nobody, because it may not write to the directory, keeps writers out by a shared lock.
//
// Thread safety: any thread may make or destroy one.
// Source: flock(2).
#pragma once

#include "kith/storage/file.hpp"

#include <cstdint>
#include <filesystem>
#include <utility>

namespace kith::inline v0::detail {

enum class LockKind : std::uint8_t {
    exclusive,  ///< to write: nobody else may write
    shared,     ///< to read where nothing can be written: nobody may write
};

class DirectoryLock {
public:
    /// Holds nothing.
    DirectoryLock() = default;

    /// Locks `directory` by its file `LOCK`, which an exclusive lock makes when it is missing.
    /// Throws: Errc::locked, at once where a writer holds it: "articles.kith is open for writing by process 1234 on host since
    /// 2025-06-01T12:00:00Z"; Errc::io.
    DirectoryLock(const std::filesystem::path& directory, LockKind kind);

    DirectoryLock(DirectoryLock&& other) noexcept { *this = std::move(other); }
    DirectoryLock& operator=(DirectoryLock&& other) noexcept;
    ~DirectoryLock();

private:
    File file_;               // open while the lock is held; not open on read-only media without a LOCK file
    std::int64_t owner_ = 0;  // the process that wrote its name into the file, 0 when none did
};

}  // namespace kith::inline v0::detail
