// kith/index/ivf/search.hpp — asking the lists nearest to a query.
//
// Lists are read nearest first. Estimates of all lists are brought to one scale of whole numbers, the unit of the
// rounded tables: a list begins at a base, and a vector adds its total. So the threshold that the first lists set rules
// out most of the others' vectors inside the registers, and a list whose base is past it ends the scan. The best are
// compared again by their own vectors, nearest estimate first.
//
// Thread safety: reads only; any number at a time, beside a writer.
#pragma once

#include "kith/core/bitset_view.hpp"
#include "kith/core/neighbor.hpp"
#include "kith/core/scratch_memory.hpp"
#include "kith/core/slot.hpp"
#include "kith/core/top_k.hpp"
#include "kith/distance/fast_scan.hpp"
#include "kith/index/candidate.hpp"
#include "kith/index/ivf/blocks.hpp"
#include "kith/index/ivf/coarse.hpp"
#include "kith/index/ivf/model.hpp"
#include "kith/index/ivf_candidates.hpp"
#include "kith/index/search_scratch.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace kith::inline v0::detail {

/// Memory of one search, carved from one piece.
struct IvfScratch {
    float* query = nullptr;           // as prepare_row writes vectors, less the mean under L2; zeros up to whole pieces
    float* products = nullptr;        // with every centroid
    Candidate* lists = nullptr;       // every list with its distance; the first ones that were asked for are sorted
    float* tables = nullptr;          // 16 a piece
    float* lows = nullptr;            // one a piece
    std::uint8_t* rounded = nullptr;  // the tables of the scan
    std::uint32_t* positions = nullptr;
    std::uint16_t* totals = nullptr;

    static constexpr std::size_t blocks_at_once = 16;

    static IvfScratch carve(const IvfModel& model, ScratchMemory& memory) {
        const std::size_t padded = std::max(model.dim(), model.codebooks.dim());
        const std::size_t pieces = model.codebooks.subvectors();
        const std::size_t scanned = blocks_at_once * IvfBlocks::vectors;
        std::array<std::size_t, 9> at{};
        const std::array<std::size_t, 8> bytes = {padded * sizeof(float),
                                                  model.centroids.padded() * sizeof(float),
                                                  model.lists() * sizeof(Candidate),
                                                  pieces * FastScanLayout::words * sizeof(float),
                                                  pieces * sizeof(float),
                                                  FastScanLayout::table_bytes(model.pairs()),
                                                  scanned * sizeof(std::uint32_t),
                                                  scanned * sizeof(std::uint16_t)};
        for (std::size_t i = 0; i < bytes.size(); ++i) at[i + 1] = at[i] + (bytes[i] + 63) / 64 * 64;
        std::byte* const from = memory.take(at.back());
        IvfScratch made;
        made.query = reinterpret_cast<float*>(from + at[0]);
        made.products = reinterpret_cast<float*>(from + at[1]);
        made.lists = reinterpret_cast<Candidate*>(from + at[2]);
        made.tables = reinterpret_cast<float*>(from + at[3]);
        made.lows = reinterpret_cast<float*>(from + at[4]);
        made.rounded = reinterpret_cast<std::uint8_t*>(from + at[5]);
        made.positions = reinterpret_cast<std::uint32_t*>(from + at[6]);
        made.totals = reinterpret_cast<std::uint16_t*>(from + at[7]);
        return made;
    }
};

/// A query against the lists of one model.
template <class R>
class IvfQuery {
    static constexpr bool product = is_product_rows<R>;

public:
    /// Requires: `graph`, unless null, is over the centroids of `model`.
    IvfQuery(const IvfModel& model, const CentroidGraph<product>* graph, const float* query, SearchScratch& scratch)
        : model_(model), graph_(graph), search_(scratch), scratch_(IvfScratch::carve(model, scratch.lists)) {
        const std::size_t dim = model.dim();
        float scale = 1;
        if constexpr (is_cosine_rows<R>) scale = inverse_norm(query, dim);
        for (std::size_t d = 0; d < dim; ++d) scratch_.query[d] = query[d] * scale;
        for (std::size_t d = dim; d < model.codebooks.dim(); ++d) scratch_.query[d] = 0;
        if (graph_ == nullptr) compare_lists();
    }

    /// Puts the next nearest lists in order, up to `count` of all; returns how many are. A graph is asked once.
    /// Throws: std::bad_alloc while a graph's scratch grows.
    std::size_t sort_lists(std::size_t sorted, std::size_t count) {
        Candidate* const lists = scratch_.lists;
        count = std::min(count, model_.lists());
        if (count <= sorted) return sorted;
        if (graph_ != nullptr) return sorted == 0 ? ask_graph(count) : sorted;
        std::size_t among = model_.lists();
        if (sorted == 0 && among >= 512 && count * 4 <= among) among = near_lists(count);
        if (count < among) std::nth_element(lists + sorted, lists + count - 1, lists + among);
        std::sort(lists + sorted, lists + count);
        return count;
    }

    [[nodiscard]] const IvfScratch& scratch() const noexcept { return scratch_; }

    /// Makes the tables and the unit in which estimates are counted.
    void prepare_tables() noexcept {
        if constexpr (!product) {
            for (std::size_t d = 0; d < model_.dim(); ++d) scratch_.query[d] -= model_.mean[d];
        }
        const std::size_t pieces = model_.codebooks.subvectors();
        const float factor = product ? -1.0F : -2.0F;
        for (std::size_t d = 0; d < model_.codebooks.dim(); ++d) scratch_.query[d] *= factor;
        model_.codebooks.products(scratch_.query, scratch_.tables);
        float widest = 0, sum = 0;
        kernels_.ranges(scratch_.tables, pieces, scratch_.lows, &widest, &sum);
        // Totals stay below 65536: half of that for what comes from the tables, with what rounding adds, half for the
        // offsets.
        const float room = static_cast<float>(IvfOffsets::most) - static_cast<float>(pieces);
        float unit = std::max(widest / static_cast<float>(FastScanLayout::most), sum / room);
        const float step = model_.offsets.step;
        shift_ = 0;
        if (step > 0) {
            // Offsets are only shifted, so the unit is theirs times a power of two.
            float offset_unit = step;
            for (; offset_unit < unit && shift_ < 15; ++shift_) offset_unit *= 2;
            unit = std::max(offset_unit, unit);
        }
        reach_ = IvfOffsets::most >> shift_;
        unit_ = 1;
        if (unit > 0 && std::isfinite(unit) && std::isfinite(1 / unit)) {
            unit_ = unit;
            kernels_.round(scratch_.tables, pieces, scratch_.lows, 1 / unit, scratch_.rounded);
            reach_ += static_cast<std::uint32_t>(sum / unit);
        } else {  // elements near the largest float, or all zero: no table tells one word from another
            std::memset(scratch_.rounded, 0, FastScanLayout::table_bytes(model_.pairs()));
        }
    }

    /// Most totals lie below this.
    [[nodiscard]] std::uint32_t reach() const noexcept { return reach_; }

    /// Where estimates of the list that is number `at` in order begin.
    [[nodiscard]] std::uint32_t base(std::size_t at) const noexcept {
        constexpr float largest = 1e9F;
        const float steps = (scratch_.lists[at].distance() - scratch_.lists[0].distance()) / unit_;
        return steps > 0 ? static_cast<std::uint32_t>(std::min(steps, largest)) : 0;
    }

    /// Offers the places of the vectors of the list that is number `at` in order, of those allowed when `allowed` is
    /// not null. Throws: std::bad_alloc while `best` grows.
    void scan(const IvfBlocks& blocks, std::size_t at, const BitsetView* allowed, IvfCandidates& best) {
        const std::uint32_t list = scratch_.lists[at].slot(), base = this->base(at);
        std::size_t left = blocks.count(list);
        if (left == 0) return;
        std::uint32_t block = blocks.head(list);
        const FastScanQuery query{scratch_.rounded, model_.pairs(), shift_};
        while (left > 0) {
            if (best.threshold() < base) return;
            const std::uint32_t limit = std::min<std::uint32_t>(best.threshold() - base, 65535);
            const IvfBlocks::Run run = blocks.run(block, left, IvfScratch::blocks_at_once);
            const std::size_t found =
                kernels_.scan(query, blocks.record(run.first), run.count, static_cast<std::uint16_t>(limit),
                              scratch_.positions, scratch_.totals);
            const std::uint32_t first = run.first * static_cast<std::uint32_t>(IvfBlocks::vectors);
            for (std::size_t i = 0; i < found; ++i) {
                const std::uint32_t place = first + scratch_.positions[i];
                if (allowed != nullptr && !allowed->allows(*blocks.slot_at(place))) continue;
                best.add(base + scratch_.totals[i], place);
            }
            left -= run.count;
        }
    }

    /// Calls act(slot) for the allowed vectors of the list that is number `at` in order.
    template <class Act>
    void each(const IvfBlocks& blocks, std::size_t at, BitsetView allowed, const Act& act) const noexcept {
        const std::uint32_t list = scratch_.lists[at].slot();
        std::size_t left = blocks.count(list);
        if (left == 0) return;
        std::uint32_t block = blocks.head(list);
        while (left > 0) {
            const IvfBlocks::Run run = blocks.run(block, left, IvfScratch::blocks_at_once);
            const Slot* const slots = blocks.slots(run.first);
            for (std::size_t i = 0; i < run.count; ++i) {
                if (allowed.allows(slots[i])) act(slots[i]);
            }
            left -= run.count;
        }
    }

private:
    void compare_lists() noexcept {
        model_.centroids.products(scratch_.query, scratch_.products);
        for (std::size_t list = 0; list < model_.lists(); ++list) {
            scratch_.lists[list] = Candidate(list_distance(list), static_cast<Slot>(list));
        }
    }

    std::size_t ask_graph(std::size_t count) {
        search_.coarse.resize(count);
        const std::size_t found = graph_->nearest(scratch_.query, count, search_, search_.coarse.data());
        for (std::size_t at = 0; at < found; ++at) {
            scratch_.lists[at] = Candidate(search_.coarse[at].distance, search_.coarse[at].slot);
        }
        return found;
    }

    /// Brings at least the `count` nearest lists to the front, and not many more; returns how many. A part of them is
    /// sorted to guess how near is near, which takes half the time of a selection among all.
    std::size_t near_lists(std::size_t count) noexcept {
        constexpr std::size_t step = 8;
        std::array<Candidate, 256> part;
        const std::size_t stride = std::max(step, (model_.lists() + part.size() - 1) / part.size());
        std::size_t size = 0;
        for (std::size_t list = 0; list < model_.lists(); list += stride) part[size++] = scratch_.lists[list];
        const std::size_t at = std::min(size - 1, count / stride + count / stride / 4 + 4);
        const auto guess = part.begin() + static_cast<std::ptrdiff_t>(at);
        std::nth_element(part.begin(), guess, part.begin() + static_cast<std::ptrdiff_t>(size));
        const Candidate bound = *guess;
        Candidate* const end = scratch_.lists + model_.lists();
        const auto near = static_cast<std::size_t>(
            std::partition(scratch_.lists, end, [bound](Candidate list) { return list < bound; }) - scratch_.lists);
        return near >= count ? near : model_.lists();
    }

    [[nodiscard]] float list_distance(std::size_t list) const noexcept {
        return product ? -scratch_.products[list] : 2 * (model_.centroids.half_norm(list) - scratch_.products[list]);
    }

    const IvfModel& model_;
    const CentroidGraph<product>* graph_;  // null where all centroids are compared
    SearchScratch& search_;                // what the graph works in
    IvfScratch scratch_;
    FastScanKernels kernels_ = model_.scan;
    float unit_ = 1;      // of estimates, on the scale of the distance
    unsigned shift_ = 0;  // of the offsets
    std::uint32_t reach_ = 0;
};

}  // namespace kith::inline v0::detail
