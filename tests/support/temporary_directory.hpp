// tests/support/temporary_directory.hpp — a directory of a test's own, gone when the test is over; and its files'
// bytes.
#pragma once

#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <system_error>

namespace kith_test {

class TemporaryDirectory {
public:
    TemporaryDirectory() {
        static std::atomic<int> made = 0;
        const std::string name = "kith-test-" + std::to_string(::getpid()) + "-" + std::to_string(++made);
        path_ = folder() / name;
        std::filesystem::remove_all(path_);
        std::filesystem::create_directory(path_);
    }
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
    ~TemporaryDirectory() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }
    [[nodiscard]] std::filesystem::path operator/(const std::filesystem::path& name) const { return path_ / name; }

private:
    /// In memory where the system has such a folder and the environment names no other: syncs cost nothing there.
    static std::filesystem::path folder() {
        const std::filesystem::path in_memory = "/dev/shm";
        const bool named = std::getenv("TMPDIR") != nullptr;
        return !named && std::filesystem::is_directory(in_memory) ? in_memory : std::filesystem::temp_directory_path();
    }

    std::filesystem::path path_;
};

inline std::string bytes_of(const std::filesystem::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

/// Makes `file` hold `bytes`. It is removed first: file systems hurry to the disk what replaces a file in place.
inline void set_bytes(const std::filesystem::path& file, std::string_view bytes) {
    std::filesystem::remove(file);
    std::ofstream out(file, std::ios::binary | std::ios::trunc);
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

inline std::string flipped(std::string bytes, std::size_t offset, unsigned bits = 0x10) {
    bytes[offset] = static_cast<char>(static_cast<unsigned char>(bytes[offset]) ^ bits);
    return bytes;
}

}  // namespace kith_test
