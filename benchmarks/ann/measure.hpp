// benchmarks/ann/measure.hpp — building and searching all contenders in turns, and what came out.
#pragma once

#include "contender.hpp"
#include "dataset.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace ann {

/// One contender at one setting.
struct Point {
    Setting setting;
    double recall = 0;  // share of results no farther than the true k-th
    double qps = 0;     // queries a second of thread CPU time, median of the rounds
    double p50_us = 0;  // wall clock, median of the rounds' medians
};

struct Curve {
    std::size_t k = 0;
    std::vector<Point> points;  // in the order of the sweep; what another point clearly beats is left out
};

/// What was not asked for is 0.
struct Result {
    std::string set;
    std::string contender;
    std::size_t rows = 0;
    std::size_t dim = 0;
    double build_s = 0;         // CPU time, one thread, sealing included
    double build_wall_s = 0;    // the same by the wall clock
    double build_many_s = 0;    // wall clock, Plan::build_threads
    Bytes bytes;                // a vector
    double peak_bytes = 0;      // a vector: the most memory building took, alone in a process
    double search_many = 0;     // queries a second with Plan::search_threads, as a multiple of one thread's
    std::vector<Curve> curves;  // one for each of Plan::ks
};

/// What is measured, and how.
struct Plan {
    std::vector<std::size_t> ks = {10};
    std::size_t rounds = 5;
    unsigned build_threads = 1;   // more: every index is built a second time, with so many
    unsigned search_threads = 1;  // more: one setting is searched by so many at once
    bool memory = false;          // build every index once more, alone in a process
    std::size_t lists = 0;        // 0: the power of two above the square root of the rows
    // What the user wants tried in place of the contenders' own sweeps; empty: theirs.
    std::vector<std::uint32_t> ef, nprobe;
    std::vector<float> rescore;
};

/// What a contender is told of a set.
BuildParams build_params(const Dataset& set, const Plan& plan);

/// Builds and searches, the contenders taking turns in slices and rounds, so that what else the machine does meets all
/// alike. Thread safety: runs on the calling thread, and on as many more as the plan says.
std::vector<Result> measure(const Dataset& set, const std::vector<Variant>& variants, const Plan& plan);

/// What a searcher finds for every query of the set at the setting in use: k numbers a query, or `missing`.
std::vector<std::uint32_t> answers_of(const Dataset& set, Searcher& searcher, std::size_t k);

/// The share of such answers that are no farther than the true k-th nearest, each row counted once a query.
/// Throws: std::runtime_error when an answer is no row.
double recall_of(const Dataset& set, const std::vector<std::uint32_t>& answers, std::size_t k);

}  // namespace ann
