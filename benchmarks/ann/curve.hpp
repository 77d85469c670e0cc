// benchmarks/ann/curve.hpp — what a contender can do: the settings nothing else of its own beats.
#pragma once

#include "measure.hpp"

#include <cstddef>
#include <span>
#include <vector>

namespace ann {

/// The points that no other point of the curve beats in both recall and speed, by rising recall.
std::vector<Point> frontier(const Curve& curve);

/// Queries a second at `recall`, between the points of the frontier around it on a logarithmic scale; 0 where none
/// finds as much. Where the slowest setting already finds more, it is that setting's speed: the true one is higher.
double qps_at(const Curve& curve, double recall);

/// The curve of a result for k; null where there is none or it is empty.
const Curve* curve_for(const Result& result, std::size_t k);

/// The result of contender `name`; null where it took no part.
const Result* find(std::span<const Result> results, const std::string& name);

}  // namespace ann
