// kith/collection/row_store.hpp — the encoded rows of a segment that is still being written.
//
// Readers follow a slot to its bytes while the writer appends, so neither the table of rows nor a row ever moves: the
// table lies in reserved address space, the bytes in blocks that are only added to.
//
// Thread safety: one writer; any number of readers of slots that were published to them (see Snapshot).
#pragma once

#include "kith/core/assert.hpp"
#include "kith/core/reserved_memory.hpp"
#include "kith/core/slot.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

namespace kith::inline v0::detail {

class RowStore {
public:
    /// Throws: Errc::out_of_memory.
    explicit RowStore(Slot capacity) : table_(std::size_t{capacity} * sizeof(Entry)) {}

    [[nodiscard]] Slot size() const noexcept { return size_; }

    /// Adds the row of the next slot.
    /// Requires: size() is below the capacity; a row has at least one byte.
    void append(std::string_view row) {
        KITH_ASSERT((size_ + std::size_t{1}) * sizeof(Entry) <= table_.size());
        if (row.size() > block_free_) add_block(row.size());
        std::memcpy(block_next_, row.data(), row.size());
        entries()[size_++] = {block_next_, row.size()};
        block_next_ += row.size();
        block_free_ -= row.size();
    }

    /// Forgets the rows from `size` on; the next ones take their place.
    /// Requires: none of them was published.
    void truncate(Slot size) noexcept {
        if (size >= size_) return;
        char* const first = entries()[size].data;
        while (!blocks_.back().holds(first)) blocks_.pop_back();
        block_next_ = first;
        block_free_ = blocks_.back().bytes - static_cast<std::size_t>(first - blocks_.back().data.get());
        size_ = size;
    }

    /// The row of a published slot; it lives as long as the store.
    [[nodiscard]] std::string_view operator[](Slot slot) const noexcept {
        const Entry& entry = entries()[slot];
        return {entry.data, entry.bytes};
    }

private:
    struct Entry {
        char* data;
        std::size_t bytes;
    };
    struct Block {
        std::unique_ptr<char[]> data;
        std::size_t bytes;

        [[nodiscard]] bool holds(const char* row) const noexcept {
            return !std::less<>()(row, data.get()) && std::less<>()(row, data.get() + bytes);
        }
    };
    static constexpr std::size_t block_bytes = std::size_t{1} << 18;

    [[nodiscard]] Entry* entries() const noexcept { return reinterpret_cast<Entry*>(table_.data()); }

    void add_block(std::size_t at_least) {
        const std::size_t bytes = std::max(at_least, block_bytes);
        blocks_.push_back({std::make_unique<char[]>(bytes), bytes});
        block_next_ = blocks_.back().data.get();
        block_free_ = bytes;
    }

    ReservedMemory table_;        // entries()[slot] for slots below size_
    std::vector<Block> blocks_;   // only the writer touches the vector
    char* block_next_ = nullptr;  // where the next row goes
    std::size_t block_free_ = 0;  // bytes from block_next_ to the end of its block
    Slot size_ = 0;               // the writer's count; readers use their snapshot's
};

}  // namespace kith::inline v0::detail
