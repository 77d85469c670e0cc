// kith/scalar/growing_column.hpp — the numbers of a field of the segment that is being written, for whole passes.
//
// The index beside it visits its terms one by one, which for many of them takes longer than to compare every number. So
// the numbers stand here once more in the order of their slots, as a column of a sealed segment has them. They lie in
// blocks that are only added to, so that a reader of published slots needs no lock.
//
// Thread safety: one writer; any number of readers of slots that were published to them (see Snapshot).
#pragma once

#include "kith/core/assert.hpp"
#include "kith/core/count_bits.hpp"
#include "kith/core/slot.hpp"
#include "kith/scalar/growing_blocks.hpp"
#include "kith/scalar/number_intervals.hpp"
#include "kith/scalar/question.hpp"
#include "kith/scalar/term.hpp"
#include "kith/schema/field.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace kith::inline v0::detail {

class GrowingColumn {
public:
    /// Whether there are columns of such fields: of numbers and of bool, but not of lists.
    static constexpr bool holds(FieldKind kind, bool list) noexcept { return !list && scalar_bytes(kind) != 0; }

    struct Block {
        std::array<std::uint64_t, column_block> numbers;
        BlockMatches present;  // 1 where there is a value
    };

    /// Requires: holds(kind, false).
    GrowingColumn(FieldKind kind, Slot capacity) : kind_(kind), blocks_(capacity) {}

    [[nodiscard]] FieldKind kind() const noexcept { return kind_; }
    [[nodiscard]] Slot size() const noexcept { return size_; }
    [[nodiscard]] std::size_t bytes() const noexcept { return blocks_.bytes(size_); }

    /// Adds the next slot. Requires: size() is below the capacity; the member is null or has a term of the kind.
    /// Throws: std::bad_alloc; nothing was added then.
    void append(const MemberTerms& member) {
        Block& block = blocks_.of(size_);
        block.present[size_ % column_block] = member.null() ? 0 : 1;
        block.numbers[size_ % column_block] = member.null() ? 0 : number_of_term(member[0]);
        ++size_;
    }

    /// Forgets the slots from `size` on. Requires: none of them was published.
    void truncate(Slot size) noexcept { size_ = std::min(size_, size); }

    /// A block of slots. Requires: a slot of it was published.
    [[nodiscard]] const Block& block(Slot number) const noexcept { return blocks_[number]; }

private:
    FieldKind kind_;
    GrowingBlocks<Block> blocks_;
    Slot size_ = 0;  // the writer's count; readers use their snapshot's
};

/// A question answered from the numbers. Thread safety: none; every thread that scans has its own.
class GrowingColumnScan {
public:
    /// Of the slots below `count`. Requires: they were published to the caller; the question is any_of, range, null or
    /// present, with terms of the column's kind.
    GrowingColumnScan(const GrowingColumn& column, const ScalarQuestion& question, Slot count)
        : column_(&column), ask_(question.ask), count_(count) {
        if (!question.about_size()) intervals_ = NumberIntervals(column.kind(), question);
    }

    /// Clears the bits of slots for which the answer is not certainly `wanted`. Shape: words_of(count) words.
    /// Cost: as the blocks with bits in them; where those are few, as the bits.
    void keep(bool wanted, std::span<std::uint64_t> words) {
        KITH_ASSERT(words.size() == words_of(count_));
        for (Slot block = 0; block * column_block < count_; ++block) {
            const std::size_t first = std::size_t{block} * column_block_words;
            const auto kept = words.subspan(first, std::min(column_block_words, words.size() - first));
            const std::size_t left = count_bits(kept);
            if (left == 0) continue;
            if (left < few_bits) {
                keep_bits(kept, block * column_block,
                          [&](Slot slot) { return wanted ? satisfies(slot) : excludes(slot); });
            } else {
                keep_block(wanted, column_->block(block), std::min<Slot>(column_block, count_ - block * column_block),
                           kept);
            }
        }
    }

    /// About how long keep() takes where that many bits are set, spread evenly: what a planner weighs.
    [[nodiscard]] static double nanoseconds(Slot count, double bits) noexcept {
        constexpr double any_pass = 1000, a_bit = 10, a_slot = 0.5;  // on one core of 3 GHz (benchmarks/scalar)
        return any_pass + std::min(a_bit * bits, a_slot * count);
    }

    /// Whether a slot satisfies the question, and whether it certainly does not. Requires: it is below the count.
    [[nodiscard]] bool satisfies(Slot slot) const noexcept {
        if (ask_ == Ask::null) return !present(slot);
        return present(slot) && (ask_ == Ask::present || intervals_.contains(number(slot)));
    }
    [[nodiscard]] bool excludes(Slot slot) const noexcept { return present(slot) && !satisfies(slot); }

private:
    [[nodiscard]] bool present(Slot slot) const noexcept {
        return column_->block(slot / column_block).present[slot % column_block] != 0;
    }
    [[nodiscard]] std::uint64_t number(Slot slot) const noexcept {
        return column_->block(slot / column_block).numbers[slot % column_block];
    }

    void keep_block(bool wanted, const GrowingColumn::Block& block, Slot count,
                    std::span<std::uint64_t> kept) noexcept {
        if (ask_ == Ask::null || ask_ == Ask::present) {
            std::fill_n(matches_.begin(), count, static_cast<std::uint8_t>(ask_ == Ask::present ? 1 : 0));
        } else {
            intervals_.match(std::span<const std::uint64_t>(block.numbers).first(count), matches_);
        }
        // Of null, the answer is yes where there is no value; of everything else, neither yes nor no.
        const std::uint8_t flip = wanted ? 0 : 1;
        const bool null_wanted = ask_ == Ask::null && wanted;
        for (Slot at = 0; at < count; ++at) {
            const auto value = static_cast<std::uint8_t>((matches_[at] ^ flip) & block.present[at]);
            matches_[at] = null_wanted ? static_cast<std::uint8_t>(block.present[at] ^ 1U) : value;
        }
        std::array<std::uint64_t, column_block_words> bits;
        pack(matches_, count, bits);
        for (std::size_t word = 0; word < kept.size(); ++word) kept[word] &= bits[word];
    }

    const GrowingColumn* column_;
    Ask ask_;
    Slot count_;
    NumberIntervals intervals_;
    BlockMatches matches_{};  // scratch
};

}  // namespace kith::inline v0::detail
