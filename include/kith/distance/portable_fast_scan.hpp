// kith/distance/portable_fast_scan.hpp — the kernels of fast_scan.hpp in plain C++: the truth the others must meet.
//
// As portable.hpp: each carries the flags of the source it was compiled in.
#pragma once

#include "kith/distance/fast_scan.hpp"
#include "kith/distance/portable.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace kith::inline v0 {

namespace detail {

/// Where table m begins among the tables of a scan; it is there twice, 16 bytes apart.
template <class Flags>
constexpr std::size_t portable_table_at(std::size_t m) noexcept {
    return m / 4 * 128 + m % 2 * 64 + m / 2 % 2 * 32;
}

template <class Flags>
void portable_ranges(const float* tables, std::size_t count, float* lows, float* widest, float* sum) noexcept {
    *widest = 0;
    *sum = 0;
    for (std::size_t m = 0; m < count; ++m) {
        float low = tables[m * 16], high = low;
        for (std::size_t k = 1; k < 16; ++k) {
            const float entry = tables[m * 16 + k];
            low = entry < low ? entry : low;
            high = entry > high ? entry : high;
        }
        lows[m] = low;
        const float range = high - low;
        *widest = range > *widest ? range : *widest;
        *sum += range;
    }
}

template <class Flags>
void portable_round(const float* tables, std::size_t count, const float* lows, float inverse,
                    std::uint8_t* out) noexcept {
    for (std::size_t m = 0; m < count; ++m) {
        std::uint8_t* to = out + portable_table_at<Flags>(m);
        for (std::size_t k = 0; k < 16; ++k) {
            to[k] = static_cast<std::uint8_t>(std::lrint((tables[m * 16 + k] - lows[m]) * inverse));
        }
        std::memcpy(to + 16, to, 16);
    }
    for (std::size_t m = count; m % 4 != 0; ++m) std::memset(out + portable_table_at<Flags>(m), 0, 32);
}

/// Adds the entries of a block's vectors to `sums`.
template <class Flags>
void portable_add_entries(const FastScanQuery& query, const std::byte* block, unsigned* sums) noexcept {
    for (std::size_t pair = 0; pair < query.pairs; ++pair) {
        const std::uint8_t* low = query.tables + portable_table_at<Flags>(2 * pair);
        const std::uint8_t* high = query.tables + portable_table_at<Flags>(2 * pair + 1);
        const auto* codes = reinterpret_cast<const std::uint8_t*>(block + pair * FastScanLayout::vectors);
        for (std::size_t v = 0; v < FastScanLayout::vectors; ++v) {
            sums[v] += static_cast<unsigned>(low[codes[v] & 15]) + high[codes[v] >> 4];
        }
    }
}

template <class Flags>
std::size_t portable_scan(const FastScanQuery& query, const std::byte* blocks, std::size_t count,
                          std::uint16_t threshold, std::uint32_t* positions, std::uint16_t* totals) noexcept {
    constexpr std::size_t vectors = FastScanLayout::vectors;
    std::size_t kept = 0;
    for (std::size_t first = 0; first < count; first += vectors) {
        unsigned sums[vectors] = {};
        portable_add_entries<Flags>(query, blocks, sums);
        const auto* offsets = reinterpret_cast<const std::uint8_t*>(blocks + FastScanLayout::code_bytes(query.pairs));
        for (std::size_t v = 0; v < vectors && first + v < count; ++v) {
            const unsigned offset = offsets[2 * v] | static_cast<unsigned>(offsets[2 * v + 1]) << 8;
            const unsigned total = sums[v] + (offset >> query.shift);
            positions[kept] = static_cast<std::uint32_t>(first + v);
            totals[kept] = static_cast<std::uint16_t>(total);
            kept += total <= threshold ? 1U : 0U;
        }
        blocks += FastScanLayout::block_bytes(query.pairs);
    }
    return kept;
}

template <class Flags>
std::size_t portable_scan_bounds(const FastScanQuery& query, const FastScanBounds& bounds, const std::byte* blocks,
                                 std::size_t count, std::uint32_t* positions, float* found) noexcept {
    constexpr std::size_t vectors = FastScanLayout::vectors;
    std::size_t kept = 0;
    for (std::size_t first = 0; first < count; first += vectors) {
        unsigned sums[vectors] = {};
        portable_add_entries<Flags>(query, blocks, sums);
        float numbers[3][vectors];
        std::memcpy(numbers, blocks + FastScanLayout::code_bytes(query.pairs), sizeof(numbers));
        for (std::size_t v = 0; v < vectors && first + v < count; ++v) {
            const float product = bounds.low + bounds.unit * static_cast<float>(sums[v]);
            const float bound = numbers[0][v] - numbers[1][v] * product - numbers[2][v] * bounds.reach;
            positions[kept] = static_cast<std::uint32_t>(first + v);
            found[kept] = bound;
            kept += bound > bounds.limit ? 0U : 1U;
        }
        blocks += FastScanLayout::bounded_block_bytes(query.pairs);
    }
    return kept;
}

template <class Flags>
constexpr FastScanKernels portable_fast_scan_kernels() noexcept {
    return {portable_round<Flags>, portable_ranges<Flags>, portable_scan<Flags>, portable_scan_bounds<Flags>};
}

}  // namespace detail

}  // namespace kith::inline v0
