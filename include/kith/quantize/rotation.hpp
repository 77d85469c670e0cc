// kith/quantize/rotation.hpp — a random rotation that costs O(d log d) instead of d².
//
// Codes that cut each element in the same way do best when no element matters more than another. A random rotation
// makes it so, whatever the data, and changes no distance. A dense one would cost more than the search; this one turns
// random signs and Hadamard transforms over the first and the last elements, in rounds, which mixes as well.
//
// Thread safety: only read once it is made.
// Source: Ailon & Chazelle, "The fast Johnson–Lindenstrauss transform and approximate nearest neighbors", SIAM J.
// Comput. 39(1), 2009, section 2; Andoni et al., arXiv:1509.02897, section 4 (three rounds of signs and Hadamard).
#pragma once

#include "kith/core/random.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace kith::inline v0 {

namespace detail {

/// The first two steps of a Hadamard transform, of each four elements of `count`, a multiple of four. Written in
/// registers of four, for compilers find none in so short a step.
inline void hadamard_fours(float* values, std::size_t count) noexcept {
    using Four = float __attribute__((vector_size(4 * sizeof(float))));
    constexpr Four minus_odd = {1, -1, 1, -1}, minus_upper = {1, 1, -1, -1};
    for (std::size_t first = 0; first < count; first += 4) {
        Four of;
        std::memcpy(&of, values + first, sizeof(of));
        of = __builtin_shufflevector(of, of, 0, 0, 2, 2) + __builtin_shufflevector(of, of, 1, 1, 3, 3) * minus_odd;
        of = __builtin_shufflevector(of, of, 0, 1, 0, 1) + __builtin_shufflevector(of, of, 2, 3, 2, 3) * minus_upper;
        std::memcpy(values + first, &of, sizeof(of));
    }
}

/// The Hadamard transform of `count` elements, a power of two from four on, in place, without the factor 1 / √count.
inline void hadamard(float* values, std::size_t count) noexcept {
    hadamard_fours(values, count);
    std::size_t step = 4;
    for (; 4 * step <= count; step *= 4) {  // two steps at once, for the way to memory is the longer part
        for (std::size_t first = 0; first < count; first += 4 * step) {
            float* const at = values + first;
            for (std::size_t i = 0; i < step; ++i) {
                const float a = at[i] + at[i + step], b = at[i] - at[i + step];
                const float c = at[i + 2 * step] + at[i + 3 * step], d = at[i + 2 * step] - at[i + 3 * step];
                at[i] = a + c;
                at[i + step] = b + d;
                at[i + 2 * step] = a - c;
                at[i + 3 * step] = b - d;
            }
        }
    }
    if (step == count) return;
    for (std::size_t i = 0; i < step; ++i) {
        const float sum = values[i] + values[i + step];
        values[i + step] = values[i] - values[i + step];
        values[i] = sum;
    }
}

}  // namespace detail

class Rotation {
public:
    /// The rotation of `dim` elements that belongs to `seed`; the same on every machine.
    /// Requires: dim is at least 1.
    Rotation(std::size_t dim, std::uint64_t seed)
        : dim_(dim), padded_dim_(padded_dim(dim)), signs_(rounds * padded_dim_) {
        SplitMix64 random(seed);
        for (float& sign : signs_) sign = (random() & 1) != 0 ? 1.0F : -1.0F;
    }

    [[nodiscard]] std::size_t dim() const noexcept { return dim_; }

    /// Elements of a rotated vector of `dim` elements: that rounded up to a multiple of 16.
    [[nodiscard]] static constexpr std::size_t padded_dim(std::size_t dim) noexcept {
        return (dim + granule - 1) / granule * granule;
    }
    [[nodiscard]] std::size_t padded_dim() const noexcept { return padded_dim_; }

    /// Memory that the rotation of `dim` elements holds.
    [[nodiscard]] static constexpr std::size_t held_bytes(std::size_t dim) noexcept {
        return rounds * padded_dim(dim) * sizeof(float);
    }

    /// Rotates a vector; lengths and inner products stay as they are, up to rounding.
    /// Shape: `in` holds dim() elements, `out` has room for padded_dim(); they do not overlap.
    void apply(const float* in, float* out) const noexcept {
        std::copy_n(in, dim_, out);
        std::fill_n(out + dim_, padded_dim_ - dim_, 0.0F);
        for (std::size_t round = 0; round < rounds; ++round) {
            const float* const signs = &signs_[round * padded_dim_];
            for (std::size_t i = 0; i < padded_dim_; ++i) out[i] *= signs[i];
            mix(out);
            if (span() < padded_dim_) mix(out + padded_dim_ - span());
        }
    }

    /// The rotation back. Shape: `rotated` holds padded_dim() elements and is overwritten; `out` has room for dim().
    void invert(float* rotated, float* out) const noexcept {
        for (std::size_t round = rounds; round-- > 0;) {
            const float* const signs = &signs_[round * padded_dim_];
            if (span() < padded_dim_) mix(rotated + padded_dim_ - span());
            mix(rotated);
            for (std::size_t i = 0; i < padded_dim_; ++i) rotated[i] *= signs[i];
        }
        std::copy_n(rotated, dim_, out);
    }

private:
    static constexpr std::size_t granule = 16;  // a register of floats
    static constexpr std::size_t rounds = 3;

    /// The longest power of two that fits. Two of them, from either end, cover every element.
    [[nodiscard]] std::size_t span() const noexcept { return std::bit_floor(padded_dim_); }

    /// Its own inverse.
    void mix(float* values) const noexcept {
        const std::size_t count = span();
        detail::hadamard(values, count);
        const float norm = 1.0F / std::sqrt(static_cast<float>(count));
        for (std::size_t i = 0; i < count; ++i) values[i] *= norm;
    }

    std::size_t dim_;
    std::size_t padded_dim_;
    std::vector<float> signs_;  // rounds times padded_dim_ of 1 and -1
};

}  // namespace kith::inline v0
