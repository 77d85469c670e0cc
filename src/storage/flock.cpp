// src/storage/flock.cpp — flock, without waiting.
#include "storage/flock.hpp"

#include "kith/storage/system_error.hpp"

#include <sys/stat.h>
#include <cerrno>

namespace kith::inline v0::detail {

bool lock_now(const File& file, int operation) {
    while (::flock(file.descriptor(), operation | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK) return false;
        if (errno != EINTR) raise_system(errno, "lock", file.path());
    }
    return true;
}

FolderGate FolderGate::wait(const std::filesystem::path& folder, int operation) {
    FolderGate gate(folder);
    while (::flock(gate.folder_.descriptor(), operation) != 0) {
        if (errno != EINTR) raise_system(errno, "lock", folder);
    }
    return gate;
}

std::optional<FolderGate> FolderGate::try_now(const std::filesystem::path& folder, int operation) {
    FolderGate gate(folder);
    if (!lock_now(gate.folder_, operation)) return std::nullopt;
    return gate;
}

FolderGate::~FolderGate() {
    if (folder_.is_open()) static_cast<void>(::flock(folder_.descriptor(), LOCK_UN));
}

bool is_current(const File& file) {
    struct stat opened = {};
    struct stat named = {};
    if (::fstat(file.descriptor(), &opened) != 0 || ::stat(file.path().c_str(), &named) != 0) return false;
    return opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

}  // namespace kith::inline v0::detail
