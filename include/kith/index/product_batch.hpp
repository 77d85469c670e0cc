// kith/index/product_batch.hpp — a batch of queries against vectors, by the product of two matrices.
//
// From ⟨q, r⟩ follows the distance, with ‖q‖² and ‖r‖² where it is L2's; but not to the last bit, and so it only tells
// which rows cannot be among the nearest. The few others are scored as for one query.
//
// What a product may be wrong by: a sum of n terms in floats, in any order, is within n · 2⁻²⁴ / (1 − n · 2⁻²⁴) of
// Σ |qᵢ rᵢ| ≤ ‖q‖ ‖r‖. That and the error of the score itself are allowed for; a row or a query whose square comes near
// the ends of what floats hold is never ruled out.
//
// Thread safety: none; a batch belongs to one thread.
// Source: Higham, "Accuracy and Stability of Numerical Algorithms", 2nd edition, section 3.1 (the bound).
#pragma once

#include "kith/core/element.hpp"
#include "kith/core/scratch_memory.hpp"
#include "kith/core/slot.hpp"
#include "kith/distance/cosine.hpp"
#include "kith/distance/dispatch.hpp"
#include "kith/distance/inner_product.hpp"
#include "kith/distance/isa.hpp"
#include "kith/distance/l2.hpp"
#include "kith/distance/scorer.hpp"
#include "kith/index/batch_query.hpp"
#include "kith/index/raw_rows.hpp"

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <utility>

namespace kith::inline v0::detail {

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
    /// Fewer queries than these are faster scored pair by pair, for the kernels of products work on whole panels.
    /// Measured where a panel is 32 queries: seven pair by pair take 0.7 of the time, and the two ways meet near ten.
    [[nodiscard]] static std::size_t fewest(Isa isa) noexcept { return product_kernels(isa).panel / 4; }

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
            if (rows_.place().residency == nullptr && in_a_row(slots, count)) return rows_.row(slots[0]);
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

}  // namespace kith::inline v0::detail
