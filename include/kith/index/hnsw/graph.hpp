// kith/index/hnsw/graph.hpp — the nodes and links of an HNSW graph, in arrays that never move.
//
// The links of the bottom level, where nearly all of a search happens, lie in one array: with 16 links a node, two
// cache lines a slot. The few nodes of higher levels have a tower, a run of blocks, one block a level above the bottom.
// The level of a slot is a hash of seed and slot, so a graph grown in any pieces by one thread is the same graph.
//
// A reader trusts no number it loads from a list: a slot past the bound of its search is no link, a tower past the
// blocks does not exist. That lets writers go on beneath it, and makes a damaged mapped graph harmless.
//
// Thread safety: see the methods; what is const may be called by anyone at any time.
// Source: Malkov & Yashunin, arXiv:1603.09320.
#pragma once

#include "kith/core/assert.hpp"
#include "kith/core/error.hpp"
#include "kith/core/random.hpp"
#include "kith/core/reserved_memory.hpp"
#include "kith/core/residency.hpp"
#include "kith/core/slot.hpp"
#include "kith/index/hnsw/links.hpp"
#include "kith/index/hnsw/params.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>
#include <string>

namespace kith::inline v0::detail {

class HnswGraph {
public:
    static constexpr unsigned highest_level = 15;

    /// Where the arrays of a finished graph lie; see format.hpp.
    struct Arrays {
        const Slot* bottom = nullptr;           // count lists of 2 * max_links
        const std::uint32_t* towers = nullptr;  // count block numbers, no_slot where there is no tower
        const std::uint8_t* states = nullptr;   // count bytes of Remembered; null in memory, where they are spread
        const Slot* blocks = nullptr;           // block_count lists of max_links
        Slot count = 0;
        std::uint32_t block_count = 0;
        Slot entry = no_slot;
        Residency* residency = nullptr;  // who brings them into memory; null where they are there
    };

    /// An empty graph for up to `capacity` nodes.
    /// Throws: Errc::invalid_argument, Errc::limit_exceeded.
    HnswGraph(const HnswParams& params, Slot capacity)
        : params_(checked(params)),
          capacity_(checked(capacity)),
          bottom_memory_(std::size_t{capacity} * width(0) * sizeof(Slot)),
          tower_memory_(std::size_t{capacity} * sizeof(std::uint32_t)),
          block_memory_(max_blocks() * width(1) * sizeof(Slot)),
          state_memory_(std::size_t{capacity} * sizeof(NodeState)),
          bottom_(reinterpret_cast<Slot*>(bottom_memory_.data())),
          towers_(reinterpret_cast<std::uint32_t*>(tower_memory_.data())),
          blocks_(reinterpret_cast<Slot*>(block_memory_.data())) {}

    /// A finished graph over arrays that outlive it. It only serves reads.
    HnswGraph(const HnswParams& params, const Arrays& arrays)
        : params_(checked(params)),
          capacity_(arrays.count),
          bottom_(arrays.bottom),
          towers_(arrays.towers),
          states_(arrays.states),
          blocks_(arrays.blocks),
          block_count_(arrays.block_count),
          reach_(arrays.count),
          size_(arrays.count),
          entry_(arrays.entry),
          residency_(arrays.residency) {}

    [[nodiscard]] const HnswParams& params() const noexcept { return params_; }
    [[nodiscard]] Slot capacity() const noexcept { return capacity_; }

    /// The first so many slots are in the graph.
    [[nodiscard]] Slot size() const noexcept { return size_.load(std::memory_order_acquire); }

    /// No link leads to a slot at or past this, as long as it was loaded after entry() and before the links.
    /// Links that appear later may; a search that ignores those stays within the rows it knows.
    [[nodiscard]] Slot reach() const noexcept { return reach_.load(std::memory_order_acquire); }

    /// Where every search begins: a node of the highest level; no_slot while the graph is empty.
    [[nodiscard]] Slot entry() const noexcept { return entry_.load(std::memory_order_acquire); }

    /// The highest level of a slot.
    [[nodiscard]] unsigned level_of(Slot slot) const noexcept {
        const std::uint64_t hash = mix64(params_.seed + (std::uint64_t{slot} + 1) * 0x9e3779b97f4a7c15ULL);
        unsigned level = 0;
        for (std::uint64_t bound = ~std::uint64_t{0} / params_.max_links; hash < bound && level < highest_level;
             ++level) {
            bound /= params_.max_links;
        }
        return level;
    }

    /// Links of a list on `level`.
    [[nodiscard]] std::size_t width(unsigned level) const noexcept {
        return level == 0 ? std::size_t{2} * params_.max_links : params_.max_links;
    }

    /// The list of a node; null when its tower does not reach `level`.
    /// Requires: slot is below reach().
    [[nodiscard]] const Slot* links(Slot slot, unsigned level) const noexcept {
        if (level == 0) return bottom_ + std::size_t{slot} * width(0);
        const std::size_t block = std::size_t{towers_[slot]} + level - 1;
        return block < block_count() ? blocks_ + block * width(1) : nullptr;
    }

    /// The block of a node's level 1; no_slot where it is on level 0 only. Requires: slot is below reach().
    [[nodiscard]] std::uint32_t tower(Slot slot) const noexcept { return towers_[slot]; }

    /// Who brings the lists into memory; null where they are there.
    [[nodiscard]] Residency* residency() const noexcept { return residency_; }

    /// Keeps the lists of a few nodes in memory, where that is not sure, while they are read.
    /// Requires: as links(); no more than a Residency holds at once.
    [[nodiscard]] Held hold_links(const Slot* nodes, std::size_t count, unsigned level) const noexcept {
        if (residency_ == nullptr) [[likely]]
            return {};
        return hold_cold_links(nodes, count, level);
    }

    /// The same for all that is stored of `count` nodes from `first` on, but their lists on higher levels.
    [[nodiscard]] Held hold_nodes(Slot first, Slot count) const noexcept {
        if (residency_ == nullptr) return {};
        const std::array<Residency::Piece, 3> pieces{{{links(first, 0), count * width(0) * sizeof(Slot)},
                                                      {towers_ + first, count * sizeof(std::uint32_t)},
                                                      {states_ + first, count}}};
        return {*residency_, pieces, Residency::Use::in_order};
    }

    /// Begins to fetch the bottom list of a node. Forced inline: GCC 12 takes a function that only prefetches for one
    /// without effect, and drops the calls.
    [[gnu::always_inline]] void prefetch_bottom(Slot slot) const noexcept {
        const auto* bytes = reinterpret_cast<const char*>(bottom_ + std::size_t{slot} * width(0));
        for (std::size_t offset = 0; offset < width(0) * sizeof(Slot); offset += 64) __builtin_prefetch(bytes + offset);
    }

    /// The arrays, for saving. Requires: nobody inserts.
    [[nodiscard]] Arrays arrays() const noexcept {
        return {bottom_, towers_, states_, blocks_, size(), block_count(), entry(), residency_};
    }

    /// What a saved graph keeps of the state of a node, so that links can be added to it later: see NodeState.
    /// Requires: nobody inserts; slot is below reach().
    [[nodiscard]] std::uint8_t remembered(Slot slot) const noexcept {
        if (states_ != nullptr) return states_[slot];
        const NodeState& state = reinterpret_cast<const NodeState*>(state_memory_.data())[slot];
        return static_cast<std::uint8_t>(std::min(state.settled, most_settled) |
                                         (state.chained != 0 ? chained_bit : 0));
    }

    /// Bytes of memory that nodes were written to; 0 when they are mapped.
    [[nodiscard]] std::size_t memory_bytes() const noexcept {
        return bottom_memory_.data() == nullptr ? 0 : memory_bytes_for(params_, reach(), block_count());
    }
    [[nodiscard]] static std::size_t memory_bytes_for(const HnswParams& params, Slot count,
                                                      std::size_t blocks) noexcept {
        const std::size_t list = params.max_links * sizeof(Slot);
        return count * (2 * list + sizeof(std::uint32_t) + sizeof(NodeState)) + blocks * list;
    }

    // For the one inserter and its threads, on a graph that is not mapped:

    /// Makes nodes without links of the slots from reach() up to `count`.
    void add_nodes(Slot count) noexcept {
        KITH_ASSERT(count <= capacity_);
        const Slot first = reach();
        std::uint32_t blocks = block_count();
        auto* towers = reinterpret_cast<std::uint32_t*>(tower_memory_.data());
        for (Slot slot = first; slot < count; ++slot) {
            const unsigned level = level_of(slot);
            KITH_ASSERT(blocks + level <= max_blocks());
            towers[slot] = level == 0 ? no_slot : blocks;
            std::fill_n(writable_blocks() + blocks * width(1), level * width(1), no_slot);
            std::fill_n(writable_bottom() + slot * width(0), width(0), no_slot);
            blocks += level;
        }
        block_count_.store(blocks, std::memory_order_release);
        reach_.store(std::max(first, count), std::memory_order_release);
    }

    /// The list of a node, to be written. Requires: level is at most level_of(slot).
    [[nodiscard]] Slot* writable_links(Slot slot, unsigned level) noexcept {
        if (level == 0) return writable_bottom() + std::size_t{slot} * width(0);
        return writable_blocks() + (std::size_t{towers_[slot]} + level - 1) * width(1);
    }

    /// What the inserter remembers of a node. Its lock guards the rest of it, and the node's lists.
    struct NodeState {
        std::uint8_t lock;
        std::uint8_t chained;  // 1 when the first bottom link leads to a duplicate; see insert.hpp
        std::uint8_t settled;  // bottom links, after the chained one, that are known to be diverse; see prune.hpp
    };
    [[nodiscard]] NodeState& state(Slot slot) noexcept {
        return reinterpret_cast<NodeState*>(state_memory_.data())[slot];
    }
    void remember(Slot slot, std::uint8_t remembered) noexcept {
        state(slot).chained = (remembered & chained_bit) != 0 ? 1 : 0;
        state(slot).settled = remembered & most_settled;
    }

    /// Forgets every node. Requires: nobody has seen any.
    void clear() noexcept {
        for (Slot slot = 0; slot < reach(); ++slot) state(slot) = {};
        block_count_.store(0);
        reach_.store(0);
        size_.store(0);
        entry_.store(no_slot);
    }

    /// Held by the node that is about to become the entry.
    [[nodiscard]] std::mutex& entry_mutex() noexcept { return entry_mutex_; }

    void set_entry(Slot slot) noexcept { entry_.store(slot, std::memory_order_release); }
    void set_size(Slot size) noexcept { size_.store(size, std::memory_order_release); }

private:
    static constexpr std::uint8_t chained_bit = 0x80;   // on disk
    static constexpr std::uint8_t most_settled = 0x7f;  // on disk: more are compared again

    static constexpr Slot max_capacity = Slot{1} << 31;  // a Candidate has 31 bits for a slot

    static const HnswParams& checked(const HnswParams& params) {
        if (params.max_links < HnswParams::fewest_links || params.max_links > HnswParams::most_links ||
            params.ef_construction == 0) {
            raise(Errc::invalid_argument, "HNSW: max_links is " + std::to_string(params.max_links) +
                                              ", expected 4 to 64; ef_construction is " +
                                              std::to_string(params.ef_construction) + ", expected at least 1");
        }
        return params;
    }
    static Slot checked(Slot capacity) {
        if (capacity > max_capacity) raise(Errc::limit_exceeded, "HNSW: at most 2^31 vectors a segment");
        return capacity;
    }

    [[gnu::noinline, gnu::cold]] Held hold_cold_links(const Slot* nodes, std::size_t count,
                                                      unsigned level) const noexcept {
        std::array<Residency::Piece, Residency::most_pieces> pieces;
        for (std::size_t i = 0; i < count; ++i) {
            const Held tower(level > 0 ? residency_ : nullptr, towers_ + nodes[i], sizeof(std::uint32_t));
            const Slot* const list = links(nodes[i], level);
            pieces[i] = {list, list == nullptr ? 0 : width(level) * sizeof(Slot)};
        }
        return {*residency_, std::span(pieces).first(count), Residency::Use::at_random};
    }

    /// Three times what is expected with the fewest links; address space only.
    [[nodiscard]] std::size_t max_blocks() const noexcept { return std::size_t{capacity_} + 1024; }

    [[nodiscard]] std::uint32_t block_count() const noexcept { return block_count_.load(std::memory_order_acquire); }
    [[nodiscard]] Slot* writable_bottom() noexcept { return reinterpret_cast<Slot*>(bottom_memory_.data()); }
    [[nodiscard]] Slot* writable_blocks() noexcept { return reinterpret_cast<Slot*>(block_memory_.data()); }

    HnswParams params_;
    Slot capacity_;
    ReservedMemory bottom_memory_;  // these four are empty when the graph is mapped
    ReservedMemory tower_memory_;
    ReservedMemory block_memory_;
    ReservedMemory state_memory_;
    const Slot* bottom_;                          // the list of slot s begins at s * width(0)
    const std::uint32_t* towers_;                 // number of the block for level 1, or no_slot
    const std::uint8_t* states_ = nullptr;        // null in memory
    const Slot* blocks_;                          // list b begins at b * width(1)
    std::atomic<std::uint32_t> block_count_ = 0;  // blocks of all towers
    std::atomic<Slot> reach_ = 0;                 // nodes that exist: size_, and those being linked
    std::atomic<Slot> size_ = 0;                  // nodes that are linked
    std::atomic<Slot> entry_ = no_slot;           // below reach_, of the highest level so far
    std::mutex entry_mutex_;
    Residency* residency_ = nullptr;  // of a mapped graph, where someone brings it in
};

}  // namespace kith::inline v0::detail
