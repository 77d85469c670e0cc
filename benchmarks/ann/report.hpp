// benchmarks/ann/report.hpp — results as tables to read and as rows to compute with.
#pragma once

#include "measure.hpp"

#include <iosfwd>
#include <span>
#include <string>

namespace ann {

/// The processor, how many cores, and the compiler of this program, in a line.
std::string machine();

/// A line a point, under a line of names; what was not measured is empty. docs/benchmarks.md says what each means.
void write_csv(std::ostream& out, std::span<const Result> results);

/// For one set: a Markdown table a k, each contender at recall .90, .95 and .99, and one of what its index costs; as
/// multiples of contender `peer` where that took part. What no setting found is called not reached.
void write_tables(std::ostream& out, std::span<const Result> results, const Plan& plan, const std::string& peer);

}  // namespace ann
