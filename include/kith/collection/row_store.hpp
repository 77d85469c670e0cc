// kith/collection/row_store.hpp — the keys and encoded rows of a segment that is still being written.
//
// Readers follow a slot to its bytes while the writer appends, so neither the table of rows nor a row ever moves: the
// table lies in reserved address space, the bytes in blocks that are only added to. A key is looked up through the
// hashes of all keys, four bytes a slot in one array: only snapshots that a change has overtaken ask for it.
//
// Thread safety: one writer; any number of readers of slots that were published to them (see Snapshot).
#pragma once

#include "kith/core/assert.hpp"
#include "kith/core/bitset_view.hpp"
#include "kith/core/reserved_memory.hpp"
#include "kith/core/slot.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace kith::inline v0::detail {

class RowStore {
public:
    explicit RowStore(Slot capacity)
        : table_(std::size_t{capacity} * sizeof(Entry)), hashes_(std::size_t{capacity} * sizeof(std::uint32_t)) {}

    [[nodiscard]] Slot size() const noexcept { return size_; }

    /// Bytes of all keys and rows.
    [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

    /// Adds the record of the next slot.
    /// Requires: size() is below the capacity; key and row have at least one byte together.
    void append(std::string_view key, std::string_view row) {
        KITH_ASSERT((size_ + std::size_t{1}) * sizeof(Entry) <= table_.size());
        const std::size_t bytes = key.size() + row.size();
        if (bytes > block_free_) add_block(bytes);
        std::memcpy(block_next_, key.data(), key.size());
        std::memcpy(block_next_ + key.size(), row.data(), row.size());
        hashes()[size_] = hash_of(key);
        entries()[size_++] = {block_next_, static_cast<std::uint32_t>(key.size()),
                              static_cast<std::uint32_t>(row.size())};
        block_next_ += bytes;
        block_free_ -= bytes;
        bytes_ += bytes;
    }

    /// Forgets the rows from `size` on; the next ones take their place.
    /// Requires: none of them was published.
    void truncate(Slot size) noexcept {
        if (size >= size_) return;
        char* const first = entries()[size].data;
        while (!blocks_.back().holds(first)) blocks_.pop_back();
        for (Slot slot = size; slot < size_; ++slot) bytes_ -= entries()[slot].key_bytes + entries()[slot].row_bytes;
        block_next_ = first;
        block_free_ = blocks_.back().bytes - static_cast<std::size_t>(first - blocks_.back().data.get());
        size_ = size;
    }

    /// The row of a published slot; it lives as long as the store.
    [[nodiscard]] std::string_view operator[](Slot slot) const noexcept {
        const Entry& entry = entries()[slot];
        return {entry.data + entry.key_bytes, entry.row_bytes};
    }

    /// The key of a published slot; it lives as long as the store.
    [[nodiscard]] std::string_view key(Slot slot) const noexcept {
        const Entry& entry = entries()[slot];
        return {entry.data, entry.key_bytes};
    }

    /// The newest of the allowed slots with this key.
    /// Cost: a pass over four bytes a slot.
    [[nodiscard]] std::optional<Slot> find(std::string_view wanted, BitsetView allowed) const noexcept {
        const std::uint32_t hash = hash_of(wanted);
        for (Slot slot = allowed.count(); slot-- > 0;) {
            if (hashes()[slot] == hash && allowed.allows(slot) && key(slot) == wanted) return slot;
        }
        return std::nullopt;
    }

private:
    struct Entry {
        char* data;  // the key, then the row
        std::uint32_t key_bytes;
        std::uint32_t row_bytes;
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

    [[nodiscard]] std::uint32_t* hashes() const noexcept { return reinterpret_cast<std::uint32_t*>(hashes_.data()); }

    static std::uint32_t hash_of(std::string_view key) noexcept {
        return static_cast<std::uint32_t>(std::hash<std::string_view>{}(key));
    }

    void add_block(std::size_t at_least) {
        const std::size_t bytes = std::max(at_least, block_bytes);
        blocks_.push_back({std::make_unique<char[]>(bytes), bytes});
        block_next_ = blocks_.back().data.get();
        block_free_ = bytes;
    }

    ReservedMemory table_;        // entries()[slot] for slots below size_
    ReservedMemory hashes_;       // hashes()[slot] likewise
    std::vector<Block> blocks_;   // only the writer touches the vector
    char* block_next_ = nullptr;  // where the next row goes
    std::size_t block_free_ = 0;  // bytes from block_next_ to the end of its block
    std::size_t bytes_ = 0;       // of the keys and rows below size_
    Slot size_ = 0;               // the writer's count; readers use their snapshot's
};

}  // namespace kith::inline v0::detail
