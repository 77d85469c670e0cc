// kith/index/ivf/pq_scan.hpp — one search of product codes: the best estimates of all lists, compared by their vectors.
//
// Estimates of all lists are brought to one scale of whole numbers, the unit of the rounded tables: a list begins at a
// base, and a vector adds its total. So the threshold that the first lists set rules out most of the others' vectors
// inside the registers, and a list whose base is past it is not read. The best are compared again by their own vectors,
// nearest estimate first.
//
// Thread safety: a scan belongs to one search.
#pragma once

#include "kith/core/residency.hpp"
#include "kith/core/scratch_memory.hpp"
#include "kith/core/slot.hpp"
#include "kith/core/top_k.hpp"
#include "kith/distance/fast_scan.hpp"
#include "kith/index/flat.hpp"
#include "kith/index/ivf/blocks.hpp"
#include "kith/index/ivf/pq_codes.hpp"
#include "kith/index/ivf/search.hpp"
#include "kith/index/ivf_candidates.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace kith::inline v0::detail {

template <class R>
class IvfPqCodes::Scan {
public:
    Scan(const IvfPqCodes& codes, const IvfQuery<R>& lists, const IvfQuestion<R>& asked, TopK& best)
        : codes_(codes), lists_(lists), asked_(asked), best_(best), candidates_(asked.scratch.candidates) {
        const std::size_t pieces = codes.codebooks().subvectors();
        const auto arrays =
            carve<6>(asked.scratch.lists.nested(),
                     {codes.codebooks().dim() * sizeof(float), pieces * FastScanLayout::words * sizeof(float),
                      pieces * sizeof(float), FastScanLayout::table_bytes(codes.pairs()),
                      IvfQuery<R>::vectors_at_once * sizeof(std::uint32_t),
                      IvfQuery<R>::vectors_at_once * sizeof(std::uint16_t)});
        query_ = reinterpret_cast<float*>(arrays[0]);
        tables_ = reinterpret_cast<float*>(arrays[1]);
        lows_ = reinterpret_cast<float*>(arrays[2]);
        rounded_ = reinterpret_cast<std::uint8_t*>(arrays[3]);
        positions_ = reinterpret_cast<std::uint32_t*>(arrays[4]);
        totals_ = reinterpret_cast<std::uint16_t*>(arrays[5]);
        const std::uint32_t reach = make_tables(pieces);
        const float factor = asked.params.rescore > 0 ? asked.params.rescore : rescore;
        const auto wanted = static_cast<std::size_t>(static_cast<float>(asked.limit) * factor);
        candidates_.reset(std::max(asked.limit, wanted), reach);
    }

    /// Offers the places of a list's vectors. Throws: std::bad_alloc while the candidates grow.
    void read(const IvfBlocks& blocks, std::size_t at) {
        const std::uint32_t base = this->base(at);
        const FastScanQuery query{rounded_, codes_.pairs(), shift_};
        const bool all = asked_.all();
        lists_.each_run(blocks, at, [&](IvfBlocks::Run run) {
            if (candidates_.threshold() < base) return false;
            const std::uint32_t limit = std::min<std::uint32_t>(candidates_.threshold() - base, 65535);
            std::size_t found = scan_run(query, blocks, run, static_cast<std::uint16_t>(limit));
            asked_.scratch.counts.codes += run.count;
            if (!all) found = keep_allowed(blocks, run, found);
            const std::uint32_t first = run.first * static_cast<std::uint32_t>(IvfBlocks::vectors);
            for (std::size_t i = 0; i < found; ++i) candidates_.add(base + totals_[i], first + positions_[i]);
            return true;
        });
    }

    [[nodiscard]] std::size_t found() const noexcept { return candidates_.size(); }

    /// Compares the candidates by their vectors, nearest estimate first.
    void finish(const IvfBlocks& blocks) {
        auto* const ordered = asked_.scratch.lists.template take_array<IvfCandidate>(candidates_.size());
        const std::size_t count = candidates_.ordered(ordered);
        const IvfScorer<R> scorer = asked_.scorer();
        ScanBlock<IvfScorer<R>> block(scorer, best_);
        if (blocks.residency() == nullptr) {
            add_slots(blocks, ordered, count, block);
        } else {
            constexpr std::size_t at_once = Residency::most_pieces;
            for (std::size_t at = 0; at < count; at += at_once) {
                const std::size_t now = std::min(at_once, count - at);
                std::array<Residency::Piece, at_once> pieces;
                for (std::size_t i = 0; i < now; ++i) pieces[i] = {blocks.slot_at(ordered[at + i].place), sizeof(Slot)};
                const Held held(*blocks.residency(), std::span(pieces).first(now), Residency::Use::at_random);
                add_slots(blocks, ordered + at, now, block);
            }
        }
        block.flush();
        asked_.scratch.counts.distances += block.scored();
    }

private:
    std::size_t scan_run(const FastScanQuery& query, const IvfBlocks& blocks, IvfBlocks::Run run,
                         std::uint16_t limit) const noexcept {
        const Held held = blocks.hold_records(run);
        return codes_.kernels().scan(query, blocks.record(run.first), run.count, limit, positions_, totals_);
    }

    /// Drops those of a run that may not be returned from the first `found` positions and totals; returns how many stay.
    std::size_t keep_allowed(const IvfBlocks& blocks, IvfBlocks::Run run, std::size_t found) const noexcept {
        const Held held = blocks.hold_slots(run);
        const Slot* const slots = blocks.slots(run.first);
        std::size_t kept = 0;
        for (std::size_t i = 0; i < found; ++i) {
            if (!asked_.allowed.allows(slots[positions_[i]])) continue;
            positions_[kept] = positions_[i];
            totals_[kept++] = totals_[i];
        }
        return kept;
    }

    /// Adds the slots of candidates, those that may be returned.
    void add_slots(const IvfBlocks& blocks, const IvfCandidate* ordered, std::size_t count,
                   ScanBlock<IvfScorer<R>>& block) const noexcept {
        constexpr std::size_t ahead = 16;
        for (std::size_t i = 0; i < count; ++i) {
            if (i + ahead < count) __builtin_prefetch(blocks.slot_at(ordered[i + ahead].place));
            const Slot slot = *blocks.slot_at(ordered[i].place);
            if (asked_.allowed.allows(slot)) block.add(slot);
        }
    }

    static constexpr bool product = is_product_rows<R>;

    /// Makes the tables and the unit in which estimates are counted; returns below what most totals lie.
    std::uint32_t make_tables(std::size_t pieces) noexcept {
        const std::size_t dim = asked_.rows.dim();
        constexpr float factor = product ? -1.0F : -2.0F;
        const float* const vector = lists_.vector();
        for (std::size_t d = 0; d < dim; ++d) {
            query_[d] = factor * (product ? vector[d] : vector[d] - codes_.mean()[d]);
        }
        for (std::size_t d = dim; d < codes_.codebooks().dim(); ++d) query_[d] = 0;
        codes_.codebooks().products(query_, tables_);
        float widest = 0, sum = 0;
        codes_.kernels().ranges(tables_, pieces, lows_, &widest, &sum);
        // Totals stay below 65536: half of that for what comes from the tables, with what rounding adds, half for the
        // offsets.
        const float room = static_cast<float>(IvfOffsets::most) - static_cast<float>(pieces);
        float unit = std::max(widest / static_cast<float>(FastScanLayout::most), sum / room);
        const float step = codes_.offsets().step;
        if (step > 0) {
            // Offsets are only shifted, so the unit is theirs times a power of two.
            float offset_unit = step;
            for (; offset_unit < unit && shift_ < 15; ++shift_) offset_unit *= 2;
            unit = std::max(offset_unit, unit);
        }
        std::uint32_t reach = IvfOffsets::most >> shift_;
        if (unit > 0 && std::isfinite(unit) && std::isfinite(1 / unit)) {
            unit_ = unit;
            codes_.kernels().round(tables_, pieces, lows_, 1 / unit, rounded_);
            reach += static_cast<std::uint32_t>(sum / unit);
        } else {  // elements near the largest float, or all zero: no table tells one word from another
            std::memset(rounded_, 0, FastScanLayout::table_bytes(codes_.pairs()));
        }
        return reach;
    }

    /// Where estimates of the list that is number `at` in order begin.
    [[nodiscard]] std::uint32_t base(std::size_t at) const noexcept {
        constexpr float largest = 1e9F;
        const float steps = (lists_.distance(at) - lists_.distance(0)) / unit_;
        return steps > 0 ? static_cast<std::uint32_t>(std::min(steps, largest)) : 0;
    }

    const IvfPqCodes& codes_;
    const IvfQuery<R>& lists_;
    const IvfQuestion<R>& asked_;
    TopK& best_;
    IvfCandidates& candidates_;
    float* query_;           // less the mean unless it is a product, times a factor; zeros up to whole pieces
    float* tables_;          // 16 a piece
    float* lows_;            // one a piece
    std::uint8_t* rounded_;  // the tables of the scan
    std::uint32_t* positions_;
    std::uint16_t* totals_;
    float unit_ = 1;      // of estimates, on the scale of the distance
    unsigned shift_ = 0;  // of the offsets
};

}  // namespace kith::inline v0::detail
