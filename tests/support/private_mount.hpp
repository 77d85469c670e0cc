// tests/support/private_mount.hpp — mounts that only a child process sees, and files that nobody may change.
//
// To be called in a child (support/child.hpp), but for the last. Linux gives a process its own table of mounts where it
// is root, or may become root of a user namespace; elsewhere these return false, and the test says that it was left
// out.
//
// Thread safety: none; they change the whole process.
#pragma once

#include <cstddef>
#include <filesystem>

namespace kith_test {

/// Makes `directory`, which exists, an empty disk of `bytes` bytes.
bool mount_small_disk(const std::filesystem::path& directory, std::size_t bytes);

/// Makes `directory` and what is below it read-only.
bool mount_read_only(const std::filesystem::path& directory);

/// Forbids any change of a file or directory, or allows it again.
bool make_immutable(const std::filesystem::path& path, bool immutable);

}  // namespace kith_test
