// tests/compile_fail/codes_of_bits.cpp — packed bits are not quantized any further.
#include "kith/distance.hpp"
#include "kith/index.hpp"

#ifdef KITH_BAD
using Index = kith::Hnsw<kith::HnswParams{}, kith::Sq8>;
#else
using Index = kith::Hnsw<>;
#endif

static_assert(sizeof(Index::Index<kith::RawRows<kith::Bits8, kith::Hamming>>) > 0);
