// tests/schema/metrics.hpp — the poorest metrics and index a schema takes, for tests that need no distances.
#pragma once

#include <string>
#include <string_view>

namespace kith_test {

struct Euclid {
    static constexpr std::string_view name = "l2";
};

struct Angle {
    static constexpr std::string_view name = "cosine";
};

struct Graph {
    static constexpr std::string_view name = "graph";
    static std::string parameters() { return "links=16"; }
};

}  // namespace kith_test
