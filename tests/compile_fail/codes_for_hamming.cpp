// tests/compile_fail/codes_for_hamming.cpp — codes of numbers have no Hamming distance.
#include "kith/distance.hpp"
#include "kith/quantize.hpp"

#ifdef KITH_BAD
using Codec = kith::Sq8::Codec<kith::Hamming>;
#else
using Codec = kith::Sq8::Codec<kith::InnerProduct>;
#endif

static_assert(sizeof(Codec) > 0);
