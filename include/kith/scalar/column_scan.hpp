// kith/scalar/column_scan.hpp — a question answered from a column, 1,024 slots at a time.
//
// What does not depend on a slot is done once: bounds become numbers, and a column of codes is asked through its distinct
// texts. Then a block is loaded, compared with bounds, and its comparisons are packed to bits.
//
// Thread safety: none; every thread that scans has its own. The column must outlive it.
#pragma once

#include "kith/core/slot.hpp"
#include "kith/scalar/column_file.hpp"
#include "kith/scalar/question.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace kith::inline v0::detail {

class ColumnScan {
public:
    /// The bits of one block: bit s % 64 of word s / 64 for its slot s.
    using Block = std::span<std::uint64_t, column_block_words>;

    /// Requires: the question fits the column, as for ScalarIndex. Throws: Errc::corrupt.
    /// Cost: of texts by code, at most a look at each distinct text.
    ColumnScan(const Column& column, const ScalarQuestion& question);

    [[nodiscard]] Slot blocks() const noexcept { return (column_->slots() + column_block - 1) / column_block; }

    /// Makes `out` the answer for the slots from block × 1024 on; bits behind the last slot are 0.
    /// Requires: block is below blocks(). Throws: Errc::corrupt.
    void evaluate(Slot block, Block out);

    /// Sets the bits of all slots that satisfy the question. Shape: words_of(slots) words. Throws: Errc::corrupt.
    void answer(std::span<std::uint64_t> words);

private:
    /// Numbers from `low` to `low` + `span`.
    struct Interval {
        std::uint64_t low = 0;
        std::uint64_t span = 0;
    };

    void prepare_intervals();
    void prepare_codes();
    [[nodiscard]] std::uint64_t code_bound(std::string_view text, bool above) const;
    void add_interval(std::uint64_t low, std::uint64_t high);
    [[nodiscard]] bool text_satisfies(std::string_view text) const noexcept;

    void evaluate_lists(Slot first, Slot count, Block out);
    void evaluate_sizes(Slot first, Slot count, Block out) const;

    /// Compares values from `first` on, at most 1024.
    void match(std::uint64_t first, std::size_t count, Block out);
    void match_bits(std::uint64_t first, std::size_t count, Block out) const;
    template <class T>
    void match_numbers(std::uint64_t first, std::size_t count);

    const Column* column_;
    ScalarQuestion question_;
    std::vector<Interval> intervals_;     // what a number or code must lie in: one of these,
    std::vector<std::uint64_t> allowed_;  // or, where there are any bits, be the number of one that is set
    std::vector<ColumnScan> each_;        // of all_of: a scan for each term
    std::array<std::uint8_t, column_block> matches_{};  // scratch: 1 for each value that satisfies it
};

}  // namespace kith::inline v0::detail
