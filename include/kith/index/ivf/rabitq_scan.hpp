// kith/index/ivf/rabitq_scan.hpp — one search of RaBitQ codes: what may be nearer than the worst so far is compared.
//
// Of every vector that is read there is a bound on how near it may be. Those whose bound is not above the worst of the
// nearest so far are compared by their own vectors at once, so the worst falls while lists are read, nearest first, and
// most vectors of later lists are ruled out inside the registers. Nobody has to say how many to compare.
//
// Before there is a worst, all would be compared: so the first few hundred wait, and the least bounds among them come
// first.
//
// Thread safety: a scan belongs to one search.
// Source: Gao & Long, "RaBitQ", arXiv:2405.12497, section 4.
#pragma once

#include "kith/core/scratch_memory.hpp"
#include "kith/core/slot.hpp"
#include "kith/core/top_k.hpp"
#include "kith/distance/fast_scan.hpp"
#include "kith/index/candidate.hpp"
#include "kith/index/flat.hpp"
#include "kith/index/ivf/blocks.hpp"
#include "kith/index/ivf/rabitq_codes.hpp"
#include "kith/index/ivf/search.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

namespace kith::inline v0::detail {

/// A query made ready for codes of all lists, in memory that the caller keeps.
class IvfRaBitQCodes::Tables {
public:
    /// Bounds are `errors` times the usual error below the estimates: ε₀.
    /// Shape: `query` holds as many elements as the mean. Throws: std::bad_alloc while `memory` grows.
    Tables(const IvfRaBitQCodes& codes, const float* query, float errors, ScratchMemory& memory)
        : codes_(codes), errors_(errors) {
        const std::size_t dim = codes.mean().size(), pieces = codes.pieces();
        const auto arrays = carve<5>(
            memory, {dim * sizeof(float), codes.width() * sizeof(float), pieces * FastScanLayout::words * sizeof(float),
                     pieces * sizeof(float), FastScanLayout::table_bytes(codes.pairs())});
        auto* const centred = reinterpret_cast<float*>(arrays[0]);
        auto* const rotated = reinterpret_cast<float*>(arrays[1]);
        rounded_ = reinterpret_cast<std::uint8_t*>(arrays[4]);
        for (std::size_t d = 0; d < dim; ++d) centred[d] = query[d] - codes.mean()[d];
        codes.rotation().apply(centred, rotated);
        make(rotated, reinterpret_cast<float*>(arrays[2]), reinterpret_cast<float*>(arrays[3]));
    }

    /// Names those of the first `count` vectors of `record` and the blocks that follow it whose bound is not above
    /// `limit`, with their bounds, both less the part of the distance that the list gives; returns how many.
    /// Requires: `reach` is no less than how far the query is from the centroid.
    std::size_t scan(const std::byte* record, std::size_t count, float reach, float limit, std::uint32_t* positions,
                     float* bounds) const noexcept {
        return codes_.kernels().scan_bounds({rounded_, codes_.pairs(), 0}, {unit_, low_, errors_ * reach, limit},
                                            record, count, positions, bounds);
    }

private:
    /// 16 products with the corners of each piece, rounded.
    void make(const float* rotated, float* tables, float* lows) noexcept {
        const std::size_t pieces = codes_.pieces();
        for (std::size_t at = 0; at < pieces; ++at) {
            const float a = rotated[4 * at], b = rotated[4 * at + 1], c = rotated[4 * at + 2], d = rotated[4 * at + 3];
            float* const table = tables + at * FastScanLayout::words;
            const float low[4] = {-a - b, a - b, b - a, a + b};
            const float high[4] = {-c - d, c - d, d - c, c + d};
            for (std::size_t word = 0; word < FastScanLayout::words; ++word) {
                table[word] = high[word / 4] + low[word % 4];
            }
        }
        float widest = 0, sum = 0;
        codes_.kernels().ranges(tables, pieces, lows, &widest, &sum);
        constexpr float largest = 65535;  // of a total
        const float room = largest - static_cast<float>(pieces);
        const float unit = std::max(widest / static_cast<float>(FastScanLayout::most), sum / room);
        std::memset(rounded_, 0, FastScanLayout::table_bytes(codes_.pairs()));
        if (unit > 0 && std::isfinite(unit) && std::isfinite(1 / unit) && std::isfinite(sum)) {
            unit_ = unit;
            codes_.kernels().round(tables, pieces, lows, 1 / unit, rounded_);
            for (std::size_t at = 0; at < pieces; ++at) low_ += lows[at];
            // Each entry is off by up to half a unit, evenly: so much more may the products be.
            low_ += errors_ * unit * std::sqrt(static_cast<float>(pieces) / 12);
        } else if (!(sum == 0)) {  // elements near the largest float or the least: no bound is known
            low_ = std::numeric_limits<float>::infinity();
        }
    }

    const IvfRaBitQCodes& codes_;
    float errors_;
    std::uint8_t* rounded_;  // the tables of the scan
    float unit_ = 0;         // of totals
    float low_ = 0;          // the least product with a code, and what rounding may add
};

template <class R>
class IvfRaBitQCodes::Scan {
public:
    Scan(const IvfRaBitQCodes& codes, const IvfQuery<R>& lists, const IvfQuestion<R>& asked, TopK& best)
        : lists_(lists),
          asked_(asked),
          best_(best),
          scorer_(asked.scorer()),
          block_(scorer_, best),
          tables_(codes, lists.vector(), confidence, asked.scratch.lists.nested()) {
        constexpr std::size_t at_once = IvfQuery<R>::vectors_at_once;
        const auto arrays = carve<3>(
            asked.scratch.lists.nested().nested(),
            {at_once * sizeof(std::uint32_t), at_once * sizeof(float), (enough + at_once) * sizeof(Candidate)});
        positions_ = reinterpret_cast<std::uint32_t*>(arrays[0]);
        bounds_ = reinterpret_cast<float*>(arrays[1]);
        waiting_ = reinterpret_cast<Candidate*>(arrays[2]);
    }

    /// Compares the vectors of a list that may be near enough, or lets them wait for others to be compared first.
    void read(const IvfBlocks& blocks, std::size_t at) noexcept {
        const auto [square, rounding] = lists_.square(at);
        const float reach = std::sqrt(std::max(0.0F, square) + rounding);
        const float base =
            form_of<R>.product ? lists_.distance(at) - rounding : form_of<R>.weight / 2 * (square - rounding);
        lists_.each_run(blocks, at, [&](IvfBlocks::Run run) {
            std::size_t found = 0;
            {
                const Held records = blocks.hold_records(run);
                found = tables_.scan(blocks.record(run.first), run.count, reach, best_.worst_distance() - base,
                                     positions_, bounds_);
            }
            asked_.scratch.counts.codes += run.count;
            const Held held = blocks.hold_slots(run);
            const Slot* const slots = blocks.slots(run.first);
            for (std::size_t i = 0; i < found; ++i) __builtin_prefetch(slots + positions_[i]);
            const bool waits = best_.size() < asked_.limit;
            for (std::size_t i = 0; i < found; ++i) {
                const Slot slot = slots[positions_[i]];
                if (!asked_.allowed.allows(slot)) continue;
                if (waits) {
                    waiting_[count_++] = Candidate(base + bounds_[i], slot);
                } else {
                    scorer_.prefetch(slot);
                    block_.add(slot);
                }
            }
            if (count_ >= enough) settle();
            return true;
        });
    }

    [[nodiscard]] std::size_t found() noexcept {
        settle();
        return best_.size();
    }

    void finish(const IvfBlocks&) noexcept {
        settle();
        asked_.scratch.counts.distances += block_.scored();
    }

private:
    static constexpr std::size_t enough = 256;

    /// Compares those that wait, the least bounds first, for they make others needless.
    void settle() noexcept {
        const std::size_t first = asked_.limit + asked_.limit / 2;
        if (count_ > first) std::nth_element(waiting_, waiting_ + first, waiting_ + count_);
        for (std::size_t i = 0; i < count_; ++i) {
            if (i == first) block_.flush();
            if (!(waiting_[i].distance() > best_.worst_distance())) block_.add(waiting_[i].slot());
        }
        block_.flush();
        count_ = 0;
    }

    const IvfQuery<R>& lists_;
    const IvfQuestion<R>& asked_;
    TopK& best_;
    IvfScorer<R> scorer_;
    ScanBlock<IvfScorer<R>> block_;
    Tables tables_;
    std::uint32_t* positions_;  // of what a run left
    float* bounds_;             // of those
    Candidate* waiting_;        // slots with their bounds, not compared yet
    std::size_t count_ = 0;     // of those, below `enough` between runs
};

}  // namespace kith::inline v0::detail
