// kith/distance/metric.hpp — what it takes to say how far apart two vectors are.
#pragma once

#include <concepts>
#include <cstddef>
#include <string_view>

namespace kith::inline v0 {

/// A Metric says how far apart two vectors are; smaller is always nearer.
/// Shape:  a and b hold `dim` elements each, aligned or not.
/// Units:  any scale that keeps the order. L2 is the squared distance, Cosine 1 − cos, InnerProduct −⟨a, b⟩. `score`
///         turns a distance into what users of that metric expect to read.
/// Laws:   symmetric to the last bit; never NaN for finite input; score is monotone (tests/laws/metric_laws.hpp).
/// Cost:   `distance` is the truth that kernels are measured against, not the way an index computes it.
template <class M, class T>
concept Metric = requires(const T* a, const T* b, std::size_t dim, float distance) {
    { M::name } -> std::convertible_to<std::string_view>;  // stored on disk: never rename
    { M::distance(a, b, dim) } noexcept -> std::same_as<float>;
    { M::score(distance) } noexcept -> std::same_as<float>;
};

/// A metric whose distance is the sum of one term for each element: what a kernel can be made from.
/// Laws: term(a, b) equals term(b, a).
template <class M, class T>
concept SumMetric = Metric<M, T> && requires(T a, T b) {
    { M::term(a, b) } noexcept -> std::same_as<T>;
};

}  // namespace kith::inline v0
