// benchmarks/ann/report.hpp — results as a table to read, rows to compute with, and a picture.
#pragma once

#include "measure.hpp"

#include <iosfwd>
#include <span>
#include <string>

namespace ann {

/// One line a point: set,contender,ef,recall,qps,p50_us,build_s,bytes_per_vector.
void write_csv(std::ostream& out, std::span<const Result> results);

/// For one set: each contender at recall .90, .95 and .99, its build, and its ratios to the one called `peer`.
void write_summary(std::ostream& out, std::span<const Result> results, const std::string& peer);

/// For one set: queries a second (logarithmic) against recall, a line a contender, as SVG.
void write_plot(std::ostream& out, std::span<const Result> results);

}  // namespace ann
