// tests/compile_fail/subvectors_do_not_divide.cpp — sub-vectors that do not divide the vectors of a field.
#include "kith/kith.hpp"

struct Record {
    std::int64_t id = 0;
    std::array<float, 12> embedding{};
};

#ifdef KITH_BAD
constexpr unsigned subvectors = 5;
#else
constexpr unsigned subvectors = 6;
#endif

using Index = kith::Hnsw<kith::HnswParams{}, kith::Pq<kith::PqParams{.subvectors = subvectors}>>;
using Records =
    kith::Schema<Record, kith::Key<&Record::id>, kith::VectorField<&Record::embedding, kith::Cosine, Index>>;

static_assert(sizeof(Records) > 0);
