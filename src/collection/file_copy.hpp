// src/collection/file_copy.hpp — files from one folder to another: linked where that is possible, else copied.
//
// Thread safety: any number of threads.
#pragma once

#include "kith/core/long_call.hpp"

#include <cstdint>
#include <filesystem>
#include <limits>

namespace kith::inline v0::detail {

/// Copies the first `bytes` bytes of a file, or all of it when it has fewer, to a new one, which is then on the disk.
/// Returns how many there were. Throws: Errc::io, Errc::disk_full; as LongCall::check(done).
std::uint64_t copy_file(const std::filesystem::path& from, const std::filesystem::path& to, const LongCall& call,
                        double done, std::uint64_t bytes = std::numeric_limits<std::uint64_t>::max());

/// Makes `to` another name of the file `from`; false when the file system cannot.
/// Throws: Errc::io, Errc::disk_full.
bool link_file(const std::filesystem::path& from, const std::filesystem::path& to);

}  // namespace kith::inline v0::detail
