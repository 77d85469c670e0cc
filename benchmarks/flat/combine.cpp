// benchmarks/flat/combine.cpp — the loop that only reads, alone in its source because that is compiled for this
// machine.
#include <cstddef>

namespace flat {

unsigned long long combine(const unsigned long long* words, std::size_t count) noexcept {
    constexpr std::size_t lanes = 32;  // four registers of 64 bytes: enough loads under way to keep memory busy
    unsigned long long sums[lanes] = {};
    for (std::size_t i = 0; i + lanes <= count; i += lanes) {
        for (std::size_t lane = 0; lane < lanes; ++lane) sums[lane] ^= words[i + lane];
    }
    unsigned long long all = 0;
    for (const unsigned long long sum : sums) all ^= sum;
    return all;
}

}  // namespace flat
