// tests/distance/wider_build.hpp — portable kernels from a source built for a newer processor than the rest.
//
// Never call them: they are here to be compared, and to be linked in whichever order the linker likes.
#pragma once

#include "kith/distance/kernels.hpp"

namespace kith_test {

extern const kith::Kernels<float> wider_build_kernels;
extern const unsigned wider_build_features;  // as kith::detail::build_features() is there

}  // namespace kith_test
