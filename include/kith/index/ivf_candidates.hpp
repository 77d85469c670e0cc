// kith/index/ivf_candidates.hpp — the nearest of a stream of whole numbers, without comparing any two of them.
//
// A scan names thousands of vectors and keeps hundreds. Estimates are integers, so they are counted in bins as they
// come, and the bin in which the last one wanted lies is the threshold for those that follow. In the end one pass over
// the bins puts the kept ones in order.
//
// Thread safety: none; every searching thread owns its own.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace kith::inline v0 {

struct IvfCandidate {
    std::uint32_t estimate = 0;
    std::uint32_t place = 0;  ///< among the blocks of the lists; its slot is looked up only if it is kept
};

class IvfCandidates {
public:
    static constexpr std::uint32_t unlimited = std::numeric_limits<std::uint32_t>::max();

    /// Keeps the nearest `wanted`, of estimates that mostly lie below `reach`.
    /// Requires: wanted is positive. Throws: std::bad_alloc when it has to grow.
    void reset(std::size_t wanted, std::uint32_t reach) {
        wanted_ = wanted;
        shift_ = 0;
        while ((reach >> shift_) >= bins) ++shift_;
        counts_.fill(0);
        within_ = 0;
        last_ = bins - 1;
        if (items_.capacity() < 4 * wanted) items_.reserve(4 * wanted);
        items_.clear();
    }

    /// No estimate past this is kept.
    [[nodiscard]] std::uint32_t threshold() const noexcept {
        return last_ == bins - 1 ? unlimited : ((last_ + 1) << shift_) - 1;
    }

    /// As many as were kept and still lie within the threshold.
    [[nodiscard]] std::size_t size() const noexcept { return within_; }

    /// Requires: estimate is at most threshold(). Throws: std::bad_alloc when it has to grow.
    void add(std::uint32_t estimate, std::uint32_t place) {
        const std::uint32_t bin = bin_of(estimate);
        if (bin > last_) return;
        if (items_.size() == items_.capacity()) drop_far();
        items_.push_back({estimate, place});
        ++counts_[bin];
        ++within_;
        while (within_ - counts_[last_] >= wanted_) within_ -= counts_[last_--];
    }

    /// Writes the kept ones to `out`, nearest bin first and in the order they came within one; returns how many.
    /// Ends the use of this object until the next reset. Shape: `out` has room for size().
    std::size_t ordered(IvfCandidate* out) noexcept {
        std::uint32_t begin = 0;
        for (std::uint32_t bin = 0; bin <= last_; ++bin) {
            const std::uint32_t count = counts_[bin];
            counts_[bin] = begin;
            begin += count;
        }
        for (const IvfCandidate& item : items_) {
            const std::uint32_t bin = bin_of(item.estimate);
            if (bin <= last_) out[counts_[bin]++] = item;
        }
        return begin;
    }

private:
    static constexpr std::uint32_t bins = 2048;

    [[nodiscard]] std::uint32_t bin_of(std::uint32_t estimate) const noexcept {
        return std::min(estimate >> shift_, bins - 1);
    }

    void drop_far() {
        const auto far = [this](const IvfCandidate& item) { return bin_of(item.estimate) > last_; };
        items_.erase(std::remove_if(items_.begin(), items_.end(), far), items_.end());
        if (items_.size() * 2 > items_.capacity()) items_.reserve(items_.capacity() * 2);
    }

    std::array<std::uint32_t, bins> counts_{};  // of the items in each bin
    std::vector<IvfCandidate> items_;           // those within the threshold, and some that no longer are
    std::size_t wanted_ = 0;
    std::size_t within_ = 0;  // items in bins up to last_
    std::uint32_t last_ = 0;  // without this bin there are fewer than wanted_, or it is the last of all
    unsigned shift_ = 0;      // an estimate's bin is what is left without so many low bits
};

}  // namespace kith::inline v0
