// tests/support/private_mount.hpp — mounts that only a child process sees: a small disk, a folder that is read-only.
//
// To be called in a child (support/child.hpp). Linux gives a process its own table of mounts where it is root, or may
// become root of a user namespace; elsewhere these return false, and the test says that it was left out.
//
// Thread safety: none; they change the whole process.
#pragma once

#if defined(__linux__)
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>
#endif

#include <filesystem>
#include <string>

namespace kith_test {

#if defined(__linux__)

namespace detail {

inline bool write_file(const char* path, const std::string& text) {
    const int file = ::open(path, O_WRONLY | O_CLOEXEC);
    if (file < 0) return false;
    const bool written = ::write(file, text.data(), text.size()) == static_cast<::ssize_t>(text.size());
    ::close(file);
    return written;
}

/// Gives the process mounts of its own.
inline bool leave_mounts() {
    const std::string user = std::to_string(::geteuid()), group = std::to_string(::getegid());
    if (::unshare(CLONE_NEWNS) != 0) {
        if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return false;
        if (!write_file("/proc/self/setgroups", "deny") || !write_file("/proc/self/uid_map", "0 " + user + " 1") ||
            !write_file("/proc/self/gid_map", "0 " + group + " 1")) {
            return false;
        }
    }
    return ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
}

}  // namespace detail

/// Makes `directory`, which exists, an empty disk of `bytes` bytes.
inline bool mount_small_disk(const std::filesystem::path& directory, std::size_t bytes) {
    const std::string size = "size=" + std::to_string(bytes);
    return detail::leave_mounts() && ::mount("tmpfs", directory.c_str(), "tmpfs", 0, size.c_str()) == 0;
}

/// Makes `directory` and what is below it read-only.
inline bool mount_read_only(const std::filesystem::path& directory) {
    return detail::leave_mounts() && ::mount(directory.c_str(), directory.c_str(), nullptr, MS_BIND, nullptr) == 0 &&
           ::mount(nullptr, directory.c_str(), nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr) == 0;
}

#else

inline bool mount_small_disk(const std::filesystem::path&, std::size_t) {
    return false;
}

inline bool mount_read_only(const std::filesystem::path&) {
    return false;
}

#endif

}  // namespace kith_test
