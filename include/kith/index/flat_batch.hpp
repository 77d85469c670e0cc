// kith/index/flat_batch.hpp — the exact answers to many queries, from one pass over the rows.
//
// One query alone is as fast as the memory brings rows. For a batch a block of rows is brought near once and met by
// every query, pair by pair or, where rows are floats of any width, as a product of two matrices.
//
// Thread safety: reads only; each thread brings its own scratch.
#pragma once

#include "kith/core/bitset_view.hpp"
#include "kith/core/neighbor.hpp"
#include "kith/core/slot.hpp"
#include "kith/core/top_k.hpp"
#include "kith/distance/cpu.hpp"
#include "kith/distance/scorer.hpp"
#include "kith/index/batch_query.hpp"
#include "kith/index/product_batch.hpp"
#include "kith/index/search_scratch.hpp"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <new>
#include <span>
#include <type_traits>

namespace kith::inline v0 {

namespace detail {

/// Queries that meet the rows together; more bring no more, and less of them is near.
inline constexpr std::size_t widest_batch = 256;

/// The next allowed slots from `begin` on, which is moved behind them; returns how many.
/// Shape: `slots` has room for batch_rows.
inline std::size_t next_slots(BitsetView allowed, std::size_t& begin, Slot* slots) noexcept {
    std::size_t count = 0;
    for (; begin < allowed.count() && count < batch_rows; begin += 64 - begin % 64) {  // past the last Slot too
        const auto word = static_cast<Slot>(begin / 64);
        std::uint64_t bits = allowed.allowed_word(word) & (~std::uint64_t{0} << (begin % 64));
        for (; bits != 0; bits &= bits - 1) {
            const Slot slot = word * 64 + static_cast<Slot>(std::countr_zero(bits));
            if (count == batch_rows) {
                begin = slot;
                return count;
            }
            slots[count++] = slot;
        }
    }
    return count;
}

/// For each of `count` queries the nearest `limit` of the allowed slots, nearest first, equal distances by slot: to the
/// last bit what scan() finds for each alone. found[i] is how many there are for query i.
/// Shape: `queries` holds count · rows.dim() floats; the answers to query i begin at out + i · limit, which has room
///        for count · limit.
/// Throws: std::bad_alloc while `scratch` still grows.
template <Rows R>
void search_batch(const R& rows, const float* queries, std::size_t count, std::size_t limit, BitsetView allowed,
                  SearchScratch& scratch, Neighbor* out, std::size_t* found, Isa isa = best_isa()) {
    using S = decltype(rows.scorer(queries, scratch.query));
    static_assert(std::is_trivially_destructible_v<BatchQuery<S>>);
    const auto meet_all = [&](auto batch) {
        Slot slots[batch_rows];
        for (std::size_t begin = 0; const std::size_t met = next_slots(allowed, begin, slots);) batch.meet(slots, met);
    };
    if (scratch.batch.size() < std::min(count, widest_batch)) scratch.batch.resize(std::min(count, widest_batch));
    for (std::size_t first = 0; first < count; first += widest_batch) {
        const std::size_t size = std::min(widest_batch, count - first);
        const float* const floats = queries + first * rows.dim();
        auto* const memory = reinterpret_cast<BatchQuery<S>*>(scratch.query.take(size * sizeof(BatchQuery<S>)));
        for (std::size_t at = 0; at < size; ++at) {
            ::new (static_cast<void*>(memory + at))
                BatchQuery<S>{rows.scorer(floats + at * rows.dim(), scratch.batch[at]),
                              TopK(std::span(out + (first + at) * limit, limit)), 0};
        }
        const std::span<BatchQuery<S>> asked(std::launder(memory), size);
        if constexpr (ProductRows<R>) {
            if (size >= ProductBatch<R, S>::fewest(isa)) {
                meet_all(ProductBatch<R, S>(rows, floats, asked, scratch.lists, isa));
            } else {
                meet_all(PairBatch<S>(asked));
            }
        } else {
            meet_all(PairBatch<S>(asked));
        }
        for (std::size_t at = 0; at < size; ++at) found[first + at] = asked[at].best.sorted().size();
    }
}

}  // namespace detail

}  // namespace kith::inline v0
