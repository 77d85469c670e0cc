// kith/distance/metric.hpp — what it takes to say how far apart two vectors are.
#pragma once

#include "kith/core/element.hpp"

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace kith::inline v0 {

/// A Metric says how far apart two vectors are; smaller is always nearer.
/// Shape:  a and b hold `dim` elements each, aligned or not.
/// Units:  any scale that keeps the order. L2 is the squared distance, Cosine 1 − cos, InnerProduct −⟨a, b⟩. `score`
///         turns a distance into what users of that metric expect to read.
/// Laws:   symmetric to the last bit; never NaN for finite input; score is monotone (tests/laws/metric_laws.hpp).
/// Cost:   `distance` is the truth that kernels are measured against, not the way an index computes it.
template <class M, class T>
concept Metric = Element<T> && requires(const T* a, const T* b, std::size_t dim, float distance) {
    { M::name } -> std::convertible_to<std::string_view>;  // stored on disk: never rename
    { M::distance(a, b, dim) } noexcept -> std::same_as<float>;
    { M::score(distance) } noexcept -> std::same_as<float>;
};

/// A metric whose distance is the sum of one term for each element: what a kernel can be made from.
/// Laws: term(a, b) equals term(b, a), and is an integer for integers.
template <class M, class T>
concept SumMetric = Metric<M, T> && Number<T> && requires(float a, std::int32_t i) {
    { M::term(a, a) } noexcept -> std::same_as<float>;
    { M::term(i, i) } noexcept -> std::same_as<std::int32_t>;
};

/// A metric of packed bits, made from how many differ and, where `needs_either` is set, how many are set in either
/// vector; `either` is 0 elsewhere.
template <class M, class T>
concept BitMetric = Metric<M, T> && std::same_as<T, Bits8> && requires(std::uint32_t differing, std::uint32_t either) {
    { M::needs_either } -> std::convertible_to<bool>;
    { M::of_counts(differing, either) } noexcept -> std::same_as<float>;
};

}  // namespace kith::inline v0
