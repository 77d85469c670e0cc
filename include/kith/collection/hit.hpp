// kith/collection/hit.hpp — one answer of a search.
#pragma once

namespace kith::inline v0 {

template <class Record>
struct Hit {
    Record record;
    float score = 0;     ///< in the metric's own convention: L2 the squared distance, the others a similarity
    float distance = 0;  ///< smaller is nearer; L2 squared, Cosine 1 − cos, InnerProduct −⟨a, b⟩, Hamming bits, Jaccard
                         ///< 1 − the share of bits both have; hits are in this order
};

}  // namespace kith::inline v0
