// benchmarks/ann/build.hpp — how long does an index take to build, and how much memory?
#pragma once

#include "contender.hpp"
#include "dataset.hpp"

#include <cstddef>
#include <memory>
#include <vector>

namespace ann {

struct BuildTime {
    double cpu_s = 0;  // of the calling thread: all there is when it is the only one
    double wall_s = 0;
};

/// Builds and seals a contender of each variant in turns, slice by slice, and says how long each took.
/// Ensures: `times` has an entry for each.
std::vector<std::unique_ptr<Contender>> build(const Dataset& set, const std::vector<Variant>& variants,
                                              const BuildParams& params, unsigned threads,
                                              std::vector<BuildTime>& times);

/// The most memory that building, sealing and one search took, in bytes, in a process of its own.
/// Requires: this process has one thread. Returns 0 where the system does not tell.
double peak_bytes(const Dataset& set, const Variant& variant, const BuildParams& params);

}  // namespace ann
