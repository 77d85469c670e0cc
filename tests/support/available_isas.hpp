// tests/support/available_isas.hpp — the instruction sets this processor has, the plainest first.
#pragma once

#include "kith/distance/cpu.hpp"

#include <vector>

namespace kith_test {

inline std::vector<kith::Isa> available_isas() {
    std::vector<kith::Isa> sets;
    for (const kith::Isa isa : kith::all_isas) {
        if (kith::supports(isa)) sets.push_back(isa);
    }
    return sets;
}

}  // namespace kith_test
