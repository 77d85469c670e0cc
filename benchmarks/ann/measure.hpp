// benchmarks/ann/measure.hpp — building and searching all contenders in turns, and what came out.
#pragma once

#include "contender.hpp"
#include "dataset.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace ann {

/// One contender at one ef.
struct Point {
    std::uint32_t ef = 0;
    double recall = 0;  // share of results no farther than the true k-th
    double qps = 0;     // queries a second of thread CPU time, median of the rounds
    double p50_us = 0;  // wall clock, median of the rounds' medians
};

struct Result {
    std::string set;
    std::string contender;
    double build_s = 0;  // thread CPU time, one thread
    double bytes_per_vector = 0;
    std::vector<Point> points;  // by rising ef
};

struct Entrant {
    std::string name;
    std::unique_ptr<Contender> contender;
};

struct Rounds {
    std::size_t k = 10;
    std::size_t count = 5;
    std::vector<std::uint32_t> efs;
};

/// Builds and searches, the contenders taking turns in slices and rounds, so that what else the machine does meets all
/// alike. Thread safety: runs on the calling thread.
std::vector<Result> measure(const Dataset& set, std::vector<Entrant>& entrants, const Rounds& rounds);

/// Queries a second at `recall`, interpolated between the points around it on a logarithmic scale; 0 where no point
/// reaches it.
double qps_at(const Result& result, double recall);

}  // namespace ann
