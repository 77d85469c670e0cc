// benchmarks/ann/curve.cpp — sorting points, and reading between them.
#include "curve.hpp"

#include <algorithm>
#include <cmath>

namespace ann {

std::vector<Point> frontier(const Curve& curve) {
    std::vector<Point> points = curve.points;
    std::sort(points.begin(), points.end(),
              [](const Point& a, const Point& b) { return a.qps != b.qps ? a.qps > b.qps : a.recall > b.recall; });
    std::vector<Point> kept;  // fastest first, so a point counts when it finds more than all before it
    for (const Point& point : points) {
        if (kept.empty() || point.recall > kept.back().recall) kept.push_back(point);
    }
    return kept;
}

double qps_at(const Curve& curve, double recall) {
    const std::vector<Point> points = frontier(curve);
    for (std::size_t i = 0; i < points.size(); ++i) {
        const Point& right = points[i];
        if (right.recall < recall) continue;
        if (i == 0) return right.qps;
        const Point& left = points[i - 1];
        const double share = (recall - left.recall) / (right.recall - left.recall);
        return std::exp(std::log(left.qps) + share * (std::log(right.qps) - std::log(left.qps)));
    }
    return 0;
}

const Curve* curve_for(const Result& result, std::size_t k) {
    for (const Curve& curve : result.curves) {
        if (curve.k == k && !curve.points.empty()) return &curve;
    }
    return nullptr;
}

const Result* find(std::span<const Result> results, const std::string& name) {
    for (const Result& result : results) {
        if (result.contender == name) return &result;
    }
    return nullptr;
}

}  // namespace ann
