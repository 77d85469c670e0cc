// src/storage/system_error.cpp — errno values as Errors, and the signal of the file size limit held back.
#include "kith/storage/system_error.hpp"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <ctime>
#include <string>
#include <system_error>

namespace kith::inline v0::detail {

namespace {

// LMDB turns a short write into EIO. Where less than this is free, the short write is why.
constexpr std::uint64_t nearly_nothing = std::uint64_t{1} << 20;

bool disk_is_full(const std::filesystem::path& path) noexcept {
    struct statvfs disk = {};
    if (::statvfs(path.c_str(), &disk) != 0) return false;
    return static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize < nearly_nothing;
}

bool file_limit_is_near(const std::filesystem::path& path) noexcept {
    struct rlimit limit = {};
    struct stat file = {};
    if (::getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return false;
    if (::stat(path.c_str(), &file) != 0) return false;
    return static_cast<std::uint64_t>(file.st_size) + nearly_nothing > limit.rlim_cur;
}

}  // namespace

Errc errc_of(int error, const std::filesystem::path& path) noexcept {
    if (error == ENOSPC || error == EDQUOT || error == EFBIG) return Errc::disk_full;
    if (error == EIO && (disk_is_full(path) || file_limit_is_near(path))) return Errc::disk_full;
    if (error == ENOMEM) return Errc::out_of_memory;
    return Errc::io;
}

void raise_system(int error, std::string_view operation, const std::filesystem::path& path) {
    const Errc code = errc_of(error, path);
    std::string text = path.string();
    text.append(": cannot ").append(operation).append(": ").append(std::system_category().message(error));
    if (code == Errc::disk_full && error == EIO) text += " (the disk is full)";
    raise(code, text);
}

FileLimitGuard::FileLimitGuard() noexcept {
    sigset_t limit;
    sigset_t before;
    sigemptyset(&limit);
    sigaddset(&limit, SIGXFSZ);
    if (::pthread_sigmask(SIG_BLOCK, &limit, &before) == 0) blocked_ = sigismember(&before, SIGXFSZ) == 0;
}

FileLimitGuard::~FileLimitGuard() {
    if (!blocked_) return;
    sigset_t limit;
    sigset_t pending;
    sigemptyset(&limit);
    sigaddset(&limit, SIGXFSZ);
    sigemptyset(&pending);
    if (::sigpending(&pending) == 0 && sigismember(&pending, SIGXFSZ) == 1) {
        int taken = 0;
        ::sigwait(&limit, &taken);
    }
    ::pthread_sigmask(SIG_UNBLOCK, &limit, nullptr);
}

}  // namespace kith::inline v0::detail
