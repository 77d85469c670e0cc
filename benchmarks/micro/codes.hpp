// benchmarks/micro/codes.hpp — the kernels over codes, measured as those over vectors are.
#pragma once

#include "rates.hpp"

#include <string_view>

namespace micro {

/// The names that --element takes for them.
inline constexpr std::string_view code_names[] = {"sq8", "sq4", "packed1", "packed4", "scan4"};

void measure_codes(const Bench& bench);

}  // namespace micro
