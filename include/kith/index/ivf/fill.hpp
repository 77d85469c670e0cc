// kith/index/ivf/fill.hpp — putting rows into lists.
//
// Every row's list is found first, in tiles and on all threads; then each list makes room for its own at once and is
// filled by one thread, in the order of slots. So the lists are the same for any number of threads.
//
// Thread safety: one call at a time, beside any number of searches.
#pragma once

#include "kith/core/parallel.hpp"
#include "kith/core/scratch_memory.hpp"
#include "kith/core/slot.hpp"
#include "kith/index/ivf/blocks.hpp"
#include "kith/index/ivf/model.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <vector>

namespace kith::inline v0::detail {

/// The list of each row from `first` to `count`; adds their squared distances from its centroid to `error`.
template <class Codes, class R>
std::vector<std::uint32_t> lists_of(const IvfModel<Codes>& model, const R& rows, Slot first, Slot count,
                                    unsigned threads, double& error) {
    constexpr std::size_t piece_rows = 480;
    const std::size_t dim = model.dim(), added = count - first;
    std::vector<std::uint32_t> nearest(added);
    std::vector<float> distances(added);
    std::vector<ScratchMemory> products(std::max(1U, threads)), prepared(std::max(1U, threads));
    share_work(threads, (added + piece_rows - 1) / piece_rows, [&](std::size_t piece, unsigned thread) {
        const std::size_t begin = piece * piece_rows, size = std::min(piece_rows, added - begin);
        float* const vectors = prepared[thread].take_array<float>(piece_rows * dim);
        for (std::size_t i = 0; i < size; ++i) {
            prepare_row(rows, first + static_cast<Slot>(begin + i), vectors + i * dim);
        }
        model.centroids.nearest({vectors, size, dim, dim}, &nearest[begin], &distances[begin], products[thread]);
    });
    for (const float distance : distances) error += static_cast<double>(distance);
    return nearest;
}

/// Adds the rows from `first` to `count` to their lists. Throws: std::bad_alloc before anything is changed.
template <class Codes, class R>
void fill_lists(const IvfModel<Codes>& model, IvfBlocks& blocks, const R& rows, Slot first,
                const std::vector<std::uint32_t>& list_of, unsigned threads) {
    std::vector<std::size_t> ends(model.lists() + 1);
    for (const std::uint32_t list : list_of) ++ends[list + 1];
    std::partial_sum(ends.begin(), ends.end(), ends.begin());
    std::vector<Slot> order(list_of.size());
    std::vector<std::size_t> next(ends.begin(), ends.end() - 1);
    for (std::size_t i = 0; i < list_of.size(); ++i) order[next[list_of[i]]++] = first + static_cast<Slot>(i);
    std::vector<typename Codes::Encoder> encoders(std::max(1U, threads),
                                                  typename Codes::Encoder(model.codes, model.centroids, form_of<R>));
    std::vector<IvfBlocks::End> to(model.lists());

    for (std::size_t list = 0; list < model.lists(); ++list) {
        if (ends[list + 1] > ends[list]) to[list] = blocks.extend(list, ends[list + 1] - ends[list]);
    }
    share_work(threads, model.lists(), [&](std::size_t list, unsigned thread) {
        if (ends[list + 1] == ends[list]) return;
        IvfBlocks::End end = to[list];
        for (std::size_t i = ends[list]; i < ends[list + 1]; ++i) {
            if (i > ends[list]) blocks.advance(end);
            const std::size_t within = end.at % IvfBlocks::vectors;
            blocks.writable_slots(end.block)[within] = order[i];
            if constexpr (Codes::coded) {
                prepare_row(rows, order[i], encoders[thread].vector());
                encoders[thread].put(list, blocks.writable_record(end.block), within);
            }
        }
        blocks.publish(list, end.at + 1);
    });
}

}  // namespace kith::inline v0::detail
