// kith/core/bitset_view.hpp — which slots of a segment a search may return.
//
// Deletes, conditions and snapshots all reach an index as this one view: the first `count` slots exist, and those
// whose bit is set are excluded. The common case, nothing excluded, holds no bits and costs one comparison. Where a
// condition is cheaper to check on the few slots that a search meets than on all, the view holds the check.
//
// Thread safety: a view is immutable; the words it points to must not change while it is in use. A check belongs to one
// thread.
#pragma once

#include "kith/core/assert.hpp"
#include "kith/core/count_bits.hpp"
#include "kith/core/slot.hpp"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

namespace kith::inline v0 {

/// Says of single slots whether they may be returned. A walk asks it of those that would be among the nearest, some
/// hundred; a call to each is nothing beside the lines of memory that they take.
class SlotCheck {
public:
    [[nodiscard]] virtual bool allows(Slot slot) const noexcept = 0;

protected:
    ~SlotCheck() = default;
};

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

    /// Allows of those of `others` the ones that pass a check, which are about `allowed`.
    /// Requires: `others` has no check.
    constexpr BitsetView(BitsetView others, Slot allowed, const SlotCheck& check) noexcept
        : excluded_(others.excluded_), check_(&check), count_(others.count_), allowed_(allowed) {
        KITH_ASSERT(others.check_ == nullptr);
    }

    [[nodiscard]] constexpr bool allows(Slot slot) const noexcept {
        return slot < count_ && (excluded_ == nullptr || ((excluded_[slot / 64] >> (slot % 64)) & 1U) == 0) &&
               (check_ == nullptr || check_->allows(slot));
    }

    /// Which of the slots from 64 * word on are allowed: bit i for slot 64 * word + i.
    /// Requires: 64 * word is below count().
    [[nodiscard]] constexpr std::uint64_t allowed_word(Slot word) const noexcept {
        std::uint64_t allowed = excluded_ == nullptr ? ~std::uint64_t{0} : ~excluded_[word];
        const Slot rest = count_ - word * 64;
        if (rest < 64) allowed &= (std::uint64_t{1} << rest) - 1;
        if (check_ == nullptr) return allowed;
        for (std::uint64_t left = allowed; left != 0; left &= left - 1) {
            if (!check_->allows(word * 64 + static_cast<Slot>(std::countr_zero(left)))) allowed &= ~(left & -left);
        }
        return allowed;
    }

    /// The number of slots that exist, excluded ones among them.
    [[nodiscard]] constexpr Slot count() const noexcept { return count_; }

    /// True when no bit is looked at: every slot below count() is allowed.
    [[nodiscard]] constexpr bool all() const noexcept { return excluded_ == nullptr && check_ == nullptr; }

    /// The number of slots that are allowed; with a check, about. Cost: a bit count per 64 slots, where it is not known.
    [[nodiscard]] constexpr Slot count_allowed() const noexcept {
        if (allowed_ != no_slot) return allowed_;
        const Slot whole = count_ / 64;
        const std::size_t excluded = detail::count_bits(std::span(excluded_, whole));
        const std::size_t last = count_ % 64 == 0 ? 0 : detail::count_bits(allowed_word(whole));
        return static_cast<Slot>(std::size_t{whole} * 64 - excluded + last);
    }

    /// No more slots are allowed than that.
    [[nodiscard]] constexpr Slot most_allowed() const noexcept { return check_ == nullptr ? count_allowed() : count_; }

    /// The same exclusions over the first `count` slots only.
    /// Requires: count is at most count().
    [[nodiscard]] constexpr BitsetView first(Slot count) const noexcept {
        if (count == count_) return *this;
        const BitsetView first(excluded_, count);
        if (check_ == nullptr) return first;
        return BitsetView(first, static_cast<Slot>(std::uint64_t{allowed_} * count / count_), *check_);
    }

private:
    const std::uint64_t* excluded_ = nullptr;  // null, or count_ bits: 1 means excluded
    const SlotCheck* check_ = nullptr;         // null, or asked of those that are not excluded
    Slot count_ = 0;                           // slots at or past it do not exist for this search
    Slot allowed_ = 0;                         // how many are allowed; no_slot: not counted yet
};

}  // namespace kith::inline v0
