// benchmarks/ann/clock.hpp — the clocks, and the median of what they said.
#pragma once

#include <time.h>

#include <algorithm>
#include <cstddef>
#include <vector>

namespace ann {

inline double seconds_of(clockid_t clock) {
    timespec now{};
    clock_gettime(clock, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

/// CPU time of this thread. It leaves out the time others had the core, though not what they did to the caches.
inline double thread_seconds() {
    return seconds_of(CLOCK_THREAD_CPUTIME_ID);
}

inline double wall_seconds() {
    return seconds_of(CLOCK_MONOTONIC);
}

/// Requires: there is a value.
inline double median(std::vector<double> values) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

}  // namespace ann
