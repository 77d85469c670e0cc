// kith/index/raw_rows.hpp — vectors of any element, as they were given, one row a slot, ready for the kernels.
//
// A search reads rows at random, so a row begins where no cache line is read in vain: long rows on a cache line, short
// ones on 16 bytes, because there the padding would cost more than the line it saves. Cosine keeps the vector itself,
// bit for bit, and its inverse norm right behind it, where the last line read brings it along.
//
// Queries come as floats. Rows of floats, of two bytes or four, take them as they are; integers and bits are compared
// with a query that was made one of their kind.
//
// Thread safety: a view; rows that exist are only read.
#pragma once

#include "kith/core/element.hpp"
#include "kith/core/matrix_view.hpp"
#include "kith/core/prefetch.hpp"
#include "kith/core/residency.hpp"
#include "kith/core/scratch_memory.hpp"
#include "kith/core/slot.hpp"
#include "kith/distance/cosine.hpp"
#include "kith/distance/cpu.hpp"
#include "kith/distance/dispatch.hpp"
#include "kith/distance/hamming.hpp"
#include "kith/distance/inner_product.hpp"
#include "kith/distance/kernels.hpp"
#include "kith/distance/scorer.hpp"
#include "kith/index/resident_rows.hpp"

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>
#include <vector>

namespace kith::inline v0 {

namespace detail {

/// A query against rows, scored by one pair of kernels. Shape: `dim` counts elements.
template <class T>
class KernelScorer {
public:
    using Query = QueryElement<T>;

    KernelScorer(const Kernels<T>& kernels, const Query* query, const T* rows, std::size_t stride,
                 std::size_t dim) noexcept
        : kernels_(kernels), query_(query), rows_(rows), stride_(stride), dim_(dim) {}

    void score(const Slot* slots, std::size_t count, float* out) const noexcept {
        kernels_.slots(query_, rows_, stride_, dim_, slots, count, out);
    }

    void score_block(Slot first, std::size_t count, float* out) const noexcept {
        kernels_.block(query_, row(first), stride_, dim_, count, out);
    }

    [[gnu::always_inline]] void prefetch(Slot slot) const noexcept {
        detail::prefetch_row(row(slot), dim_ * sizeof(T));
    }

    [[gnu::always_inline]] void prefetch_scan(Slot first, std::size_t count) const noexcept {
        const std::size_t row_bytes = stride_ * sizeof(T);
        if (row_bytes <= detail::longest_scanned) detail::prefetch_scan(row(first), count * row_bytes);
    }

    [[nodiscard]] const T* row(Slot slot) const noexcept { return rows_ + slot * stride_; }

    /// What stands behind the elements of a row.
    [[nodiscard]] const T* row_end(Slot slot) const noexcept { return row(slot) + dim_; }

private:
    Kernels<T> kernels_;
    const Query* query_;  // dim_ elements, alive as long as the scorer
    const T* rows_;       // row s begins at rows_ + s * stride_
    std::size_t stride_;  // in elements
    std::size_t dim_;
};

/// The cosine distance from inner products and inverse norms.
template <class T>
class CosineScorer {
public:
    CosineScorer(const KernelScorer<T>& products, float query_inverse_norm) noexcept
        : products_(products), query_inverse_norm_(query_inverse_norm) {}

    void score(const Slot* slots, std::size_t count, float* out) const noexcept {
        // Where a row ends with its line, the norm is on another, which the kernel does not fetch.
        for (std::size_t i = 0; i < count; ++i) __builtin_prefetch(products_.row_end(slots[i]));
        products_.score(slots, count, out);
        for (std::size_t i = 0; i < count; ++i) out[i] = distance(out[i], slots[i]);
    }

    void score_block(Slot first, std::size_t count, float* out) const noexcept {
        products_.score_block(first, count, out);
        for (std::size_t i = 0; i < count; ++i) out[i] = distance(out[i], first + static_cast<Slot>(i));
    }

    [[gnu::always_inline]] void prefetch(Slot slot) const noexcept { products_.prefetch(slot); }
    [[gnu::always_inline]] void prefetch_scan(Slot first, std::size_t count) const noexcept {
        products_.prefetch_scan(first, count);
    }

private:
    [[nodiscard]] float distance(float negative_product, Slot slot) const noexcept {
        float inverse_norm = 0;
        std::memcpy(&inverse_norm, products_.row_end(slot), sizeof(inverse_norm));
        // The norms first: their product is the same both ways round, and so is the distance. That of two vectors
        // which are nearly nothing is kept finite, for their own product may be 0.
        const float inverse_norms = std::min(query_inverse_norm_ * inverse_norm, std::numeric_limits<float>::max());
        return 1.0F + negative_product * inverse_norms;
    }

    KernelScorer<T> products_;  // gives −⟨query, row⟩
    float query_inverse_norm_;
};

}  // namespace detail

/// The Rows of plain vectors of T under metric M.
template <class T, class M>
class RawRows {
    static_assert(kith::Metric<M, T>,
                  "kith: this metric does not compare vectors of these elements; packed bits have kith::Hamming and "
                  "kith::Jaccard, numbers have kith::L2, kith::InnerProduct and kith::Cosine");
    static constexpr bool is_cosine = std::same_as<M, Cosine>;
    using ProductMetric = std::conditional_t<is_cosine, InnerProduct, M>;
    using Query = QueryElement<T>;
    static constexpr bool takes_floats = std::same_as<Query, float>;

public:
    using Element = T;
    using Metric = M;

    /// A view of rows that write_row wrote; `residency` brings them into memory, unless they are there anyway.
    /// Shape: row s begins at data + s * stride_for(dim).
    /// Requires: integers and bits have at most longest_integer_row elements a row.
    RawRows(const T* data, std::size_t dim, const Kernels<T>& kernels, Residency* residency = nullptr) noexcept
        : data_(data), dim_(dim), stride_(stride_for(dim)), kernels_(kernels), residency_(residency) {}

    /// The kernels rows of this metric are scored with; chosen once an index.
    [[nodiscard]] static Kernels<T> kernels_for(Isa isa) { return kernels<ProductMetric, T>(isa); }

    /// Elements from one row to the next. On disk: never change.
    [[nodiscard]] static constexpr std::size_t stride_for(std::size_t dim) noexcept {
        constexpr std::size_t long_row = 512;
        const std::size_t bytes = elements_for<T>(dim) * sizeof(T) + (is_cosine ? sizeof(float) : 0);
        const std::size_t unit = bytes >= long_row ? 64 : 16;
        return (bytes + unit - 1) / unit * unit / sizeof(T);
    }

    /// Writes `dim` floats as a row: rounded, within the range of T. Shape: `row` has room for stride_for(dim).
    static void write_row(T* row, const float* vector, std::size_t dim) noexcept {
        encode_elements(vector, dim, row);
        finish_row(row, dim);
    }

    /// Writes elements as a row, as they are. Shape: `elements` holds elements_for<T>(dim), `row` as above.
    static void write_elements(T* row, const T* elements, std::size_t dim) noexcept {
        std::memcpy(row, elements, elements_for<T>(dim) * sizeof(T));
        if constexpr (std::same_as<T, Bits8>) {  // nothing is set past the last dimension
            if (dim % 8 != 0) row[dim / 8].bits &= static_cast<std::uint8_t>((1U << (dim % 8)) - 1);
        }
        finish_row(row, dim);
    }

    /// Dimensions: the floats of a query.
    [[nodiscard]] std::size_t dim() const noexcept { return dim_; }
    [[nodiscard]] std::size_t stride() const noexcept { return stride_; }

    /// Where the rows lie. Who reads one without a scorer or decode() holds it.
    [[nodiscard]] detail::RowsPlace place() const noexcept {
        return {residency_, data_, stride_ * sizeof(T), stride_ * sizeof(T)};
    }
    [[nodiscard]] const T* row(Slot slot) const noexcept { return data_ + slot * stride_; }

    /// Writes the vector of a slot as floats, exactly. Shape: `out` has room for dim().
    void decode(Slot slot, float* out) const noexcept {
        const Held held(residency_, row(slot), stride_ * sizeof(T));
        decode_elements(row(slot), dim_, out);
    }

    /// The vector of a slot as floats: in place where rows are made of those and stay in memory, else in `buffer`, which
    /// has room for dim().
    [[nodiscard]] const float* floats(Slot slot, float* buffer) const noexcept {
        if constexpr (std::same_as<T, float>) {
            if (residency_ == nullptr) return row(slot);
        }
        decode(slot, buffer);
        return buffer;
    }

    /// The first `count` vectors as floats: in place, or in `buffer`.
    [[nodiscard]] MatrixView matrix(std::size_t count, std::vector<float>& buffer) const {
        if constexpr (std::same_as<T, float>) {
            if (residency_ == nullptr) return {data_, count, dim_, stride_};
        }
        buffer.resize(count * dim_);
        for (std::size_t at = 0; at < count; ++at) decode(static_cast<Slot>(at), &buffer[at * dim_]);
        return {buffer.data(), count, dim_, dim_};
    }

    /// 1 / ‖row‖, as write_row found it. Requires: the metric is Cosine.
    [[nodiscard]] float inverse_norm(Slot slot) const noexcept {
        const Held held(residency_, row(slot), stride_ * sizeof(T));
        float inverse = 0;
        std::memcpy(&inverse, row(slot) + elements_for<T>(dim_), sizeof(inverse));
        return inverse;
    }

    /// Scores rows against `query`, which must live as long as the scorer.
    [[nodiscard]] auto scorer(const float* query, ScratchMemory& scratch) const noexcept(takes_floats) {
        if constexpr (takes_floats) {
            static_cast<void>(scratch);
            return scorer_with(query, norm_of(query));
        } else {
            T* const elements = scratch.take_array<T>(elements_for<T>(dim_));
            if constexpr (is_cosine && std::integral<T>) {
                encode_direction(query, elements);
            } else {
                encode_elements(query, dim_, elements);
            }
            return scorer_with(elements, norm_of(elements));
        }
    }

    /// Scores rows against the row of `slot`.
    [[nodiscard]] auto scorer_of(Slot slot, ScratchMemory& scratch) const noexcept(std::same_as<Query, T>) {
        float norm = 0;
        if constexpr (is_cosine) norm = inverse_norm(slot);
        if constexpr (std::same_as<Query, T>) {
            static_cast<void>(scratch);
            return scorer_with(row(slot), norm);
        } else {
            return scorer_with(floats(slot, scratch.take_array<float>(dim_)), norm);
        }
    }

private:
    /// The whole numbers that point nearest to where `query` does: its own, or it scaled to fill their range. Below the
    /// range of unsigned ones there is nothing.
    void encode_direction(const float* query, T* elements) const noexcept {
        const auto largest = static_cast<float>(std::numeric_limits<T>::max());
        float reach = 0;
        bool whole = true;
        for (std::size_t i = 0; i < dim_; ++i) {
            reach = std::max(reach, std::abs(query[i]));
            whole = whole && query[i] == std::nearbyint(query[i]);
        }
        const float scale = (whole && reach <= largest) || !(reach > 0) ? 1.0F : largest / reach;
        for (std::size_t i = 0; i < dim_; ++i) elements[i] = detail::nearest_element<T>(query[i] * scale);
    }

    /// Zeros behind the elements, and among them what the metric keeps of a row.
    static void finish_row(T* row, std::size_t dim) noexcept {
        const std::size_t elements = elements_for<T>(dim);
        std::memset(static_cast<void*>(row + elements), 0, (stride_for(dim) - elements) * sizeof(T));
        if constexpr (is_cosine) {
            const float inverse = detail::inverse_norm(row, dim);
            std::memcpy(static_cast<void*>(row + elements), &inverse, sizeof(inverse));
        }
    }

    [[nodiscard]] float norm_of(const Query* query) const noexcept {
        if constexpr (is_cosine) {
            return detail::inverse_norm(query, dim_);
        } else {
            static_cast<void>(query);
            return 0;
        }
    }

    [[nodiscard]] auto scorer_with(const Query* query, float inverse_norm) const noexcept {
        const detail::KernelScorer<T> products(kernels_, query, data_, stride_, elements_for<T>(dim_));
        if constexpr (is_cosine) {
            return detail::ResidentScorer(detail::CosineScorer<T>(products, inverse_norm), place());
        } else {
            static_cast<void>(inverse_norm);
            return detail::ResidentScorer(products, place());
        }
    }

    const T* data_;
    std::size_t dim_;
    std::size_t stride_;  // stride_for(dim_)
    Kernels<T> kernels_;
    Residency* residency_;  // null: the rows are in memory
};

static_assert(Rows<RawRows<float, Cosine>>);
static_assert(Rows<RawRows<Half, L2>>);
static_assert(Rows<RawRows<std::int8_t, Cosine>>);
static_assert(Rows<RawRows<Bits8, Hamming>>);

}  // namespace kith::inline v0
