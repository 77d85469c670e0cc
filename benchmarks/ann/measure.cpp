// benchmarks/ann/measure.cpp — the clocks and the turns.
#include "measure.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>
#include <stdexcept>

namespace ann {
namespace {

/// CPU time of this thread. It leaves out the time others had the core, though not what they did to the caches.
double cpu_seconds() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

double median(std::vector<double> values) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

void build(const Dataset& set, std::vector<Entrant>& entrants, std::vector<Result>& results) {
    constexpr std::size_t slices = 20;
    const std::size_t rows = set.base.rows();
    for (std::size_t slice = 0; slice < slices; ++slice) {
        const std::size_t first = rows * slice / slices;
        const std::size_t count = rows * (slice + 1) / slices - first;
        for (std::size_t i = 0; i < entrants.size(); ++i) {
            const double begin = cpu_seconds();
            entrants[i].contender->add(set.base.row(first), count);
            results[i].build_s += cpu_seconds() - begin;
        }
    }
    for (std::size_t i = 0; i < entrants.size(); ++i) {
        results[i].bytes_per_vector = static_cast<double>(entrants[i].contender->bytes()) / static_cast<double>(rows);
    }
}

double recall_at(const Dataset& set, Contender& contender, std::size_t k, std::uint32_t ef) {
    constexpr double tie = 1e-5;  // rounding must not make a tie a miss
    std::vector<std::uint32_t> found(k);
    std::size_t hits = 0;
    for (std::size_t query = 0; query < set.queries.rows(); ++query) {
        const std::size_t got = contender.search(set.queries.row(query), k, ef, found.data());
        const double reach = set.reach[query] + tie * std::abs(set.reach[query]);
        for (std::size_t i = 0; i < got; ++i) {
            if (found[i] >= set.base.rows()) throw std::runtime_error("a contender returned what was never added");
            if (true_distance(set, set.queries.row(query), set.base.row(found[i])) <= reach) ++hits;
        }
    }
    return static_cast<double>(hits) / static_cast<double>(k * set.queries.rows());
}

struct Pass {
    double qps;
    double p50_us;
};

Pass run(const Dataset& set, Contender& contender, std::size_t k, std::uint32_t ef) {
    using Clock = std::chrono::steady_clock;
    const std::size_t queries = set.queries.rows();
    std::vector<std::uint32_t> found(k);
    std::vector<double> latencies(queries);
    const double begin = cpu_seconds();
    for (std::size_t query = 0; query < queries; ++query) {
        const Clock::time_point asked = Clock::now();
        contender.search(set.queries.row(query), k, ef, found.data());
        latencies[query] = std::chrono::duration<double, std::micro>(Clock::now() - asked).count();
    }
    return {static_cast<double>(queries) / (cpu_seconds() - begin), median(std::move(latencies))};
}

}  // namespace

std::vector<Result> measure(const Dataset& set, std::vector<Entrant>& entrants, const Rounds& rounds) {
    std::vector<Result> results(entrants.size());
    for (std::size_t i = 0; i < entrants.size(); ++i) {
        results[i].set = set.name;
        results[i].contender = entrants[i].name;
    }
    build(set, entrants, results);

    const std::size_t points = rounds.efs.size();
    std::vector<std::vector<Pass>> passes(entrants.size() * points);
    for (std::size_t i = 0; i < entrants.size(); ++i) {
        for (const std::uint32_t ef : rounds.efs) {
            results[i].points.push_back({ef, recall_at(set, *entrants[i].contender, rounds.k, ef), 0, 0});
        }
    }
    for (std::size_t round = 0; round < rounds.count; ++round) {
        for (std::size_t point = 0; point < points; ++point) {
            for (std::size_t turn = 0; turn < entrants.size(); ++turn) {
                const std::size_t i = (turn + round) % entrants.size();
                passes[i * points + point].push_back(run(set, *entrants[i].contender, rounds.k, rounds.efs[point]));
            }
        }
    }
    for (std::size_t i = 0; i < entrants.size(); ++i) {
        for (std::size_t point = 0; point < points; ++point) {
            std::vector<double> qps, p50;
            for (const Pass& pass : passes[i * points + point]) {
                qps.push_back(pass.qps);
                p50.push_back(pass.p50_us);
            }
            results[i].points[point].qps = median(std::move(qps));
            results[i].points[point].p50_us = median(std::move(p50));
        }
    }
    return results;
}

double qps_at(const Result& result, double recall) {
    for (std::size_t i = 0; i < result.points.size(); ++i) {
        const Point& right = result.points[i];
        if (right.recall < recall) continue;
        if (i == 0) return right.qps;
        const Point& left = result.points[i - 1];
        const double share = (recall - left.recall) / (right.recall - left.recall);
        return std::exp(std::log(left.qps) + share * (std::log(right.qps) - std::log(left.qps)));
    }
    return 0;
}

}  // namespace ann
