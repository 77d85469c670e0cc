// kith/index/hnsw/params.hpp — what shapes an HNSW graph.
#pragma once

#include <cstdint>

namespace kith::inline v0 {

/// Usable as a template argument, so that a schema can name it.
struct HnswParams {
    std::uint32_t max_links = 16;  ///< links a node on the upper levels, half of those at the bottom; the paper's M
    std::uint32_t ef_construction = 200;  ///< candidates considered when a node is linked: more is slower and better
    std::uint64_t seed = 0x6b697468;      ///< same seed, same rows, one thread: same graph

    static constexpr std::uint32_t fewest_links = 4;
    static constexpr std::uint32_t most_links = 64;

    friend constexpr bool operator==(const HnswParams&, const HnswParams&) noexcept = default;
};

}  // namespace kith::inline v0
