// tests/support/temporary_directory.hpp — a directory of a test's own, gone when the test is over; and its files'
// bytes.
#pragma once

#include <unistd.h>
#include <atomic>
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
        path_ = std::filesystem::temp_directory_path() / name;
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
    std::filesystem::path path_;
};

inline std::string bytes_of(const std::filesystem::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

inline void set_bytes(const std::filesystem::path& file, std::string_view bytes) {
    std::ofstream out(file, std::ios::binary | std::ios::trunc);
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

inline std::string flipped(std::string bytes, std::size_t offset, unsigned bits = 0x10) {
    bytes[offset] = static_cast<char>(static_cast<unsigned char>(bytes[offset]) ^ bits);
    return bytes;
}

}  // namespace kith_test
