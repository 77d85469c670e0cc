// kith/index/ivf/space.hpp — how many bytes an inverted file takes, said before it is trained.
//
// Thread safety: plain functions.
#pragma once

#include "kith/core/slot.hpp"
#include "kith/index/index_space.hpp"
#include "kith/index/ivf/blocks.hpp"
#include "kith/index/ivf/coarse.hpp"
#include "kith/index/ivf/format.hpp"
#include "kith/index/ivf/model.hpp"
#include "kith/index/ivf/params.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace kith::inline v0::detail {

/// `lists` lists of `count` vectors. Their last blocks are half empty.
template <IvfCodes Codes, class Graph>
IndexSpace trained_ivf_space(const IvfParams& params, std::size_t dim, std::size_t lists, std::size_t count) {
    IvfHeader header;
    header.dim = static_cast<std::uint32_t>(dim);
    header.lists = static_cast<std::uint32_t>(lists);
    header.subvectors = static_cast<std::uint32_t>(Codes::pieces_for(params, dim));
    header.blocks = static_cast<std::uint32_t>(count / IvfBlocks::vectors + lists / 2);
    const IvfParts parts = Codes::parts(header);
    IndexSpace graph;
    if (lists >= params.graph_from) graph = Graph::space(dim, static_cast<Slot>(lists));
    header.graph_bytes = graph.disk_bytes;
    constexpr std::uint64_t copies = 2;  // of centroids and words, as they came and as kernels read them
    const std::uint64_t learned = copies * lists * dim + lists + parts.mean + copies * parts.words;
    return {learned * sizeof(float) + lists * sizeof(IvfBlocks::List) +
                header.blocks * IvfBlocks::block_bytes(parts.record_bytes) + graph.memory_bytes,
            IvfLayout::of(header, parts).end};
}

/// An index of `count` vectors that come a few at a time: lists are made when there are rows for them, and anew when
/// there are rows for twice as many, while the former ones stay in memory.
template <IvfCodes Codes, class Graph>
IndexSpace ivf_space(const IvfParams& params, std::size_t dim, std::size_t count) {
    IndexSpace all{0, ivf_header_bytes};
    for (std::size_t from = params.trains_from(); from <= count;) {
        const std::size_t lists = params.lists_for(from);
        const std::size_t until = params.lists != 0 ? count + 1 : lists * lists;  // lists_for() that many is twice
        const IndexSpace trained = trained_ivf_space<Codes, Graph>(params, dim, lists, std::min(until, count));
        all.memory_bytes += trained.memory_bytes;
        all.disk_bytes = trained.disk_bytes;
        from = until;
    }
    return all;
}

}  // namespace kith::inline v0::detail
