// kith/distance/jaccard.hpp — how much of what either of two sets holds is not in both.
#pragma once

#include "kith/core/element.hpp"
#include "kith/distance/metric.hpp"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace kith::inline v0 {

/// 1 − |a ∩ b| / |a ∪ b|, the bits being members of sets: 0 for equal sets, empty ones too, and 1 for sets that share
/// nothing. Score: the Jaccard similarity, larger is nearer.
struct Jaccard {
    static constexpr std::string_view name = "jaccard";  // on disk: never rename
    static constexpr bool needs_either = true;

    /// Both counts are floats without rounding, so the quotient is rounded once and the same on every processor.
    [[gnu::always_inline]] static constexpr float of_counts(std::uint32_t differing, std::uint32_t either) noexcept {
        return either == 0 ? 0.0F : static_cast<float>(differing) / static_cast<float>(either);
    }

    /// The truth that kernels are measured against. Shape: `dim` counts elements of eight bits.
    static float distance(const Bits8* a, const Bits8* b, std::size_t dim) noexcept {
        std::uint32_t both = 0, either = 0;
        for (std::size_t i = 0; i < dim; ++i) {
            both += static_cast<std::uint32_t>(std::popcount(static_cast<unsigned>(a[i].bits & b[i].bits)));
            either += static_cast<std::uint32_t>(std::popcount(static_cast<unsigned>(a[i].bits | b[i].bits)));
        }
        return either == 0 ? 0.0F
                           : static_cast<float>(static_cast<double>(either - both) / static_cast<double>(either));
    }

    static constexpr float score(float distance) noexcept { return 1.0F - distance; }
};

static_assert(BitMetric<Jaccard, Bits8>);

}  // namespace kith::inline v0
