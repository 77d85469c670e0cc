// kith/storage/file_system.hpp — whether a directory lies where locks and memory maps mean what they should.
//
// A collection needs locks that every process sees, a memory map that shows what others write, and a sync that reaches
// the disk. File systems of a network, or of a program of its own (FUSE), promise some of that to one machine at best;
// LMDB is known to be damaged on them.
//
// Thread safety: any number of threads.
// Source: statfs(2); lmdb.h, "Do not use LMDB databases on remote filesystems".
#pragma once

#include <filesystem>

namespace kith::inline v0::detail {

/// Returns when `path`, or what stands nearest above it, lies on a file system of this machine.
/// Throws: Errc::unsupported_file_system, whose text names path, file system and the way out; Errc::io.
void require_local(const std::filesystem::path& path);

}  // namespace kith::inline v0::detail
