// tests/index/points.hpp — vectors to search, and the naive search that everything is compared with.
#pragma once

#include "kith/core/bitset_view.hpp"
#include "kith/core/neighbor.hpp"
#include "kith/core/random.hpp"
#include "kith/index.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace kith_test {

/// Vectors around a few hundred centres, as real ones lie; each call of make() goes on in the same clusters.
class Clusters {
public:
    explicit Clusters(std::size_t dim, std::uint64_t seed = 1, std::size_t centres = 200) : dim_(dim), random_(seed) {
        centres_ = floats(centres * dim, 4);
    }

    std::vector<float> make(std::size_t count) {
        std::vector<float> made;
        for (std::size_t i = 0; i < count; ++i) {
            const float* const centre = &centres_[random_.below(centres_.size() / dim_) * dim_];
            const std::vector<float> offset = floats(dim_, 1);
            for (std::size_t at = 0; at < dim_; ++at) made.push_back(centre[at] + offset[at]);
        }
        return made;
    }

private:
    std::vector<float> floats(std::size_t count, double scale) {
        std::vector<float> made(count);
        for (float& value : made) {  // a sum of three is round enough
            value = static_cast<float>((random_.uniform() + random_.uniform() + random_.uniform() - 1.5) * scale);
        }
        return made;
    }

    std::size_t dim_;
    kith::SplitMix64 random_;
    std::vector<float> centres_;
};

/// Vectors as the rows of an index.
template <class M>
class Points {
public:
    using View = kith::RawRows<float, M>;

    Points(std::size_t dim, std::vector<float> values)
        : dim_(dim),
          count_(static_cast<kith::Slot>(values.size() / dim)),
          values_(std::move(values)),
          rows_(count_ * View::stride_for(dim)) {
        for (kith::Slot slot = 0; slot < count_; ++slot) {
            View::write_row(&rows_[slot * View::stride_for(dim)], vector(slot), dim);
        }
    }

    [[nodiscard]] kith::Slot count() const { return count_; }
    [[nodiscard]] const float* vector(kith::Slot slot) const { return &values_[slot * dim_]; }
    [[nodiscard]] View view() const { return View(rows_.data(), dim_, View::kernels_for(kith::best_isa())); }

    /// The truth: every allowed slot, nearest first, `limit` of them.
    [[nodiscard]] std::vector<kith::Neighbor> nearest(const float* query, std::size_t limit,
                                                      kith::BitsetView allowed) const {
        std::vector<kith::Neighbor> all;
        for (kith::Slot slot = 0; slot < count_; ++slot) {
            if (allowed.allows(slot)) all.push_back({M::distance(query, vector(slot), dim_), slot});
        }
        std::sort(all.begin(), all.end());
        if (all.size() > limit) all.resize(limit);
        return all;
    }

private:
    std::size_t dim_;
    kith::Slot count_;
    std::vector<float> values_;
    std::vector<float> rows_;
};

/// How many of `found` are no farther than the farthest of `truth`: fair where distances tie.
inline std::size_t hits(const std::vector<kith::Neighbor>& found, const std::vector<kith::Neighbor>& truth) {
    if (truth.empty()) return 0;
    const float reach = truth.back().distance + 1e-4F * std::abs(truth.back().distance) + 1e-6F;
    return static_cast<std::size_t>(
        std::count_if(found.begin(), found.end(), [&](const auto& neighbor) { return neighbor.distance <= reach; }));
}

/// A search with a scratch and a result of its own.
template <class Index, class Rows>
std::vector<kith::Neighbor> search(const Index& index, const Rows& rows, const float* query,
                                   const kith::SearchParams& params) {
    kith::SearchScratch scratch;
    std::vector<kith::Neighbor> found(std::min<std::size_t>(params.limit, index.size()));
    found.resize(index.search(rows, query, params, scratch, found.data()));
    return found;
}

/// Bits of excluded slots, for a BitsetView.
class Exclusions {
public:
    explicit Exclusions(kith::Slot count) : words_((count + std::size_t{63}) / 64), count_(count) {}

    void exclude(kith::Slot slot) { words_[slot / 64] |= std::uint64_t{1} << (slot % 64); }
    [[nodiscard]] kith::BitsetView view() const { return {words_.data(), count_}; }

private:
    std::vector<std::uint64_t> words_;
    kith::Slot count_;
};

/// Bytes at an address that is a multiple of 64, as a mapped file has.
class AlignedBytes {
public:
    explicit AlignedBytes(const std::string& bytes) : memory_(bytes.size()), size_(bytes.size()) {
        std::copy(bytes.begin(), bytes.end(), reinterpret_cast<char*>(memory_.data()));
    }
    [[nodiscard]] std::span<const std::byte> view() const { return {memory_.data(), size_}; }

private:
    kith::ReservedMemory memory_;
    std::size_t size_;
};

/// What an object's save writes.
template <class Save>
std::string bytes_of(const Save& save) {
    std::string bytes;
    save([&](const void* data, std::size_t count) { bytes.append(static_cast<const char*>(data), count); });
    return bytes;
}

template <class Index>
std::string graph_of(const Index& index) {
    return bytes_of([&](const auto& sink) { index.save(sink); });
}

}  // namespace kith_test
