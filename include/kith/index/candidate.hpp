// kith/index/candidate.hpp — what a beam search keeps of a slot, and the sorted pool it keeps it in.
//
// A candidate is one 64-bit number whose order is (distance, slot), so a comparison is one instruction, equal
// distances need no second look, and even NaN has its place (behind everything). The beam is a plain sorted array:
// for a few hundred entries, moving half of them by memmove is cheaper than a heap's mispredicted branches.
//
// Thread safety: none; every searching thread owns its own.
#pragma once

#include "kith/core/neighbor.hpp"
#include "kith/core/slot.hpp"

#include <algorithm>
#include <bit>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

namespace kith::inline v0 {

/// A slot with its distance and one mark, which its owner gives a meaning.
/// Requires: slot is below 2^31.
class Candidate {
public:
    constexpr Candidate() noexcept = default;
    constexpr Candidate(float distance, Slot slot, bool marked = false) noexcept
        : bits_((std::uint64_t{ordered(distance)} << 32) | (std::uint64_t{slot} << 1) | std::uint64_t{marked}) {}

    [[nodiscard]] constexpr Slot slot() const noexcept { return static_cast<Slot>(bits_) >> 1; }
    [[nodiscard]] constexpr bool marked() const noexcept { return (bits_ & 1) != 0; }
    constexpr void mark() noexcept { bits_ |= 1; }
    [[nodiscard]] constexpr Candidate unmarked() const noexcept { return Candidate(bits_ & ~std::uint64_t{1}); }

    [[nodiscard]] constexpr float distance() const noexcept {
        const auto bits = static_cast<std::uint32_t>(bits_ >> 32);
        return std::bit_cast<float>((bits & sign_bit) != 0 ? bits ^ sign_bit : ~bits);
    }
    [[nodiscard]] constexpr Neighbor neighbor() const noexcept { return {distance(), slot()}; }

    /// Orders by distance, then slot.
    friend constexpr auto operator<=>(const Candidate&, const Candidate&) noexcept = default;

private:
    constexpr explicit Candidate(std::uint64_t bits) noexcept : bits_(bits) {}

    static constexpr std::uint32_t sign_bit = 0x80000000;

    /// The bits of a float as a number with the same order. Adding zero makes -0 equal to 0.
    static constexpr std::uint32_t ordered(float distance) noexcept {
        const auto bits = std::bit_cast<std::uint32_t>(distance + 0.0F);
        return bits ^ ((bits & sign_bit) != 0 ? ~std::uint32_t{0} : sign_bit);
    }

    std::uint64_t bits_ = 0;  // ordered distance, slot, mark, from high to low
};

/// When a walk ends, besides having expanded all it kept: see SearchParams::stretch and bound.
struct Horizon {
    std::size_t count = 1;  ///< candidates wanted
    float stretch = 0;      ///< 0: it does not end by distance
    float bound = std::numeric_limits<float>::infinity();
    std::size_t fewest = 1;  ///< the walk goes on to so many, at most `count`, whatever their distance
};

/// The nearest candidates so far, sorted; a marked one was expanded.
class CandidatePool {
public:
    /// Empties the pool and makes room for the nearest `capacity`.
    /// Requires: capacity is positive. Throws: std::bad_alloc when it has to grow.
    void reset(std::size_t capacity) {
        if (items_.size() < capacity) items_.resize(capacity);
        capacity_ = capacity;
        size_ = 0;
    }

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
    [[nodiscard]] Candidate& operator[](std::size_t at) noexcept { return items_[at]; }
    [[nodiscard]] const Candidate* begin() const noexcept { return items_.data(); }
    [[nodiscard]] const Candidate* end() const noexcept { return items_.data() + size_; }

    /// No candidate at a greater distance than this is kept.
    [[nodiscard]] float worst_distance() const noexcept {
        return size_ < capacity_ ? std::numeric_limits<float>::infinity() : items_[size_ - 1].distance();
    }

    /// How far a walk goes: `stretch` times the distance of the last candidate it wants.
    [[nodiscard]] float reach(const Horizon& horizon) const noexcept {
        constexpr float everywhere = std::numeric_limits<float>::infinity();
        if (horizon.stretch == 0 || size_ < horizon.fewest) return everywhere;
        float last = std::max(horizon.bound, items_[horizon.fewest - 1].distance());
        if (size_ >= horizon.count) last = std::min(last, items_[horizon.count - 1].distance());
        if (last == everywhere) return last;
        return last + (horizon.stretch - 1) * (last < 0 ? -last : last);  // estimates of a distance may be below zero
    }

    [[nodiscard]] bool full() const noexcept { return size_ == capacity_; }

    /// Keeps `candidate` if it is among the nearest; its position then, else size(). A full pool takes none that is as
    /// far as its last: or else a walk among a thousand equal vectors would go on to the one with the lowest slot.
    /// Forced inline: called, it adds 3 % to the instructions of a search.
    [[gnu::always_inline]] std::size_t offer(Candidate candidate) noexcept {
        Candidate* const items = items_.data();
        const bool full = this->full();
        if (full && !(candidate.distance() < items[size_ - 1].distance())) return size_;
        const auto at = static_cast<std::size_t>(std::lower_bound(items, items + size_, candidate) - items);
        if (!full) ++size_;
        std::memmove(items + at + 1, items + at, (size_ - 1 - at) * sizeof(Candidate));
        items[at] = candidate;
        return at;
    }

private:
    std::vector<Candidate> items_;  // the first size_ are sorted
    std::size_t size_ = 0;          // at most capacity_
    std::size_t capacity_ = 0;      // at most items_.size()
};

}  // namespace kith::inline v0
