// kith/index/raw_rows.hpp — vectors as they were given, one row a slot, ready for the kernels.
//
// A search reads rows at random, so a row begins where no cache line is read in vain: long rows on a cache line, short
// ones on 16 bytes, because there the padding would cost more than the line it saves. Cosine keeps the vector itself,
// bit for bit, and its inverse norm right behind it, where the last line read brings it along.
//
// Thread safety: a view; rows that exist are only read.
#pragma once

#include "kith/core/slot.hpp"
#include "kith/distance/cosine.hpp"
#include "kith/distance/cpu.hpp"
#include "kith/distance/dispatch.hpp"
#include "kith/distance/inner_product.hpp"
#include "kith/distance/scorer.hpp"

#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstring>
#include <limits>
#include <type_traits>

namespace kith::inline v0 {

namespace detail {

/// A query against rows, scored by one pair of kernels.
template <class T>
class KernelScorer {
public:
    KernelScorer(const Kernels<T>& kernels, const T* query, const T* rows, std::size_t stride, std::size_t dim) noexcept
        : kernels_(kernels), query_(query), rows_(rows), stride_(stride), dim_(dim) {}

    void score(const Slot* slots, std::size_t count, float* out) const noexcept {
        kernels_.slots(query_, rows_, stride_, dim_, slots, count, out);
    }

    void score_block(Slot first, std::size_t count, float* out) const noexcept {
        kernels_.block(query_, row(first), stride_, dim_, count, out);
    }

    [[gnu::always_inline]] void prefetch(Slot slot) const noexcept {
        constexpr std::size_t line = 64;
        constexpr std::size_t longest = 8 * line;  // the processor's own prefetcher follows from there
        const auto* bytes = reinterpret_cast<const char*>(row(slot));
        const std::size_t row_bytes = dim_ * sizeof(T) < longest ? dim_ * sizeof(T) : longest;
        for (std::size_t offset = 0; offset < row_bytes; offset += line) __builtin_prefetch(bytes + offset);
    }

    [[nodiscard]] const T* row(Slot slot) const noexcept { return rows_ + slot * stride_; }

private:
    Kernels<T> kernels_;
    const T* query_;      // dim_ elements, alive as long as the scorer
    const T* rows_;       // row s begins at rows_ + s * stride_
    std::size_t stride_;  // in elements
    std::size_t dim_;
};

/// The cosine distance from inner products and inverse norms.
template <class T>
class CosineScorer {
public:
    CosineScorer(const KernelScorer<T>& products, std::size_t dim, float query_inverse_norm) noexcept
        : products_(products), dim_(dim), query_inverse_norm_(query_inverse_norm) {}

    void score(const Slot* slots, std::size_t count, float* out) const noexcept {
        products_.score(slots, count, out);
        for (std::size_t i = 0; i < count; ++i) out[i] = distance(out[i], slots[i]);
    }

    void score_block(Slot first, std::size_t count, float* out) const noexcept {
        products_.score_block(first, count, out);
        for (std::size_t i = 0; i < count; ++i) out[i] = distance(out[i], first + static_cast<Slot>(i));
    }

    [[gnu::always_inline]] void prefetch(Slot slot) const noexcept { products_.prefetch(slot); }

private:
    [[nodiscard]] float distance(float negative_product, Slot slot) const noexcept {
        float inverse_norm = 0;
        std::memcpy(&inverse_norm, products_.row(slot) + dim_, sizeof(inverse_norm));
        // The norms first: their product is the same both ways round, and so is the distance.
        return 1.0F + negative_product * (query_inverse_norm_ * inverse_norm);
    }

    KernelScorer<T> products_;  // gives −⟨query, row⟩
    std::size_t dim_;
    float query_inverse_norm_;
};

}  // namespace detail

/// The Rows of plain vectors under metric M.
template <class T, class M>
class RawRows {
    static_assert(std::same_as<T, float>, "kith: raw rows hold float so far");
    static constexpr bool is_cosine = std::same_as<M, Cosine>;
    using ProductMetric = std::conditional_t<is_cosine, InnerProduct, M>;

public:
    using Element = T;
    using Metric = M;

    /// A view of rows that write_row wrote. Shape: row s begins at data + s * stride_for(dim).
    RawRows(const T* data, std::size_t dim, const Kernels<T>& kernels) noexcept
        : data_(data), dim_(dim), stride_(stride_for(dim)), kernels_(kernels) {}

    /// The kernels rows of this metric are scored with; chosen once an index.
    [[nodiscard]] static Kernels<T> kernels_for(Isa isa) { return kernels<ProductMetric, T>(isa); }

    /// Elements from one row to the next. On disk: never change.
    [[nodiscard]] static constexpr std::size_t stride_for(std::size_t dim) noexcept {
        constexpr std::size_t long_row = 256;
        const std::size_t bytes = dim * sizeof(T) + (is_cosine ? sizeof(float) : 0);
        const std::size_t unit = bytes >= long_row ? 64 : 16;
        return (bytes + unit - 1) / unit * unit / sizeof(T);
    }

    /// Writes `vector` as a row. Shape: `row` has room for stride_for(dim) elements.
    static void write_row(T* row, const float* vector, std::size_t dim) noexcept {
        std::memcpy(row, vector, dim * sizeof(T));
        std::memset(row + dim, 0, (stride_for(dim) - dim) * sizeof(T));
        if constexpr (is_cosine) {
            const float inverse = detail::inverse_norm(vector, dim);
            std::memcpy(row + dim, &inverse, sizeof(inverse));
        }
    }

    [[nodiscard]] std::size_t dim() const noexcept { return dim_; }
    [[nodiscard]] std::size_t stride() const noexcept { return stride_; }
    [[nodiscard]] const T* row(Slot slot) const noexcept { return data_ + slot * stride_; }

    /// Scores rows against `query`, which must live as long as the scorer.
    [[nodiscard]] auto scorer(const float* query, ScratchMemory&) const noexcept {
        if constexpr (is_cosine) {
            return detail::CosineScorer<T>(products(query), dim_, detail::inverse_norm(query, dim_));
        } else {
            return products(query);
        }
    }

    /// Scores rows against the row of `slot`.
    [[nodiscard]] auto scorer_of(Slot slot, ScratchMemory&) const noexcept {
        if constexpr (is_cosine) {
            float inverse = 0;
            std::memcpy(&inverse, row(slot) + dim_, sizeof(inverse));
            return detail::CosineScorer<T>(products(row(slot)), dim_, inverse);
        } else {
            return products(row(slot));
        }
    }

private:
    [[nodiscard]] detail::KernelScorer<T> products(const T* query) const noexcept {
        return {kernels_, query, data_, stride_, dim_};
    }

    const T* data_;
    std::size_t dim_;
    std::size_t stride_;  // stride_for(dim_)
    Kernels<T> kernels_;
};

static_assert(Rows<RawRows<float, Cosine>>);

}  // namespace kith::inline v0
