// kith/core/top_k.hpp — the nearest k of a stream of neighbours.
//
// An exact scan offers every row and keeps ten; almost all offers fail the one comparison with the worst kept, so
// that comparison is all they cost. The kept ones form a heap whose top is the worst.
//
// Thread safety: none; every searching thread owns its own.
#pragma once

#include "kith/core/neighbor.hpp"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <span>

namespace kith::inline v0 {

class TopK {
public:
    /// Keeps its neighbours in `storage`, whose size is k.
    explicit TopK(std::span<Neighbor> storage) noexcept : storage_(storage) {}

    /// What a neighbour must be nearer than to be kept; infinite while there is room.
    [[nodiscard]] float worst_distance() const noexcept {
        if (size_ < storage_.size()) return std::numeric_limits<float>::infinity();
        return storage_.empty() ? -std::numeric_limits<float>::infinity() : storage_[0].distance;
    }

    /// Keeps `neighbor` if it is among the nearest k so far.
    void offer(Neighbor neighbor) noexcept {
        const auto begin = storage_.begin();
        if (size_ < storage_.size()) {
            storage_[size_++] = neighbor;
            std::push_heap(begin, begin + static_cast<std::ptrdiff_t>(size_));
        } else if (!storage_.empty() && neighbor < storage_[0]) {
            std::pop_heap(begin, storage_.end());
            storage_.back() = neighbor;
            std::push_heap(begin, storage_.end());
        }
    }

    [[nodiscard]] std::size_t size() const noexcept { return size_; }

    /// Sorts what was kept, nearest first, and ends the use of this object.
    std::span<Neighbor> sorted() noexcept {
        const auto kept = storage_.first(size_);
        std::sort_heap(kept.begin(), kept.end());
        return kept;
    }

private:
    std::span<Neighbor> storage_;  // its first size_ elements are a heap, the farthest on top
    std::size_t size_ = 0;
};

}  // namespace kith::inline v0
