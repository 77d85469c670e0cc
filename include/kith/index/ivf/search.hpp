// kith/index/ivf/search.hpp — asking the lists nearest to a query.
//
// Lists are put in order of their centroids, as many as are wanted, and read one after the other. How a list is read is
// the codes' own (Codes::Scan): it reads vectors, and says in the end which were nearest.
//
// Thread safety: reads only; any number at a time, beside a writer.
#pragma once

#include "kith/core/bitset_view.hpp"
#include "kith/core/neighbor.hpp"
#include "kith/core/scratch_memory.hpp"
#include "kith/core/slot.hpp"
#include "kith/core/top_k.hpp"
#include "kith/index/candidate.hpp"
#include "kith/index/ivf/blocks.hpp"
#include "kith/index/ivf/coarse.hpp"
#include "kith/index/ivf/model.hpp"
#include "kith/index/search_counts.hpp"
#include "kith/index/search_params.hpp"
#include "kith/index/search_scratch.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace kith::inline v0::detail {

template <class R>
using IvfScorer = decltype(std::declval<const R&>().scorer(nullptr, std::declval<ScratchMemory&>()));

/// What one search wants to know, and where it works.
template <class R>
struct IvfQuestion {
    const R& rows;
    const float* query;
    const SearchParams& params;
    Slot listed;         // slots in the lists when this search began; more may come beside it
    BitsetView allowed;  // the slots that may be returned, all of them below `listed`
    std::size_t limit;   // neighbours wanted, positive
    SearchScratch& scratch;

    [[nodiscard]] IvfScorer<R> scorer() const { return rows.scorer(query, scratch.query); }

    /// True when every slot in the lists may be returned, or came beside this search.
    [[nodiscard]] bool all() const noexcept { return params.allowed.all() && allowed.count() == listed; }
};

/// Memory for several arrays, each aligned to a cache line, carved from one piece. Shape: bytes[i] for array i.
template <std::size_t count>
std::array<std::byte*, count> carve(ScratchMemory& memory, const std::array<std::size_t, count>& bytes) {
    std::array<std::size_t, count> at{};
    std::size_t end = 0;
    for (std::size_t i = 0; i < count; ++i) {
        at[i] = end;
        end += (bytes[i] + ScratchMemory::alignment - 1) / ScratchMemory::alignment * ScratchMemory::alignment;
    }
    std::byte* const from = memory.take(end);
    std::array<std::byte*, count> arrays{};
    for (std::size_t i = 0; i < count; ++i) arrays[i] = from + at[i];
    return arrays;
}

/// A query against the lists of one model, in memory of scratch.lists.
template <class R>
class IvfQuery {
    static constexpr bool product = is_product_rows<R>;

public:
    static constexpr std::size_t blocks_at_once = 16;
    static constexpr std::size_t vectors_at_once = blocks_at_once * IvfBlocks::vectors;

    /// Requires: `graph`, unless null, is over the centroids.
    IvfQuery(const Centroids& centroids, const CentroidGraph<product>* graph, const float* query,
             SearchScratch& scratch)
        : centroids_(centroids), graph_(graph), search_(scratch) {
        const std::size_t dim = centroids.dim();
        const auto arrays = carve<3>(scratch.lists, {dim * sizeof(float), centroids.padded() * sizeof(float),
                                                     centroids.size() * sizeof(Candidate)});
        query_ = reinterpret_cast<float*>(arrays[0]);
        products_ = reinterpret_cast<float*>(arrays[1]);
        lists_ = reinterpret_cast<Candidate*>(arrays[2]);
        float scale = 1;
        if constexpr (is_cosine_rows<R>) scale = inverse_norm(query, dim);
        for (std::size_t d = 0; d < dim; ++d) {
            query_[d] = query[d] * scale;
            square_ += query_[d] * query_[d];
        }
        if (graph_ == nullptr) compare_lists();
    }

    /// Puts the next nearest lists in order, up to `count` of all; returns how many are. A graph is asked once.
    /// Throws: std::bad_alloc while a graph's scratch grows.
    std::size_t sort_lists(std::size_t sorted, std::size_t count) {
        count = std::min(count, centroids_.size());
        if (count <= sorted) return sorted;
        if (graph_ != nullptr) return sorted == 0 ? ask_graph(count) : sorted;
        std::size_t among = centroids_.size();
        if (sorted == 0 && among >= 512 && count * 4 <= among) among = near_lists(count);
        if (count < among) std::nth_element(lists_ + sorted, lists_ + count - 1, lists_ + among);
        std::sort(lists_ + sorted, lists_ + count);
        return count;
    }

    /// The query as lists see it: dim() elements.
    [[nodiscard]] const float* vector() const noexcept { return query_; }

    /// The number of the list that is `at` in order, and what it was ordered by.
    [[nodiscard]] std::uint32_t list(std::size_t at) const noexcept { return lists_[at].slot(); }
    [[nodiscard]] float distance(std::size_t at) const noexcept { return lists_[at].distance(); }

    /// ‖q − c‖² as far as floats know it.
    struct Square {
        float value;
        float rounding;  // how far off that may be at most
    };

    [[nodiscard]] Square square(std::size_t at) const noexcept {
        const float centroid = 2 * centroids_.half_norm(list(at));
        const float rounding = (centroid + square_) * 0x1p-20F;
        if constexpr (product) return {centroid + 2 * distance(at) + square_, rounding};
        return {graph_ != nullptr ? distance(at) : distance(at) + square_, rounding};
    }

    /// Calls act(run) for the vectors of the list that is `at` in order, a few blocks at once, until it gives false.
    template <class Act>
    void each_run(const IvfBlocks& blocks, std::size_t at, const Act& act) const {
        std::size_t left = blocks.count(list(at));
        if (left == 0) return;
        std::uint32_t block = blocks.head(list(at));
        while (left > 0) {
            const IvfBlocks::Run run = blocks.run(block, left, blocks_at_once);
            if (!act(run)) return;
            left -= run.count;
        }
    }

private:
    void compare_lists() noexcept {
        centroids_.products(query_, products_);
        for (std::size_t list = 0; list < centroids_.size(); ++list) {
            lists_[list] = Candidate(list_distance(list), static_cast<Slot>(list));
        }
    }

    std::size_t ask_graph(std::size_t count) {
        search_.coarse.resize(count);
        const SearchCounts before = search_.counts;  // which is about vectors, and centroids are none
        const std::size_t found = graph_->nearest(query_, count, search_, search_.coarse.data());
        search_.counts = before;
        for (std::size_t at = 0; at < found; ++at) {
            lists_[at] = Candidate(search_.coarse[at].distance, search_.coarse[at].slot);
        }
        return found;
    }

    /// Brings at least the `count` nearest lists to the front, and not many more; returns how many. A part of them is
    /// sorted to guess how near is near, which takes half the time of a selection among all.
    std::size_t near_lists(std::size_t count) noexcept {
        constexpr std::size_t step = 8;
        std::array<Candidate, 256> part;
        const std::size_t among = centroids_.size();
        const std::size_t stride = std::max(step, (among + part.size() - 1) / part.size());
        std::size_t size = 0;
        for (std::size_t list = 0; list < among; list += stride) part[size++] = lists_[list];
        const std::size_t at = std::min(size - 1, count / stride + count / stride / 4 + 4);
        const auto guess = part.begin() + static_cast<std::ptrdiff_t>(at);
        std::nth_element(part.begin(), guess, part.begin() + static_cast<std::ptrdiff_t>(size));
        const Candidate bound = *guess;
        const auto near = static_cast<std::size_t>(
            std::partition(lists_, lists_ + among, [bound](Candidate list) { return list < bound; }) - lists_);
        return near >= count ? near : among;
    }

    [[nodiscard]] float list_distance(std::size_t list) const noexcept {
        return product ? -products_[list] : 2 * (centroids_.half_norm(list) - products_[list]);
    }

    const Centroids& centroids_;
    const CentroidGraph<product>* graph_;  // null where all centroids are compared
    SearchScratch& search_;                // what the graph works in
    float* query_ = nullptr;               // as prepare_row writes vectors
    float* products_ = nullptr;            // with every centroid
    Candidate* lists_ = nullptr;  // every list with its distance; the first ones that were asked for are sorted
    float square_ = 0;            // ‖query‖²
};

/// One search: reads the lists that are nearest, until `nprobe` were read and there are as many vectors as are wanted,
/// or no more lists. With a graph, it may end with fewer. Throws: std::bad_alloc while the scratch grows.
template <class Codes, class R>
std::size_t search_lists(const IvfModel<Codes>& model, const IvfBlocks& blocks,
                         const CentroidGraph<is_product_rows<R>>* graph, std::size_t nprobe,
                         const IvfQuestion<R>& asked, Neighbor* out) {
    TopK best(std::span(out, asked.limit));
    IvfQuery<R> lists(model.centroids, graph, asked.query, asked.scratch);
    std::size_t read = 0, sorted = lists.sort_lists(0, nprobe);
    typename Codes::template Scan<R> scan(model.codes, lists, asked, best);
    while (read < sorted) {
        for (; read < sorted; ++read) scan.read(blocks, read);
        if (scan.found() < asked.limit) sorted = lists.sort_lists(sorted, 2 * sorted);
    }
    scan.finish(blocks);
    asked.scratch.counts.lists += read;
    return best.sorted().size();
}

}  // namespace kith::inline v0::detail
