// kith/distance/hamming.hpp — in how many bits two vectors differ.
#pragma once

#include "kith/core/element.hpp"
#include "kith/distance/metric.hpp"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace kith::inline v0 {

/// The number of dimensions in which the bits differ. Score: the same number, smaller is nearer.
struct Hamming {
    static constexpr std::string_view name = "hamming";  // on disk: never rename
    static constexpr bool needs_either = false;

    [[gnu::always_inline]] static constexpr float of_counts(std::uint32_t differing, std::uint32_t) noexcept {
        return static_cast<float>(differing);
    }

    /// The truth that kernels are measured against. Shape: `dim` counts elements of eight bits.
    static float distance(const Bits8* a, const Bits8* b, std::size_t dim) noexcept {
        std::uint32_t differing = 0;
        for (std::size_t i = 0; i < dim; ++i) {
            differing += static_cast<std::uint32_t>(std::popcount(static_cast<unsigned>(a[i].bits ^ b[i].bits)));
        }
        return of_counts(differing, 0);
    }

    static constexpr float score(float distance) noexcept { return distance; }
};

static_assert(BitMetric<Hamming, Bits8>);

}  // namespace kith::inline v0
