// benchmarks/flat/bandwidth.cpp — an array, and the clock around a pass over it.
#include "bandwidth.hpp"

#include "../ann/clock.hpp"

namespace flat {

Bandwidth::Bandwidth(std::size_t bytes) : memory_(bytes), words_(bytes / sizeof(unsigned long long)) {
    auto* const words = reinterpret_cast<unsigned long long*>(memory_.data());
    for (std::size_t i = 0; i < words_; ++i) words[i] = i;  // or every page were the same page of zeros
}

double Bandwidth::measure() {
    const double begin = ann::thread_seconds();
    seen_ = combine(reinterpret_cast<const unsigned long long*>(memory_.data()), words_);
    return static_cast<double>(words_ * sizeof(unsigned long long)) / 1e9 / (ann::thread_seconds() - begin);
}

}  // namespace flat
