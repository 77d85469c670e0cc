// benchmarks/ann/plot.hpp — the curves of one set as a picture.
#pragma once

#include "measure.hpp"

#include <iosfwd>
#include <span>

namespace ann {

/// SVG, a panel for each k: queries a second against recall, both logarithmic, the recall towards 1. A line a
/// contender, labelled at its end. Readable on light and dark pages.
void write_plot(std::ostream& out, std::span<const Result> results, const Plan& plan);

}  // namespace ann
