// kith/storage/system_error.hpp — what the operating system refused, as an Error with path and reason.
//
// A full disk speaks in many tongues: ENOSPC, EDQUOT, EFBIG past a file size limit, and from LMDB plain EIO. All of
// them are Errc::disk_full here, because the cure is the same; everything else is Errc::io.
//
// Thread safety: any number of threads.
#pragma once

#include "kith/core/error.hpp"

#include <filesystem>
#include <string_view>

namespace kith::inline v0::detail {

/// The code for errno value `error` of an operation on `path`; an EIO on a file system without room is disk_full.
[[nodiscard]] Errc errc_of(int error, const std::filesystem::path& path) noexcept;

/// Throws: Error, always: "articles.kith/LOCK: cannot open: Permission denied".
[[noreturn]] void raise_system(int error, std::string_view operation, const std::filesystem::path& path);

/// Keeps a write past RLIMIT_FSIZE an error, for the thread that holds one: without it the signal SIGXFSZ ends the
/// process. The signal is blocked, and taken if it came, so the program's own handler never sees ours.
class FileLimitGuard {
public:
    FileLimitGuard() noexcept;
    ~FileLimitGuard();
    FileLimitGuard(const FileLimitGuard&) = delete;
    FileLimitGuard& operator=(const FileLimitGuard&) = delete;

private:
    bool blocked_ = false;  // this guard blocked the signal and must let it through again
};

}  // namespace kith::inline v0::detail
