// tests/compile_fail/pq_of_5_bits.cpp — a word is named by a byte or half of one.
#include "kith/distance.hpp"
#include "kith/quantize.hpp"

#ifdef KITH_BAD
using Codec = kith::Pq<kith::PqParams{.bits = 5}>::Codec<kith::L2>;
#else
using Codec = kith::Pq<kith::PqParams{.bits = 4}>::Codec<kith::L2>;
#endif

static_assert(sizeof(Codec) > 0);
