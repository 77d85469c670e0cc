// kith/index/calibrate.hpp — measuring the recall of an index against its own exact search.
//
// Thread safety: reads only; may run beside searches.
#pragma once

#include "kith/core/bitset_view.hpp"
#include "kith/core/neighbor.hpp"
#include "kith/core/random.hpp"
#include "kith/core/slot.hpp"
#include "kith/index/recall_curve.hpp"
#include "kith/index/search_params.hpp"
#include "kith/quantize/training.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace kith::inline v0::detail {

inline constexpr std::size_t calibration_questions = 200;  // of 10 neighbours each: the share errs by about 0.01

/// Takes `self` out of `found` and keeps the first `count` of the rest.
inline std::size_t drop_self(std::span<Neighbor> found, Slot self, std::size_t count) noexcept {
    const auto rest = std::remove_if(found.begin(), found.end(), [&](const Neighbor& at) { return at.slot == self; });
    return std::min(count, static_cast<std::size_t>(rest - found.begin()));
}

/// Neighbours found of those that are true, both without the vector that asked: between 0 and 1. Ties count.
/// Shape: `truth` is sorted and holds at least one.
inline float share_found(std::span<const Neighbor> truth, std::span<const Neighbor> found) noexcept {
    const auto hits = std::count_if(found.begin(), found.end(),
                                    [&](const Neighbor& at) { return !(at.distance > truth.back().distance); });
    return std::min(1.0F, static_cast<float>(hits) / static_cast<float>(truth.size()));
}

/// The shares of true neighbours found at each effort of `ladder`, which rises.
/// exact(slot, limit, out) and walk(slot, absent, limit, effort, out) return how many neighbours of that slot's vector
/// they found among `count` slots, the walk as if slot `absent` were not there. Throws: what they and training.progress
/// throw, Errc::cancelled. Cost: 200 exact searches, more among copies, and up to 400 walks for each effort.
template <class Exact, class Walk>
RecallCurve calibrate(Slot count, std::span<const float> ladder, const Exact& exact, const Walk& walk,
                      const Training& training) {
    constexpr std::size_t deep = 100;
    constexpr std::size_t limits[] = {10, deep};
    std::vector<std::array<float, 2>> found_without(ladder.size());
    std::array<float, 2> found_with{};
    std::vector<Neighbor> truth(deep + 1), found(deep + 1);
    SplitMix64 random(count);
    for (std::size_t question = 0; question < calibration_questions; ++question) {
        training.report(static_cast<double>(question) / calibration_questions);
        Slot slot = 0;
        std::size_t known = 0;
        // Copies of one vector are found all or none, which says nothing of others: those are asked, if there are any.
        constexpr int tries = 4;
        for (int i = 0; i < tries; ++i) {
            slot = static_cast<Slot>(random.below(count));
            known = drop_self(std::span(truth).first(exact(slot, deep + 1, truth.data())), slot, deep);
            if (known > 0 && truth[0].distance < truth[std::min(known, limits[0]) - 1].distance) break;
        }
        if (known == 0) continue;
        for (std::size_t which = 0; which < 2; ++which) {
            const auto true_ones = std::span(truth).first(std::min(limits[which], known));
            const auto share = [&](Slot absent, float effort) {
                // One more than is counted: lists and scans know of no absent slot, and return it.
                const std::size_t got = walk(slot, absent, limits[which] + 1, effort, found.data());
                const std::size_t kept = drop_self(std::span(found).first(got), slot, limits[which]);
                return share_found(true_ones, std::span(found).first(kept));
            };
            // Who has found all is not asked again: with more effort, or with less to go around, all is found too.
            float found_now = 0;
            for (std::size_t i = 0; i < ladder.size(); ++i) {
                if (found_now < 1) found_now = share(slot, ladder[i]);
                found_without[i][which] += found_now / float{calibration_questions};
            }
            if (found_now < 1) found_now = share(no_slot, ladder.back());
            found_with[which] += found_now / float{calibration_questions};
        }
    }
    std::vector<RecallRung> rungs;
    for (std::size_t i = 0; i < ladder.size(); ++i) {
        const auto reachable = [&](std::size_t which) {
            const float most = found_without.back()[which];
            return most > 0 ? std::min(1.0F, found_without[i][which] * found_with[which] / most) : 0.0F;
        };
        rungs.push_back({ladder[i], reachable(0), reachable(1)});
    }
    return RecallCurve(std::move(rungs), count);
}

}  // namespace kith::inline v0::detail
