// tests/compile_fail/metric_of_bits.cpp — packed bits have metrics of their own.
#include "kith/distance.hpp"
#include "kith/index.hpp"

#ifdef KITH_BAD
using Metric = kith::L2;
#else
using Metric = kith::Hamming;
#endif

static_assert(sizeof(kith::RawRows<kith::Bits8, Metric>) > 0);
