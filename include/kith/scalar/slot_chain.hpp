// kith/scalar/slot_chain.hpp — ascending slots that one thread appends to while others read.
//
// Most terms have one slot or two, which stand in the chain itself; the others fill chunks, each twice as large as the
// one before, that never move. A reader looks at slots below the count of its snapshot: those were there when it was
// published and stay as they are. What it may meet beyond them, being written or taken back, are slots that it passes
// over, and it is for them alone that a slot is atomic.
//
// Thread safety: one writer; any number of readers, of slots that were published to them.
#pragma once

#include "kith/core/slot.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <vector>

namespace kith::inline v0::detail {

/// Memory that is handed out in pieces, which stay where they are, and given back all at once. Thread safety: none.
class PieceMemory {
public:
    /// `bytes` bytes, aligned to a pointer.
    void* take(std::size_t bytes) {
        bytes = (bytes + alignof(void*) - 1) / alignof(void*) * alignof(void*);
        if (bytes > free_) {
            const std::size_t block_bytes = std::max(bytes, least_block);
            blocks_.push_back(std::make_unique<std::byte[]>(block_bytes));
            next_ = blocks_.back().get();
            free_ = block_bytes;
            bytes_ += block_bytes;
        }
        void* const taken = next_;
        next_ += bytes;
        free_ -= bytes;
        return taken;
    }

    /// All memory that is held.
    [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

private:
    static constexpr std::size_t least_block = std::size_t{1} << 16;

    std::vector<std::unique_ptr<std::byte[]>> blocks_;
    std::byte* next_ = nullptr;  // where the next piece goes
    std::size_t free_ = 0;       // bytes from there to the end of its block
    std::size_t bytes_ = 0;
};

class SlotChain {
public:
    /// Adds a slot above all others; one that is the last already is not added again.
    void append(Slot slot, PieceMemory& memory) {
        const std::uint32_t count = count_.load(std::memory_order_relaxed);
        if (count > 0 && last_ == slot) return;
        if (count < few) {
            few_[count].store(slot, std::memory_order_relaxed);
        } else {
            if (tail_ == nullptr || used_ == tail_->capacity) enter_next(memory);
            tail_->slots()[used_++].store(slot, std::memory_order_relaxed);
        }
        last_ = slot;
        count_.store(count + 1, std::memory_order_release);
    }

    /// Takes back the slots from `end` on. Requires: none of them was published.
    void truncate(Slot end) noexcept {
        const std::uint32_t kept = count_below(end);
        if (kept == count_.load(std::memory_order_relaxed)) return;
        count_.store(kept, std::memory_order_release);
        tail_ = nullptr;
        used_ = 0;
        if (kept > 0) last_ = few_[(kept < few ? kept : few) - 1].load(std::memory_order_relaxed);
        std::uint32_t before = few;
        for (Chunk* chunk = first_; chunk != nullptr && before < kept; chunk = chunk->next) {
            tail_ = chunk;
            used_ = kept - before < chunk->capacity ? kept - before : chunk->capacity;
            last_ = chunk->slots()[used_ - 1].load(std::memory_order_relaxed);
            before += chunk->capacity;
        }
    }

    /// Calls `take` with each slot below `end`, in order.
    template <class Take>
    void for_each_below(Slot end, Take&& take) const {
        std::uint32_t left = count_.load(std::memory_order_acquire);
        const std::atomic<Slot>* slots = few_;
        std::uint32_t capacity = few;
        for (Chunk* const* link = &first_; left > 0; link = &(*link)->next) {
            for (std::uint32_t at = 0; at < capacity && left > 0; ++at, --left) {
                const Slot slot = slots[at].load(std::memory_order_relaxed);
                if (slot >= end) return;
                take(slot);
            }
            if (left == 0) return;  // and the link is not looked at, for it may be written now
            slots = (*link)->slots();
            capacity = (*link)->capacity;
        }
    }

    /// How many slots there are below `end`. Cost: a look at each chunk, and a binary search.
    [[nodiscard]] std::uint32_t count_below(Slot end) const noexcept {
        const std::uint32_t count = count_.load(std::memory_order_acquire);
        std::uint32_t below = 0;
        while (below < few && below < count && few_[below].load(std::memory_order_relaxed) < end) ++below;
        if (below < few) return below;
        for (Chunk* const* link = &first_; below < count; link = &(*link)->next) {
            const Chunk& chunk = **link;
            const std::uint32_t filled = count - below < chunk.capacity ? count - below : chunk.capacity;
            const std::uint32_t here = below_in(chunk, filled, end);
            below += here;
            if (here < chunk.capacity) break;
        }
        return below;
    }

private:
    struct Chunk {
        Chunk* next;
        std::uint32_t capacity;

        [[nodiscard]] std::atomic<Slot>* slots() noexcept { return reinterpret_cast<std::atomic<Slot>*>(this + 1); }
        [[nodiscard]] const std::atomic<Slot>* slots() const noexcept {
            return reinterpret_cast<const std::atomic<Slot>*>(this + 1);
        }
    };
    static constexpr std::uint32_t few = 2;
    static constexpr std::uint32_t least_chunk = 4;

    /// Of the first `filled` slots of a chunk, those below `end`.
    static std::uint32_t below_in(const Chunk& chunk, std::uint32_t filled, Slot end) noexcept {
        std::uint32_t first = 0;
        while (filled > 0) {
            const std::uint32_t half = filled / 2;
            if (chunk.slots()[first + half].load(std::memory_order_relaxed) < end) {
                first += half + 1;
                filled -= half + 1;
            } else {
                filled = half;
            }
        }
        return first;
    }

    /// Makes the chunk behind the tail the tail; one that a truncation left is taken again.
    void enter_next(PieceMemory& memory) {
        Chunk*& next = tail_ == nullptr ? first_ : tail_->next;
        if (next == nullptr) {
            const std::uint32_t capacity = tail_ == nullptr ? least_chunk : 2 * tail_->capacity;
            void* const place = memory.take(sizeof(Chunk) + capacity * sizeof(std::atomic<Slot>));
            Chunk* const made = ::new (place) Chunk{nullptr, capacity};
            for (std::uint32_t at = 0; at < capacity; ++at) ::new (made->slots() + at) std::atomic<Slot>(no_slot);
            next = made;
        }
        tail_ = next;
        used_ = 0;
    }

    std::atomic<std::uint32_t> count_ = 0;  // of slots; written last
    std::atomic<Slot> few_[few] = {};       // the first of them
    Chunk* first_ = nullptr;                // the others; a link is written once, before a count that needs it
    Chunk* tail_ = nullptr;                 // the writer's: the last chunk with a slot in it
    std::uint32_t used_ = 0;                // the writer's: slots in it
    Slot last_ = 0;                         // the writer's: the last slot, where there is one
};

}  // namespace kith::inline v0::detail
