// tests/distance/wider_build.cpp — built with AVX2 and FMA where the processor family has them; data only, no code
// runs.
#include "distance/wider_build.hpp"

#include "kith/distance/l2.hpp"
#include "kith/distance/portable.hpp"

namespace kith_test {

constinit const kith::Kernels<float> wider_build_kernels =
    kith::detail::portable_kernels<kith::L2, float, kith::detail::ThisBuild>();
constinit const unsigned wider_build_features = kith::detail::build_features();

}  // namespace kith_test
