// tests/compile_fail/uniform_of_3_bits.cpp — uniform codes have a byte an element, or half of one.
#include "kith/distance.hpp"
#include "kith/quantize.hpp"

#ifdef KITH_BAD
using Codec = kith::SqUniform<3>::Codec<kith::L2>;
#else
using Codec = kith::SqUniform<4>::Codec<kith::L2>;
#endif

static_assert(sizeof(Codec) > 0);
