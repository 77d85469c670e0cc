// benchmarks/ann/contenders.hpp — everyone this program was built with.
#pragma once

#include "contender.hpp"

#include <span>
#include <string>
#include <vector>

namespace ann {

/// Every variant of every library that was found, peers first.
const std::vector<Variant>& all_variants();

/// Those called `names`, in that order; those of `kinds` where no names are given. The names of libraries this program
/// was built without are left out and said on standard error.
/// Throws: std::invalid_argument for a name nobody has.
std::vector<Variant> choose(std::span<const std::string> names, std::span<const Kind> kinds);

/// What each library is and how it was compiled, a line each.
std::vector<std::string> how_built();

}  // namespace ann
