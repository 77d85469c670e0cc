// kith/scalar/growing_blocks.hpp — an array in blocks of 1,024 slots that is added to while others read it.
//
// Thread safety: one writer; any number of readers of blocks with a slot that was published to them (see Snapshot).
#pragma once

#include "kith/core/slot.hpp"
#include "kith/scalar/number_intervals.hpp"

#include <cstddef>
#include <memory>

namespace kith::inline v0::detail {

/// `Block` holds what belongs to column_block slots.
template <class Block>
class GrowingBlocks {
public:
    explicit GrowingBlocks(Slot capacity) : blocks_(std::make_unique<std::unique_ptr<Block>[]>(blocks_of(capacity))) {}

    /// The block of a slot, for the writer; made when it is not there. Requires: the slot is below the capacity.
    Block& of(Slot slot) {
        std::unique_ptr<Block>& block = blocks_[slot / column_block];
        if (block == nullptr) block = std::make_unique<Block>();
        return *block;
    }

    [[nodiscard]] const Block& operator[](Slot number) const noexcept { return *blocks_[number]; }

    /// The memory of the blocks of `size` slots.
    [[nodiscard]] static std::size_t bytes(Slot size) noexcept { return blocks_of(size) * sizeof(Block); }

private:
    static std::size_t blocks_of(Slot slots) noexcept { return (std::size_t{slots} + column_block - 1) / column_block; }

    std::unique_ptr<std::unique_ptr<Block>[]> blocks_;
};

}  // namespace kith::inline v0::detail
