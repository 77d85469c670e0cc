// src/storage/lmdb_file.hpp — what can be known of data.mdb before LMDB maps it.
//
// LMDB takes an empty file for a new environment, does not say which LMDB wrote one it cannot read, and ends the
// process with SIGBUS when a page it needs lies past the end of the file. So the file is read as plain bytes first.
//
// Thread safety: any number of threads.
// Source: the page layout of LMDB 0.9 (mdb.c: MDB_page, MDB_node, MDB_meta).
#pragma once

#include <cstdint>
#include <filesystem>

namespace kith::inline v0::detail {

inline constexpr std::uint32_t lmdb_0_9 = 1;  // on disk, in IDENTITY: the data format of LMDB 0.9
inline constexpr std::uint32_t lmdb_1_x = 2;  // on disk, in IDENTITY: the data format of LMDB 1.x

/// Returns when `file` is an environment that an LMDB of format `engine` can open.
/// Throws: Errc::corrupt when it is missing, empty, cut, or something else; Errc::unsupported_version when it has the
/// other format; Errc::io.
/// Cost: two pages; every page that is in use when the file is shorter than its page count, which LMDB allows.
void check_lmdb_file(const std::filesystem::path& file, std::uint32_t engine);

/// Makes the file in which LMDB keeps its readers, where there is none, with every byte on the disk: LMDB would make a
/// hole and map it, and on a full disk the first look into a hole ends the process with SIGBUS.
/// Returns: false when there is none and none can be made, so that no process has the environment open.
/// Throws: Errc::disk_full, Errc::io, where it `must` be made.
bool reserve_lmdb_lock(const std::filesystem::path& file, bool must);

}  // namespace kith::inline v0::detail
