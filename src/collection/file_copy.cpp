// src/collection/file_copy.cpp — link and copy.
#include "collection/file_copy.hpp"

#include "kith/storage/file.hpp"
#include "kith/storage/system_error.hpp"

#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <string>

namespace kith::inline v0::detail {

std::uint64_t copy_file(const std::filesystem::path& from, const std::filesystem::path& to, const LongCall& call,
                        double done, std::uint64_t bytes) {
    constexpr std::size_t piece_bytes = std::size_t{1} << 20;
    const File source = File::open_to_read(from);
    File copy = File::create(to);
    std::string piece;
    std::uint64_t copied = 0;
    while (copied < bytes) {
        call.check(done);
        piece.resize(static_cast<std::size_t>(std::min<std::uint64_t>(piece_bytes, bytes - copied)));
        piece.resize(source.read_at(copied, piece.data(), piece.size()));
        if (piece.empty()) break;
        copy.write_at(copied, piece);
        copied += piece.size();
    }
    copy.sync();
    return copied;
}

bool link_file(const std::filesystem::path& from, const std::filesystem::path& to) {
    if (::link(from.c_str(), to.c_str()) == 0) return true;
    switch (errno) {
        case EXDEV:       // another file system
        case EPERM:       // a file system without links, or a file of somebody else
        case EMLINK:      // it has as many names as it can have
        case ENOSYS:      // no such call
        case EOPNOTSUPP:  // nor here
            return false;
        default:
            raise_system(errno, "link to " + to.string(), from);
    }
}

}  // namespace kith::inline v0::detail
