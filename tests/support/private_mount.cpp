// tests/support/private_mount.cpp — unshare, mount and the inode flags, on Linux.
#include "support/private_mount.hpp"

#if defined(__linux__)

#include <fcntl.h>
#include <linux/fs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <string>

namespace kith_test {

namespace {

bool write_file(const char* path, const std::string& text) {
    const int file = ::open(path, O_WRONLY | O_CLOEXEC);
    if (file < 0) return false;
    const bool written = ::write(file, text.data(), text.size()) == static_cast<::ssize_t>(text.size());
    ::close(file);
    return written;
}

/// Gives the process mounts of its own.
bool leave_mounts() {
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

}  // namespace

bool mount_small_disk(const std::filesystem::path& directory, std::size_t bytes) {
    const std::string size = "size=" + std::to_string(bytes);
    return leave_mounts() && ::mount("tmpfs", directory.c_str(), "tmpfs", 0, size.c_str()) == 0;
}

bool mount_read_only(const std::filesystem::path& directory) {
    return leave_mounts() && ::mount(directory.c_str(), directory.c_str(), nullptr, MS_BIND, nullptr) == 0 &&
           ::mount(nullptr, directory.c_str(), nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr) == 0;
}

bool make_immutable(const std::filesystem::path& path, bool immutable) {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) return false;
    int flags = 0;
    bool done = ::ioctl(file, FS_IOC_GETFLAGS, &flags) == 0;
    flags = immutable ? flags | FS_IMMUTABLE_FL : flags & ~FS_IMMUTABLE_FL;
    done = done && ::ioctl(file, FS_IOC_SETFLAGS, &flags) == 0;
    ::close(file);
    return done;
}

}  // namespace kith_test

#else

namespace kith_test {

bool mount_small_disk(const std::filesystem::path&, std::size_t) {
    return false;
}
bool mount_read_only(const std::filesystem::path&) {
    return false;
}
bool make_immutable(const std::filesystem::path&, bool) {
    return false;
}

}  // namespace kith_test

#endif
