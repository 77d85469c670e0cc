// kith/core/random.hpp — small, seeded, the same numbers on every machine.
//
// The standard's distributions differ between libraries; a graph built with one seed must not. So levels and samples
// come from this generator and from arithmetic written here.
//
// Source: Steele, Lea & Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014 (SplitMix64).
#pragma once

#include <cstdint>

namespace kith::inline v0 {

/// Maps a number to a well-mixed one; neighbouring inputs give unrelated outputs.
constexpr std::uint64_t mix64(std::uint64_t value) noexcept {
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ULL;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebULL;
    return value ^ (value >> 31);
}

/// A sequence of 64-bit numbers from a seed. Satisfies std::uniform_random_bit_generator.
class SplitMix64 {
public:
    using result_type = std::uint64_t;

    constexpr explicit SplitMix64(std::uint64_t seed) noexcept : state_(seed) {}

    static constexpr std::uint64_t min() noexcept { return 0; }
    static constexpr std::uint64_t max() noexcept { return ~std::uint64_t{0}; }

    constexpr std::uint64_t operator()() noexcept {
        state_ += 0x9e3779b97f4a7c15ULL;
        return mix64(state_);
    }

    /// A number in [0, 1), a multiple of 2^-53.
    constexpr double uniform() noexcept { return static_cast<double>((*this)() >> 11) * 0x1p-53; }

    /// A number in [0, bound). It is made of 53 bits: the bias is below bound / 2^53, and beyond 2^53 not every number
    /// occurs. Requires: bound is positive.
    constexpr std::uint64_t below(std::uint64_t bound) noexcept {
        return static_cast<std::uint64_t>(uniform() * static_cast<double>(bound)) % bound;
    }

private:
    std::uint64_t state_;
};

}  // namespace kith::inline v0
