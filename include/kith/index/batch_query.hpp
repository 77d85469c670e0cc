// kith/index/batch_query.hpp — one query of a batch, and how rows come to it: a block at a time, near when it is met.
//
// Thread safety: none; a batch belongs to one thread.
#pragma once

#include "kith/core/slot.hpp"
#include "kith/core/top_k.hpp"
#include "kith/distance/scorer.hpp"

#include <cstddef>
#include <span>

namespace kith::inline v0::detail {

/// Rows that are met at once: whole tiles of every kernel, and near with the products beside them.
inline constexpr std::size_t batch_rows = 96;

/// What was asked, and what was found so far.
template <Scorer S>
struct BatchQuery {
    S scorer;
    TopK best;
    float length = 0;  // ‖query‖ where products are made; infinite where they may rule out nothing
};

/// True when the slots, which rise, have none between them.
inline bool in_a_row(const Slot* slots, std::size_t count) noexcept {
    return slots[count - 1] - slots[0] == count - 1;
}

/// Meets rows with queries by scoring every pair: what any Rows can do.
template <Scorer S>
class PairBatch {
public:
    explicit PairBatch(std::span<BatchQuery<S>> queries) noexcept : queries_(queries) {}

    /// Offers `count` rows, at most batch_rows, to each query. Shape: `slots` rises.
    void meet(const Slot* slots, std::size_t count) noexcept {
        float distances[batch_rows];
        for (BatchQuery<S>& query : queries_) {
            if (in_a_row(slots, count)) {
                query.scorer.score_block(slots[0], count, distances);
            } else {
                query.scorer.score(slots, count, distances);
            }
            for (std::size_t i = 0; i < count; ++i) {
                if (!(distances[i] > query.best.worst_distance())) query.best.offer({distances[i], slots[i]});
            }
        }
    }

private:
    std::span<BatchQuery<S>> queries_;
};

}  // namespace kith::inline v0::detail
