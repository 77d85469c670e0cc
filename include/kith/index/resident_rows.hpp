// kith/index/resident_rows.hpp — rows that may have to be brought into memory before they are scored.
//
// A scorer is told which slots it is about to read, so it is the place where rows of a file are held: some at a time,
// so that the disk is asked for all of them at once and few need be in memory together. Rows that are in memory anyway
// cost one branch a call.
//
// Thread safety: as the rows and scorers inside.
#pragma once

#include "kith/core/residency.hpp"
#include "kith/core/scratch_memory.hpp"
#include "kith/core/slot.hpp"
#include "kith/distance/scorer.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>

namespace kith::inline v0::detail {

/// Where rows lie, and who brings them in.
struct RowsPlace {
    Residency* residency = nullptr;  // null: they are in memory
    const void* first = nullptr;     // row s begins s * stride bytes further
    std::size_t stride = 0;
    std::size_t read = 0;  // bytes that are read of a row; kernels may go past its end

    [[nodiscard]] Residency::Piece piece(Slot first_row, std::size_t rows = 1) const noexcept {
        return {static_cast<const std::byte*>(first) + first_row * stride, (rows - 1) * stride + read};
    }

    /// Rows that are held at once, of any place or one after the other.
    [[nodiscard]] std::size_t at_once() const noexcept {
        return std::clamp<std::size_t>(Residency::most_bytes / std::max<std::size_t>(read, 1), 1,
                                       Residency::most_pieces);
    }
    [[nodiscard]] std::size_t in_order_at_once() const noexcept {
        return std::max<std::size_t>(Residency::most_bytes / std::max(stride, read), 1);
    }
};

/// Calls act(first, count) for parts of `count` slots, whose rows are in memory while it runs.
template <class Act>
void each_held(const RowsPlace& place, const Slot* slots, std::size_t count, const Act& act) noexcept {
    std::array<Residency::Piece, Residency::most_pieces> pieces;
    const std::size_t at_once = place.at_once();
    for (std::size_t at = 0; at < count; at += at_once) {
        const std::size_t now = std::min(at_once, count - at);
        for (std::size_t i = 0; i < now; ++i) pieces[i] = place.piece(slots[at + i]);
        const Held held(*place.residency, std::span(pieces).first(now), Residency::Use::at_random);
        act(at, now);
    }
}

/// The same for the rows from `first` on, which follow each other.
template <class Act>
void each_held_in_order(const RowsPlace& place, Slot first, std::size_t count, const Act& act) noexcept {
    const std::size_t at_once = place.in_order_at_once();
    for (std::size_t at = 0; at < count; at += at_once) {
        const std::size_t now = std::min(at_once, count - at);
        const Residency::Piece piece = place.piece(first + static_cast<Slot>(at), now);
        const Held held(*place.residency, {&piece, 1}, Residency::Use::in_order);
        act(at, now);
    }
}

/// A Scorer whose rows are held while it reads them.
template <Scorer S>
class ResidentScorer {
public:
    ResidentScorer(const S& scorer, const RowsPlace& place) noexcept : scorer_(scorer), place_(place) {}

    void score(const Slot* slots, std::size_t count, float* out) const noexcept {
        if (place_.residency == nullptr) [[likely]] {
            scorer_.score(slots, count, out);
        } else {
            score_held(slots, count, out);
        }
    }

    void score_block(Slot first, std::size_t count, float* out) const noexcept {
        if (place_.residency == nullptr) [[likely]] {
            scorer_.score_block(first, count, out);
        } else {
            score_block_held(first, count, out);
        }
    }

    [[gnu::always_inline]] void prefetch(Slot slot) const noexcept { scorer_.prefetch(slot); }

    [[gnu::always_inline]] void prefetch_scan(Slot first, std::size_t count) const noexcept
        requires requires(const S& scorer) { scorer.prefetch_scan(first, count); }
    {
        scorer_.prefetch_scan(first, count);
    }

private:
    [[gnu::noinline]] void score_held(const Slot* slots, std::size_t count, float* out) const noexcept {
        each_held(place_, slots, count,
                  [&](std::size_t at, std::size_t now) { scorer_.score(slots + at, now, out + at); });
    }

    [[gnu::noinline]] void score_block_held(Slot first, std::size_t count, float* out) const noexcept {
        each_held_in_order(place_, first, count, [&](std::size_t at, std::size_t now) {
            scorer_.score_block(first + static_cast<Slot>(at), now, out + at);
        });
    }

    S scorer_;
    RowsPlace place_;
};

/// Rows of any kind, in such a place.
template <Rows R>
class ResidentRows {
public:
    ResidentRows(const R& rows, const RowsPlace& place) noexcept : rows_(rows), place_(place) {}

    [[nodiscard]] std::size_t dim() const noexcept { return rows_.dim(); }

    [[nodiscard]] auto scorer(const float* query, ScratchMemory& scratch) const {
        return ResidentScorer(rows_.scorer(query, scratch), place_);
    }
    [[nodiscard]] auto scorer_of(Slot slot, ScratchMemory& scratch) const {
        return ResidentScorer(rows_.scorer_of(slot, scratch), place_);
    }

private:
    R rows_;
    RowsPlace place_;
};

}  // namespace kith::inline v0::detail
