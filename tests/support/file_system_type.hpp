// tests/support/file_system_type.hpp — a file system that says it is another.
//
// statfs is replaced in the test program itself, so the library needs no hook. On Linux only.
//
// Thread safety: one at a time.
#pragma once

#include <cstdint>

namespace kith_test {

class FileSystemType {
public:
    /// While it lives, every file system has the number `type` in statfs.f_type.
    explicit FileSystemType(std::uint32_t type);
    FileSystemType(const FileSystemType&) = delete;
    FileSystemType& operator=(const FileSystemType&) = delete;
    ~FileSystemType();

    [[nodiscard]] static bool works();
};

}  // namespace kith_test
