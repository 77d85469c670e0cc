// kith/core/bitset_view.hpp — which slots of a segment a search may return.
//
// Deletes, conditions and snapshots all reach an index as this one view: the first `count` slots exist, and those
// whose bit is set are excluded. The common case, nothing excluded, holds no bits and costs one comparison.
//
// Thread safety: a view is immutable; the words it points to must not change while it is in use.
#pragma once

#include "kith/core/count_bits.hpp"
#include "kith/core/slot.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace kith::inline v0 {

class BitsetView {
public:
    /// Allows nothing.
    constexpr BitsetView() noexcept = default;

    /// Allows every slot below `count`.
    constexpr explicit BitsetView(Slot count) noexcept : count_(count), allowed_(count) {}

    /// Allows the slots below `count` whose bit in `excluded` is 0.
    /// Shape: `excluded` holds (count + 63) / 64 words, slot s is bit s % 64 of word s / 64; null excludes nothing.
    constexpr BitsetView(const std::uint64_t* excluded, Slot count) noexcept
        : excluded_(excluded), count_(count), allowed_(excluded == nullptr ? count : no_slot) {}

    /// The same, where it is known how many slots it allows.
    constexpr BitsetView(const std::uint64_t* excluded, Slot count, Slot allowed) noexcept
        : excluded_(excluded), count_(count), allowed_(allowed) {}

    [[nodiscard]] constexpr bool allows(Slot slot) const noexcept {
        return slot < count_ && (excluded_ == nullptr || ((excluded_[slot / 64] >> (slot % 64)) & 1U) == 0);
    }

    /// Which of the slots from 64 * word on are allowed: bit i for slot 64 * word + i.
    /// Requires: 64 * word is below count().
    [[nodiscard]] constexpr std::uint64_t allowed_word(Slot word) const noexcept {
        const std::uint64_t allowed = excluded_ == nullptr ? ~std::uint64_t{0} : ~excluded_[word];
        const Slot rest = count_ - word * 64;
        return rest < 64 ? allowed & ((std::uint64_t{1} << rest) - 1) : allowed;
    }

    /// The number of slots that exist, excluded ones among them.
    [[nodiscard]] constexpr Slot count() const noexcept { return count_; }

    /// True when no bit is looked at: every slot below count() is allowed.
    [[nodiscard]] constexpr bool all() const noexcept { return excluded_ == nullptr; }

    /// The number of slots that are allowed. Cost: a bit count per 64 slots, where it is not known.
    [[nodiscard]] constexpr Slot count_allowed() const noexcept {
        if (allowed_ != no_slot) return allowed_;
        const Slot whole = count_ / 64;
        const std::size_t excluded = detail::count_bits(std::span(excluded_, whole));
        const std::size_t last = count_ % 64 == 0 ? 0 : detail::count_bits(allowed_word(whole));
        return static_cast<Slot>(std::size_t{whole} * 64 - excluded + last);
    }

    /// The same exclusions over the first `count` slots only.
    /// Requires: count is at most count().
    [[nodiscard]] constexpr BitsetView first(Slot count) const noexcept {
        return count == count_ ? *this : BitsetView(excluded_, count);
    }

private:
    const std::uint64_t* excluded_ = nullptr;  // null, or count_ bits: 1 means excluded
    Slot count_ = 0;                           // slots at or past it do not exist for this search
    Slot allowed_ = 0;                         // how many are allowed; no_slot: not counted yet
};

}  // namespace kith::inline v0
