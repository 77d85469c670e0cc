// kith/index/flat_batch.hpp — the exact answers to many queries, from one pass over the rows.
//
// One query alone is as fast as the memory brings rows. For a batch a block of rows is brought near once and met by
// every query. Where rows are floats of any width the meeting is a product of two matrices, and ‖q − r‖² follows from
// it, ‖q‖² and ‖r‖². That is not the distance to the last bit, so it only tells which rows cannot be among the nearest;
// the few others are scored as for one query. So a batch answers just what its queries would, asked one by one.
//
// What a product may be wrong by: a sum of n terms in floats, in any order, is within n · 2⁻²⁴ / (1 − n · 2⁻²⁴) of
// Σ |qᵢ rᵢ| ≤ ‖q‖ ‖r‖. That and the error of the score itself are allowed for; a row or a query whose square comes near
// the ends of what floats hold is never ruled out.
//
// Thread safety: reads only; each thread brings its own scratch.
// Source: Higham, "Accuracy and Stability of Numerical Algorithms", 2nd edition, section 3.1 (the bound).
#pragma once

#include "kith/core/bitset_view.hpp"
#include "kith/core/element.hpp"
#include "kith/core/neighbor.hpp"
#include "kith/core/scratch_memory.hpp"
#include "kith/core/slot.hpp"
#include "kith/core/top_k.hpp"
#include "kith/distance/cosine.hpp"
#include "kith/distance/cpu.hpp"
#include "kith/distance/dispatch.hpp"
#include "kith/distance/inner_product.hpp"
#include "kith/distance/l2.hpp"
#include "kith/distance/scorer.hpp"
#include "kith/index/raw_rows.hpp"
#include "kith/index/search_scratch.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <new>
#include <span>
#include <type_traits>
#include <utility>

namespace kith::inline v0 {

namespace detail {

/// Queries that meet the rows together; more bring no more, and less of them is near.
inline constexpr std::size_t widest_batch = 256;

/// Rows that are met at once: whole tiles of every kernel, and near with the products beside them.
inline constexpr std::size_t batch_rows = 96;

/// Fewer queries than these are scored pair by pair: the kernels of products work on a whole panel of queries.
inline constexpr std::size_t fewest_for_products = 4;

/// One query of a batch.
template <Scorer S>
struct BatchQuery {
    S scorer;
    TopK best;
    float length = 0;  // ‖query‖ where products are made; infinite where they may rule out nothing
};

/// The next allowed slots from `begin` on, which is moved behind them; returns how many.
/// Shape: `slots` has room for batch_rows.
inline std::size_t next_slots(BitsetView allowed, Slot& begin, Slot* slots) noexcept {
    std::size_t count = 0;
    for (; begin < allowed.count() && count < batch_rows; begin += 64 - begin % 64) {
        std::uint64_t bits = allowed.allowed_word(begin / 64) & (~std::uint64_t{0} << (begin % 64));
        for (; bits != 0; bits &= bits - 1) {
            if (count == batch_rows) {
                begin += static_cast<Slot>(std::countr_zero(bits)) - begin % 64;
                return count;
            }
            slots[count++] = begin - begin % 64 + static_cast<Slot>(std::countr_zero(bits));
        }
    }
    return count;
}

/// True when the slots, which rise, have none between them.
inline bool in_a_row(const Slot* slots, std::size_t count) noexcept {
    return slots[count - 1] - slots[0] == count - 1;
}

/// Meets rows with queries by scoring every pair: what any Rows can do.
template <Scorer S>
class PairBatch {
public:
    explicit PairBatch(std::span<BatchQuery<S>> queries) noexcept : queries_(queries) {}

    /// Offers `count` rows, at most batch_rows, to each query. Shape: `slots` rises.
    void meet(const Slot* slots, std::size_t count) noexcept {
        float distances[batch_rows];
        for (BatchQuery<S>& query : queries_) {
            if (in_a_row(slots, count)) {
                query.scorer.score_block(slots[0], count, distances);
            } else {
                query.scorer.score(slots, count, distances);
            }
            for (std::size_t i = 0; i < count; ++i) {
                if (!(distances[i] > query.best.worst_distance())) query.best.offer({distances[i], slots[i]});
            }
        }
    }

private:
    std::span<BatchQuery<S>> queries_;
};

/// Rows whose metric follows from inner products of floats.
template <class R>
concept ProductRows = Rows<R> && requires {
    typename R::Element;
    typename R::Metric;
    requires std::same_as<R, RawRows<typename R::Element, typename R::Metric>>;
    requires std::same_as<QueryElement<typename R::Element>, float>;
};

/// Meets rows with queries by products, and scores the pairs that these do not rule out.
template <ProductRows R, Scorer S>
class ProductBatch {
    static constexpr bool is_l2 = std::same_as<typename R::Metric, L2>;
    static constexpr bool is_cosine = std::same_as<typename R::Metric, Cosine>;
    static_assert(is_l2 || is_cosine || std::same_as<typename R::Metric, InnerProduct>);

public:
    /// Shape: `floats` holds the queries one after the other. Throws: std::bad_alloc while `scratch` grows.
    ProductBatch(const R& rows, const float* floats, std::span<BatchQuery<S>> queries, ScratchMemory& scratch, Isa isa)
        : rows_(rows),
          queries_(queries),
          kernels_(product_kernels(isa)),
          lengths_(kernels<InnerProduct, float>(isa)),
          width_((queries.size() + kernels_.panel - 1) / kernels_.panel * kernels_.panel),
          unit_(static_cast<double>(rows.dim() + rounded_besides) * 0x1p-24) {
        const std::size_t dim = rows.dim();
        std::size_t end = 0;
        const auto part = [&](std::size_t floats_wanted) {
            return std::exchange(end, end + (floats_wanted + 15) / 16 * 16);  // parts begin on cache lines
        };
        const std::size_t panels = part(width_ * dim), least = part(width_), products = part(batch_rows * width_),
                          reached = part(batch_rows * width_), copy = part(batch_rows * dim);
        auto* const memory = scratch.take_array<float>(end);
        panels_ = memory + panels;
        least_ = memory + least;
        products_ = memory + products;
        reached_ = reinterpret_cast<std::uint32_t*>(memory + reached);
        copy_ = memory + copy;
        std::memset(panels_, 0, width_ * dim * sizeof(float));
        std::fill_n(least_, width_, std::numeric_limits<float>::infinity());
        for (std::size_t at = 0; at < queries.size(); ++at) {
            const float* const query = floats + at * dim;
            float* const to = panels_ + at / kernels_.panel * kernels_.panel * dim + at % kernels_.panel;
            for (std::size_t d = 0; d < dim; ++d) to[d * kernels_.panel] = query[d];
            queries_[at].length = length(query);
        }
    }

    /// Offers `count` rows, at most batch_rows, to each query, those that products rule out excepted.
    /// Shape: `slots` rises.
    void meet(const Slot* slots, std::size_t count) noexcept {
        const std::size_t dim = rows_.dim();
        const float* from = copy_;
        std::size_t stride = dim;
        if (const float* const in_place = rows_in_place(slots, count)) {
            from = in_place;
            stride = rows_.stride();
        } else {
            for (std::size_t i = 0; i < count; ++i) rows_.decode(slots[i], copy_ + i * dim);
        }
        float scales[batch_rows], shifts[batch_rows];
        const double longest = prepare(from, stride, slots, count, scales, shifts);
        for (std::size_t at = 0; at < queries_.size(); ++at) least_[at] = least_product(queries_[at], longest);
        kernels_.products(from, stride, count, panels_, width_ / kernels_.panel, dim, products_, width_);
        const std::size_t reached =
            kernels_.reached(products_, width_, count, scales, shifts, least_, width_, reached_);
        for (std::size_t i = 0; i < reached; ++i) {
            const std::size_t row = reached_[i] / width_, at = reached_[i] % width_;
            if (at >= queries_.size()) continue;  // a filler of the last panel
            BatchQuery<S>& query = queries_[at];
            float distance = 0;
            query.scorer.score_block(slots[row], 1, &distance);
            if (!(distance > query.best.worst_distance())) query.best.offer({distance, slots[row]});
        }
    }

private:
    /// Roundings that are no term of a product's sum: of norms, of the metric's formula, of what is compared here.
    static constexpr std::size_t rounded_besides = 32;

    /// Lengths within which squares and products of two are neither infinite nor of fewer digits. Others rule out
    /// nothing.
    static constexpr double least_length = 1e-15, most_length = 1e15;

    [[nodiscard]] const float* rows_in_place(const Slot* slots, std::size_t count) const noexcept {
        if constexpr (std::same_as<typename R::Element, float>) {
            if (in_a_row(slots, count)) return rows_.row(slots[0]);
        }
        return nullptr;
    }

    [[nodiscard]] float square(const float* vector) const noexcept {
        float negative = 0;
        lengths_.block(vector, vector, rows_.dim(), rows_.dim(), 1, &negative);
        return -negative;
    }

    /// ‖query‖, or infinity when products with it may rule out nothing.
    [[nodiscard]] float length(const float* query) const noexcept {
        const double length = std::sqrt(static_cast<double>(square(query)));
        const bool ordinary = length < most_length && (!is_cosine || length > least_length) && unit_ < 1.0 / 16;
        return ordinary ? static_cast<float>(length) : std::numeric_limits<float>::infinity();
    }

    /// What products with each row are multiplied with and lessened by, to be compared with least_product. Returns the
    /// length of the longest row that may be ruled out.
    double prepare(const float* from, std::size_t stride, [[maybe_unused]] const Slot* slots, std::size_t count,
                   float* scales, float* shifts) const noexcept {
        double longest = 0;
        for (std::size_t i = 0; i < count; ++i) {
            bool ordinary = false;
            if constexpr (is_cosine) {
                scales[i] = rows_.inverse_norm(slots[i]);
                shifts[i] = 0;
                ordinary = scales[i] > 1 / most_length && scales[i] < 1 / least_length;
            } else {
                const float squared = square(from + i * stride);
                scales[i] = 1;
                shifts[i] = is_l2 ? squared / 2 : 0;
                ordinary = squared < most_length * most_length;
                if (ordinary) longest = std::max(longest, static_cast<double>(squared));
            }
            if (!ordinary) {  // infinite, or no number: not below anything
                scales[i] = 0;
                shifts[i] = -std::numeric_limits<float>::infinity();
            }
        }
        return std::sqrt(longest);
    }

    /// What the product of this query and a row, so prepared, is surely below when the row is farther than the worst
    /// kept. Each term is counted twice, and what is added here in double costs the rest.
    [[nodiscard]] float least_product(const BatchQuery<S>& query, double longest) const noexcept {
        constexpr double smallest = std::numeric_limits<float>::min();  // what underflow may take off each term
        const double length = static_cast<double>(query.length),
                     worst = static_cast<double>(query.best.worst_distance());
        if (!(length < most_length) || !(worst < std::numeric_limits<double>::infinity())) {
            return -std::numeric_limits<float>::infinity();
        }
        double least = 0, magnitudes = 0;
        if constexpr (is_cosine) {
            least = length * (1 - worst);
            magnitudes = 2 * length;
        } else if constexpr (is_l2) {
            least = (length * length - worst) / 2;
            magnitudes = (length * length + longest * longest + std::abs(worst)) / 2 + length * longest;
        } else {
            least = -worst;
            magnitudes = std::abs(worst) + length * longest;
        }
        return static_cast<float>(least - 2 * unit_ * magnitudes - 2 * smallest * static_cast<double>(rows_.dim()));
    }

    const R& rows_;
    std::span<BatchQuery<S>> queries_;
    ProductKernels kernels_;
    Kernels<float> lengths_;  // of the inner product
    std::size_t width_;       // queries, and fillers up to whole panels
    double unit_;             // what a product may be wrong by, as a share of the lengths' product
    // In the scratch:
    float* panels_;           // the queries, as kernels_ reads them
    float* least_;            // width_ of them: see least_product; infinity for fillers
    float* products_;         // batch_rows · width_
    std::uint32_t* reached_;  // as many
    float* copy_;             // batch_rows vectors, where they are not read in place
};

/// For each of `count` queries the nearest `limit` of the allowed slots, nearest first, equal distances by slot: to the
/// last bit what scan() finds for each alone. found[i] is how many there are for query i.
/// Shape: `queries` holds count · rows.dim() floats; the answers to query i begin at out + i · limit, which has room
///        for count · limit.
/// Throws: std::bad_alloc while `scratch` still grows.
template <Rows R>
void search_batch(const R& rows, const float* queries, std::size_t count, std::size_t limit, BitsetView allowed,
                  SearchScratch& scratch, Neighbor* out, std::size_t* found, Isa isa = best_isa()) {
    using S = decltype(rows.scorer(queries, scratch.query));
    static_assert(std::is_trivially_destructible_v<BatchQuery<S>>);
    const auto meet_all = [&](auto batch) {
        Slot slots[batch_rows];
        for (Slot begin = 0; const std::size_t met = next_slots(allowed, begin, slots);) batch.meet(slots, met);
    };
    if (scratch.batch.size() < std::min(count, widest_batch)) scratch.batch.resize(std::min(count, widest_batch));
    for (std::size_t first = 0; first < count; first += widest_batch) {
        const std::size_t size = std::min(widest_batch, count - first);
        const float* const floats = queries + first * rows.dim();
        auto* const memory = reinterpret_cast<BatchQuery<S>*>(scratch.query.take(size * sizeof(BatchQuery<S>)));
        for (std::size_t at = 0; at < size; ++at) {
            ::new (static_cast<void*>(memory + at))
                BatchQuery<S>{rows.scorer(floats + at * rows.dim(), scratch.batch[at]),
                              TopK(std::span(out + (first + at) * limit, limit)), 0};
        }
        const std::span<BatchQuery<S>> asked(std::launder(memory), size);
        if constexpr (ProductRows<R>) {
            if (size >= fewest_for_products) {
                meet_all(ProductBatch<R, S>(rows, floats, asked, scratch.lists, isa));
            } else {
                meet_all(PairBatch<S>(asked));
            }
        } else {
            meet_all(PairBatch<S>(asked));
        }
        for (std::size_t at = 0; at < size; ++at) found[first + at] = asked[at].best.sorted().size();
    }
}

}  // namespace detail

}  // namespace kith::inline v0
