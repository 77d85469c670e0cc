// tests/compile_fail/rabitq_of_9_bits.cpp — no element of a code is longer than a byte.
#include "kith/distance.hpp"
#include "kith/quantize.hpp"

#ifdef KITH_BAD
using Codec = kith::RaBitQ<9>::Codec<kith::L2>;
#else
using Codec = kith::RaBitQ<8>::Codec<kith::L2>;
#endif

static_assert(sizeof(Codec) > 0);
