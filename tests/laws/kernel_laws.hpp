// tests/laws/kernel_laws.hpp — what every kernel promises, whichever metric, element and instruction set it is for.
#pragma once

#include "kith/core/random.hpp"
#include "kith/distance/dispatch.hpp"
#include "laws/elements.hpp"
#include "support/available_isas.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <limits>
#include <vector>

namespace kith_test {

/// Integers and bits are summed exactly, so one answer is right.
template <class T>
inline constexpr bool is_exact = std::integral<T> || std::same_as<T, kith::Bits8>;

/// What no kernel may look at: not a number where T can say that, else what would change every sum.
template <class T>
T poison() {
    if constexpr (std::same_as<T, kith::Bits8>) {
        return {0xa5};
    } else if constexpr (std::integral<T>) {
        return 113;
    } else {
        return T(std::numeric_limits<float>::quiet_NaN());
    }
}

struct Shape {
    std::size_t dim, stride, count;
    std::size_t offset = 0;  // of the first element from a 64-byte boundary
    double scale = 1;        // of the elements
};

/// Random rows and a query, with poison wherever no kernel may look.
template <class T>
class Poisoned : public Shape {
public:
    using Query = kith::QueryElement<T>;

    explicit Poisoned(const Shape& shape) : Shape(shape) {
        kith::SplitMix64 random(dim * 1000 + stride * 10 + offset);
        const std::vector<T> elements = place<T>(1);
        rows_ = place<T>(count);
        rows = &rows_[start(rows_)];
        for (std::size_t row = 0; row < count; ++row) {
            const std::vector<T> made = random_elements<T>(random, dim, scale);
            std::copy(made.begin(), made.end(), &rows_[start(rows_) + row * stride]);
        }
        set_query(random_elements<T>(random, dim, scale));
    }

    /// All elements of the query, and all of each row, become these.
    void fill(T in_query, T in_rows) {
        for (std::size_t row = 0; row < count; ++row) std::fill_n(&rows_[start(rows_) + row * stride], dim, in_rows);
        set_query(std::vector<T>(dim, in_query));
    }

    [[nodiscard]] const T* row(std::size_t slot) const { return rows + slot * stride; }

    const Query* query = nullptr;
    std::vector<T> query_elements;  // the query as a row
    const T* rows = nullptr;

private:
    template <class E>
    [[nodiscard]] std::size_t start(const std::vector<E>& memory) const {
        const auto address = reinterpret_cast<std::size_t>(memory.data());
        return (64 - address % 64) % 64 / sizeof(E) + offset;
    }

    template <class E>
    [[nodiscard]] std::vector<E> place(std::size_t vectors) const {
        return std::vector<E>(vectors * stride + 128 / sizeof(E) + offset, poison<E>());
    }

    void set_query(const std::vector<T>& elements) {
        query_elements = elements;
        query_ = place<Query>(1);
        const std::vector<Query> made = query_of(elements.data(), dim);
        std::copy(made.begin(), made.end(), &query_[start(query_)]);
        query = &query_[start(query_)];
    }

    std::vector<Query> query_;
    std::vector<T> rows_;
};

/// The distance in double, of a query that need not be of the rows' elements.
template <class M, class T>
double true_distance(const kith::QueryElement<T>* query, const T* row, std::size_t dim) {
    if constexpr (std::same_as<T, kith::QueryElement<T>>) {
        return static_cast<double>(M::distance(query, row, dim));
    } else {
        double sum = 0;
        for (std::size_t i = 0; i < dim; ++i) {
            sum += M::term(static_cast<double>(query[i]), static_cast<double>(row[i]));
        }
        return sum;
    }
}

/// What a distance summed in float, in any order of at least eight sums, may differ from the truth.
template <class M, class T>
double tolerance(const kith::QueryElement<T>* query, const T* row, std::size_t dim) {
    if constexpr (is_exact<T>) {
        return 0;
    } else {
        double magnitude = 0;
        for (std::size_t i = 0; i < dim; ++i) {
            magnitude += std::abs(M::term(static_cast<double>(query[i]), static_cast<double>(row[i])));
        }
        return magnitude * 0x1p-24 * (static_cast<double>(dim) / 8 + 16);
    }
}

template <class M, class T>
void check_against_truth(const Poisoned<T>& data, const float* found, const std::vector<kith::Slot>& slots) {
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < slots.size(); ++i) {
        const T* const row = data.row(slots[i]);
        const double error = std::abs(static_cast<double>(found[i]) - true_distance<M>(data.query, row, data.dim));
        if (!(error <= tolerance<M>(data.query, row, data.dim))) ++wrong;  // NaN is wrong
    }
    CHECK(wrong == 0);
}

/// Both shapes over the same rows: each against the truth, both alike, nothing written past the end.
template <class M, class T>
void check_shapes(kith::Isa isa, const Poisoned<T>& data) {
    using kith::Slot;
    const kith::Kernels<T> kernels = kith::kernels<M, T>(isa);
    constexpr float untouched = -123456;

    std::vector<Slot> in_order(data.count);
    for (std::size_t i = 0; i < data.count; ++i) in_order[i] = static_cast<Slot>(i);
    std::vector<float> block(data.count + 1, untouched);
    kernels.block(data.query, data.rows, data.stride, data.dim, data.count, block.data());
    check_against_truth<M>(data, block.data(), in_order);
    CHECK(block.back() == untouched);

    std::vector<Slot> slots;  // back to front, the first one again and again in between
    for (std::size_t i = data.count; i-- > 0;) slots.insert(slots.end(), {static_cast<Slot>(i), 0});
    std::vector<float> gathered(slots.size() + 1, untouched);
    kernels.slots(data.query, data.rows, data.stride, data.dim, slots.data(), slots.size(), gathered.data());
    CHECK(gathered.back() == untouched);
    std::size_t different = 0;
    for (std::size_t i = 0; i < slots.size(); ++i) different += gathered[i] != block[slots[i]];
    CHECK(different == 0);

    std::size_t asymmetric = 0;
    for (std::size_t slot = 0; slot < data.count; ++slot) {
        float turned = 0;
        const auto query = query_of(data.row(slot), data.dim);
        kernels.block(query.data(), data.query_elements.data(), data.stride, data.dim, 1, &turned);
        asymmetric += turned != block[slot];
    }
    CHECK(asymmetric == 0);
}

/// The first rows, asked about alone and in groups of every size, are as far as when all are asked about.
template <class M, class T>
void check_grouping(kith::Isa isa, const Poisoned<T>& data) {
    const auto kernels = kith::kernels<M, T>(isa);
    constexpr float untouched = -123456;
    std::vector<float> all(data.count);
    kernels.block(data.query, data.rows, data.stride, data.dim, data.count, all.data());
    for (std::size_t count = 0; count <= data.count; ++count) {
        INFO("count " << count);
        std::vector<float> some(count + 1, untouched);
        std::vector<kith::Slot> slots;
        for (std::size_t i = 0; i < count; ++i) slots.push_back(static_cast<kith::Slot>(i));
        kernels.block(data.query, data.rows, data.stride, data.dim, count, some.data());
        CHECK(std::equal(some.begin(), some.end() - 1, all.begin()));
        CHECK(some.back() == untouched);
        kernels.slots(data.query, data.rows, data.stride, data.dim, slots.data(), count, some.data());
        CHECK(std::equal(some.begin(), some.end() - 1, all.begin()));
        CHECK(some.back() == untouched);
    }
}

}  // namespace kith_test
