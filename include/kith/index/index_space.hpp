// kith/index/index_space.hpp — how many bytes an index takes, said before it is built.
//
// Whoever has a budget asks before the work. What is said holds for vectors as they come, a few at a time: codes and
// lists are learned anew on the way, and the former ones stay for searches that may be reading them.
//
// Thread safety: plain values.
#pragma once

#include <cstdint>

namespace kith::inline v0 {

struct IndexSpace {
    std::uint64_t memory_bytes = 0;  ///< while it is built, and until it is written to a file and mapped from there
    std::uint64_t disk_bytes = 0;    ///< in files

    IndexSpace& operator+=(const IndexSpace& other) noexcept {
        memory_bytes += other.memory_bytes;
        disk_bytes += other.disk_bytes;
        return *this;
    }
    friend IndexSpace operator+(IndexSpace a, const IndexSpace& b) noexcept { return a += b; }
};

}  // namespace kith::inline v0
