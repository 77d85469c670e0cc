// kith/distance/fast_scan.hpp — sums of table entries for 32 vectors at a time, looked up inside registers.
//
// A code of 4 bits names one of 16 entries, and 16 bytes are what a byte shuffle looks up. So the codes of 32 vectors
// stand side by side, the tables are rounded to 7 bits, and a block of 32 sums comes out without a load from a table.
//
//   block   = codes, then offsets or bounds
//   codes   = pairs × 32 bytes, pairs even: byte v of pair p has code 2p of vector v in its low 4 bits, code 2p + 1
//             above
//   offsets = u16 little-endian for each of the 32: what a vector adds by itself, before it is shifted
//   bounds  = bias:f32 × 32, scale:f32 × 32, error:f32 × 32, of which a lower bound of a distance is made
//   tables  = for each two pairs p and p + 1, 128 bytes: table 2p twice, table 2p + 2 twice, 2p + 1 twice, 2p + 3 twice
//
// A byte of a block belongs to one vector, so a vector may be written while the block's others are searched.
//
// This header stays free of everything but types, as kernels.hpp does and for the same reason.
// Source: André, Kermarrec & Le Scouarnec, "Accelerated nearest neighbor search with Quick ADC", arXiv:1704.07355;
// Douze et al., "The Faiss library", arXiv:2401.08281, section 5.
#pragma once

#include <cstddef>
#include <cstdint>

namespace kith::inline v0 {

/// How blocks are laid out. On disk: never change.
struct FastScanLayout {
    static constexpr std::size_t vectors = 32;  ///< of one block
    static constexpr std::size_t words = 16;    ///< entries of a table
    static constexpr unsigned most = 127;       ///< an entry: two of them are added in a byte

    [[nodiscard, gnu::always_inline]] static constexpr std::size_t pairs(std::size_t subvectors) noexcept {
        return (subvectors + 3) / 4 * 2;
    }
    [[nodiscard, gnu::always_inline]] static constexpr std::size_t code_bytes(std::size_t pairs) noexcept {
        return pairs * vectors;
    }
    [[nodiscard, gnu::always_inline]] static constexpr std::size_t block_bytes(std::size_t pairs) noexcept {
        return code_bytes(pairs) + vectors * sizeof(std::uint16_t);
    }
    [[nodiscard, gnu::always_inline]] static constexpr std::size_t bounded_block_bytes(std::size_t pairs) noexcept {
        return code_bytes(pairs) + 3 * vectors * sizeof(float);
    }
    [[nodiscard, gnu::always_inline]] static constexpr std::size_t table_bytes(std::size_t pairs) noexcept {
        return pairs * 64;
    }
};

/// What a scan is given besides the blocks.
struct FastScanQuery {
    const std::uint8_t* tables = nullptr;  // aligned to 64 bytes
    std::size_t pairs = 0;                 // even
    unsigned shift = 0;                    // of the offsets, to the right; below 16
};

/// What makes a total t of a vector the lower bound bias − scale · (low + unit · t) − error · reach.
struct FastScanBounds {
    float unit = 1;
    float low = 0;
    float reach = 0;
    float limit = 0;  // bounds above it are not named; what is no number is
};

struct FastScanKernels {
    /// Rounds `count` tables of 16 floats: out holds entry − lows[m], times `inverse`, to the nearest, ties to even.
    /// Requires: 0 ≤ (entry − low) · inverse < 127.5 for all. Shape: `out` has room for table_bytes(pairs(count)).
    using Round = void (*)(const float* tables, std::size_t count, const float* lows, float inverse,
                           std::uint8_t* out) noexcept;

    /// lows[m] is the least entry of table m; returns nothing else but the widest range and the sum of the ranges.
    using Ranges = void (*)(const float* tables, std::size_t count, float* lows, float* widest, float* sum) noexcept;

    /// Adds up the entries of each of `count` vectors in blocks that follow each other, and its offset, and names those
    /// whose total is at most `threshold`; returns how many.
    /// Requires: no total passes 65535.
    /// Shape: `positions` and `totals` have room for `count`, rounded up to whole blocks.
    using Scan = std::size_t (*)(const FastScanQuery& query, const std::byte* blocks, std::size_t count,
                                 std::uint16_t threshold, std::uint32_t* positions, std::uint16_t* totals) noexcept;

    /// The same over blocks with bounds: names those whose bound is not above the limit. No offset is added.
    /// Laws: as the scan, but for the last bit of a bound.
    using ScanBounds = std::size_t (*)(const FastScanQuery& query, const FastScanBounds& bounds,
                                       const std::byte* blocks, std::size_t count, std::uint32_t* positions,
                                       float* found) noexcept;

    Round round = nullptr;
    Ranges ranges = nullptr;
    Scan scan = nullptr;
    ScanBounds scan_bounds = nullptr;
};

}  // namespace kith::inline v0
