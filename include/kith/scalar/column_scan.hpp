// kith/scalar/column_scan.hpp — a question answered from a column, 1,024 slots at a time.
//
// What does not depend on a slot is done once: bounds become numbers, and a column of codes is asked through its distinct
// texts. Then a block is loaded, compared with bounds, and its comparisons are packed to bits.
//
// Thread safety: none; every thread that scans has its own. The column must outlive it.
#pragma once

#include "kith/core/slot.hpp"
#include "kith/scalar/column_file.hpp"
#include "kith/scalar/number_intervals.hpp"
#include "kith/scalar/question.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace kith::inline v0::detail {

class ColumnScan {
public:
    /// Requires: the question fits the column, as for ScalarIndex. Throws: Errc::corrupt.
    /// Cost: of texts by code, at most a look at each distinct text.
    ColumnScan(const StoredColumn& column, const ScalarQuestion& question);

    [[nodiscard]] Slot blocks() const noexcept { return (column_->slots() + column_block - 1) / column_block; }

    /// Makes `out` the answer for the slots from block × 1024 on; bits behind the last slot are 0.
    /// Requires: block is below blocks(). Throws: Errc::corrupt.
    void evaluate(Slot block, BlockWords out);

    /// Sets the bits of all slots that satisfy the question. Shape: words_of(slots) words. Throws: Errc::corrupt.
    void answer(std::span<std::uint64_t> words);

    /// Clears the bits of slots for which the answer is not certainly `wanted`. Throws: Errc::corrupt.
    /// Cost: as the blocks with bits in them; where those are few, as the bits.
    void keep(bool wanted, std::span<std::uint64_t> words);

    /// About how long keep() takes where that many bits are set, spread evenly: what a planner weighs.
    [[nodiscard]] static double nanoseconds(const StoredColumn& column, double bits) noexcept;

    /// Whether a slot satisfies the question, and whether it certainly does not; neither where it is null, unless that is
    /// what is asked. Requires: slot is below that of the column. Throws: Errc::corrupt.
    [[nodiscard]] bool satisfies(Slot slot) const;
    [[nodiscard]] bool excludes(Slot slot) const;

private:
    void prepare_codes();
    [[nodiscard]] std::uint64_t code_bound(std::string_view text, bool above) const;

    void evaluate_lists(Slot first, Slot count, BlockWords out);
    void evaluate_sizes(Slot first, Slot count, BlockWords out);

    [[nodiscard]] bool value_satisfies(std::uint64_t value) const;

    /// Compares values from `first` on, at most 1024.
    void match(std::uint64_t first, std::size_t count, BlockWords out);
    void match_bits(std::uint64_t first, std::size_t count, BlockWords out) const;
    template <class T>
    void match_numbers(std::uint64_t first, std::size_t count);

    const StoredColumn* column_;
    ScalarQuestion question_;
    NumberIntervals intervals_;           // what a number or code must lie in,
    std::vector<std::uint64_t> allowed_;  // or, where there are any bits, be the number of one that is set
    std::vector<ColumnScan> each_;        // of all_of: a scan for each term
    BlockMatches matches_{};              // scratch
};

}  // namespace kith::inline v0::detail
