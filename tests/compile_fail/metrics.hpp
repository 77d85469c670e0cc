// tests/compile_fail/metrics.hpp — the poorest metric a schema takes: a name.
#pragma once

#include <string_view>

struct L2 {
    static constexpr std::string_view name = "l2";
};
