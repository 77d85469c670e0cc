// src/collection/holder.cpp — a look at LOCK.
#include "collection/holder.hpp"

#include "collection/layout.hpp"
#include "kith/core/error.hpp"
#include "storage/flock.hpp"

#include <unistd.h>
#include <string_view>

namespace kith::inline v0::detail {

namespace {

constexpr std::size_t max_holder_bytes = 512;

File open_lock(const std::filesystem::path& collection) {
    std::error_code error;
    const std::filesystem::path path = collection / lock_name;
    return std::filesystem::is_regular_file(path, error) ? File::open_to_read(path) : File();
}

std::string describe(const File& file) {
    char bytes[max_holder_bytes];
    std::string_view text(bytes, file.read_at(0, bytes, sizeof(bytes)));
    std::string lines[3];
    for (std::string& line : lines) {
        const std::size_t end = text.find('\n');
        if (end == std::string_view::npos) return "another process";
        line = text.substr(0, end);
        text.remove_prefix(end + 1);
    }
    const bool is_self = lines[0] == std::to_string(::getpid());
    return (is_self ? "this process, " : "process ") + lines[0] + " on " + lines[1] + " since " + lines[2];
}

}  // namespace

std::string writer_of(const std::filesystem::path& collection) {
    const File file = open_lock(collection);
    // The lock is held for a moment only, and let go of by closing the file.
    return !file.is_open() || lock_now(file, LOCK_SH) ? std::string() : describe(file);
}

WriterBarrier::WriterBarrier(const std::filesystem::path& collection) : file_(open_lock(collection)) {
    if (!file_.is_open() || lock_now(file_, LOCK_SH)) return;
    raise(Errc::locked, collection.string() + " is open for writing by " + describe(file_));
}

}  // namespace kith::inline v0::detail
