// kith/index/ivf/blocks.hpp — lists of coded vectors, in blocks of 32 that never move.
//
// All blocks lie in one array, in the order they were begun; a list is a chain of them. What is inserted at once takes
// blocks that follow each other, so a list grown in one go is one run of memory. Nothing is ever moved or given back,
// and a vector's bytes are its own, so a search needs no lock: it reads as many vectors as the list said it had.
//
//   record = codes of 32 vectors as distance/fast_scan.hpp lays them out, up to a multiple of 64 bytes
//   slots  = the slot of each of the 32
//
// Thread safety: one writer; any number of readers, who see of each list what was published before they asked.
#pragma once

#include "kith/core/assert.hpp"
#include "kith/core/reserved_memory.hpp"
#include "kith/core/residency.hpp"
#include "kith/core/slot.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

namespace kith::inline v0::detail {

class IvfBlocks {
public:
    static constexpr std::size_t vectors = 32;  // on disk

    struct List {
        std::uint32_t head = no_slot;  // its first block
        std::uint32_t tail = no_slot;  // its last
        std::uint32_t count = 0;       // vectors; stored last, loaded first
    };

    /// Blocks that follow each other in memory, with `count` vectors in all.
    struct Run {
        std::uint32_t first = 0;
        std::size_t count = 0;
    };

    /// Empty lists for up to `capacity` vectors.
    IvfBlocks(std::size_t lists, std::size_t record_bytes, Slot capacity)
        : lists_(lists),
          record_bytes_(record_bytes),
          block_capacity_(capacity / vectors + lists),
          record_memory_(block_capacity_ * record_bytes),
          slot_memory_(block_capacity_ * vectors * sizeof(Slot)),
          next_memory_(block_capacity_ * sizeof(std::uint32_t)),
          records_(record_memory_.data()),
          slots_(reinterpret_cast<const Slot*>(slot_memory_.data())) {}

    /// Lists over finished arrays that outlive this, one list after the other, and are in memory or brought there by
    /// `residency`. It only serves reads.
    /// Shape: counts[i] vectors in list i; the blocks of all lists are as many as their counts ask for.
    IvfBlocks(const std::vector<std::uint32_t>& counts, std::size_t record_bytes, const std::byte* records,
              const Slot* slots, Residency* residency = nullptr)
        : lists_(counts.size()), record_bytes_(record_bytes), records_(records), slots_(slots), residency_(residency) {
        for (std::size_t list = 0; list < counts.size(); ++list) {
            lists_[list] = {block_count_, no_slot, counts[list]};
            block_count_ += blocks_for(counts[list]);
        }
    }

    [[nodiscard]] static std::uint32_t blocks_for(std::size_t count) noexcept {
        return static_cast<std::uint32_t>((count + vectors - 1) / vectors);
    }

    [[nodiscard]] std::size_t lists() const noexcept { return lists_.size(); }
    [[nodiscard]] std::size_t record_bytes() const noexcept { return record_bytes_; }

    /// Vectors of a list that may be read.
    [[nodiscard]] std::uint32_t count(std::size_t list) const noexcept {
        return __atomic_load_n(&lists_[list].count, __ATOMIC_ACQUIRE);
    }

    [[nodiscard]] std::uint32_t head(std::size_t list) const noexcept { return lists_[list].head; }
    [[nodiscard]] const std::byte* record(std::uint32_t block) const noexcept {
        return records_ + block * record_bytes_;
    }
    [[nodiscard]] const Slot* slots(std::uint32_t block) const noexcept { return slots_ + block * vectors; }

    /// Bytes of memory that blocks were written to; of mapped ones, what is kept of their lists.
    [[nodiscard]] std::size_t memory_bytes() const noexcept {
        const std::size_t written = slot_memory_.data() == nullptr ? 0 : block_count_;
        return lists_.size() * sizeof(List) + written * block_bytes(record_bytes_);
    }
    /// What a block takes in memory.
    [[nodiscard]] static constexpr std::size_t block_bytes(std::size_t record_bytes) noexcept {
        return record_bytes + vectors * sizeof(Slot) + sizeof(std::uint32_t);
    }

    /// The slot at a place: block · 32 + the position in it.
    [[nodiscard]] const Slot* slot_at(std::uint32_t place) const noexcept { return slots_ + place; }

    /// Keep the records, or the slots, of a run in memory, where that is not sure, while they are read.
    [[nodiscard]] Held hold_records(Run run) const noexcept {
        return {residency_, record(run.first), blocks_for(run.count) * record_bytes_, Residency::Use::in_order};
    }
    [[nodiscard]] Held hold_slots(Run run) const noexcept {
        return {residency_, slots(run.first), run.count * sizeof(Slot), Residency::Use::in_order};
    }

    /// Who brings records and slots into memory; null where they are there.
    [[nodiscard]] Residency* residency() const noexcept { return residency_; }

    /// The longest run that begins at `block`, of at most `most` blocks, where `left` vectors are still to come; moves
    /// `block` to the one after it, if there is one. Requires: left is positive.
    [[nodiscard]] Run run(std::uint32_t& block, std::size_t left, std::size_t most) const noexcept {
        Run run{block, 0};
        std::size_t blocks = 0;
        for (bool follows = true; follows && blocks < most; ++blocks) {
            run.count += std::min(vectors, left - run.count);
            if (run.count == left) break;  // what comes after the last block is not this reader's to look at
            const std::uint32_t after = next(block);
            follows = after == block + 1;
            block = after;
        }
        return run;
    }

    /// Where the next vector of a list goes.
    struct End {
        std::uint32_t block = 0;  // which holds it
        std::uint32_t at = 0;     // its position in the list
    };

    /// Makes room for `more` vectors at the end of a list. Nothing is seen of them before publish().
    /// Requires: more is positive; one writer.
    End extend(std::size_t list, std::size_t more) noexcept {
        List& to = lists_[list];
        End end{to.tail, to.count};
        const std::uint32_t first = blocks_for(to.count), last = blocks_for(to.count + more);
        for (std::uint32_t made = first; made < last; ++made) {
            const std::uint32_t block = block_count_++;
            KITH_ASSERT(block < block_capacity_);
            if (to.tail == no_slot) {
                to.head = block;
            } else {
                next_of(to.tail) = block;
            }
            if (made == first && to.count % vectors == 0) end.block = block;
            to.tail = block;
        }
        return end;
    }

    /// Moves an end on by one vector. Requires: there is room for it.
    void advance(End& end) const noexcept {
        if (++end.at % vectors == 0) end.block = next(end.block);
    }

    [[nodiscard]] std::byte* writable_record(std::uint32_t block) noexcept {
        return record_memory_.data() + block * record_bytes_;
    }
    [[nodiscard]] Slot* writable_slots(std::uint32_t block) noexcept {
        return reinterpret_cast<Slot*>(slot_memory_.data()) + block * vectors;
    }

    /// Copies the lists of `other`; false where they name a slot that is not below `count`; they are of no use then.
    /// Requires: these are as many lists of records of the same size, empty, with room; nobody writes to `other`.
    bool adopt(const IvfBlocks& other, Slot count) noexcept {
        for (std::size_t list = 0; list < lists_.size(); ++list) {
            const std::uint32_t vectors_of_list = other.count(list);
            if (vectors_of_list == 0) continue;
            std::uint32_t to = extend(list, vectors_of_list).block;
            std::uint32_t from = other.head(list);
            for (std::size_t left = vectors_of_list; left > 0; ++to) {  // blocks made at once follow each other
                const Run run = other.run(from, left, 1);
                const Held held_slots = other.hold_slots(run), held_records = other.hold_records(run);
                const Slot* const slots = other.slots(run.first);
                if (std::any_of(slots, slots + run.count, [&](Slot slot) { return slot >= count; })) return false;
                if (record_bytes_ > 0) std::memcpy(writable_record(to), other.record(run.first), record_bytes_);
                std::copy_n(slots, run.count, writable_slots(to));
                left -= run.count;
            }
            publish(list, vectors_of_list);
        }
        return true;
    }

    /// Lets readers see the first `count` vectors of a list.
    void publish(std::size_t list, std::uint32_t count) noexcept {
        __atomic_store_n(&lists_[list].count, count, __ATOMIC_RELEASE);
    }

private:
    [[nodiscard]] std::uint32_t next(std::uint32_t block) const noexcept {
        if (next_memory_.data() == nullptr) return block + 1;
        return reinterpret_cast<const std::uint32_t*>(next_memory_.data())[block];
    }
    [[nodiscard]] std::uint32_t& next_of(std::uint32_t block) noexcept {
        return reinterpret_cast<std::uint32_t*>(next_memory_.data())[block];
    }

    std::vector<List> lists_;
    std::size_t record_bytes_;
    std::size_t block_capacity_ = 0;
    std::uint32_t block_count_ = 0;
    ReservedMemory record_memory_;  // these three are empty when the lists are mapped
    ReservedMemory slot_memory_;
    ReservedMemory next_memory_;  // the block after each, in its list
    const std::byte* records_;
    const Slot* slots_;
    Residency* residency_ = nullptr;  // of mapped lists, where someone brings them in
};

}  // namespace kith::inline v0::detail
