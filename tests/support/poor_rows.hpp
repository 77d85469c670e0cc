// tests/support/poor_rows.hpp — the poorest Rows: points on a line, and nothing that the concept does not ask for.
#pragma once

#include "kith/core/slot.hpp"
#include "kith/distance/scorer.hpp"

#include <cstddef>
#include <vector>

namespace kith_test {

class PoorRows {
public:
    class LineScorer {
    public:
        LineScorer(const std::vector<float>& places, float from) : places_(&places), from_(from) {}
        LineScorer(const LineScorer&) = delete;
        LineScorer& operator=(const LineScorer&) = delete;

        void score(const kith::Slot* slots, std::size_t count, float* out) const noexcept {
            for (std::size_t i = 0; i < count; ++i) out[i] = away((*places_)[slots[i]]);
        }
        void score_block(kith::Slot first, std::size_t count, float* out) const noexcept {
            for (std::size_t i = 0; i < count; ++i) out[i] = away((*places_)[first + i]);
        }
        void prefetch(kith::Slot) const noexcept {}

    private:
        [[nodiscard]] float away(float place) const noexcept { return place < from_ ? from_ - place : place - from_; }

        const std::vector<float>* places_;
        float from_;
    };

    explicit PoorRows(std::vector<float> places) : places_(std::move(places)) {}
    PoorRows(const PoorRows&) = delete;
    PoorRows& operator=(const PoorRows&) = delete;

    [[nodiscard]] std::size_t dim() const noexcept { return 1; }
    [[nodiscard]] LineScorer scorer(const float* query) const noexcept { return {places_, *query}; }
    [[nodiscard]] LineScorer scorer_of(kith::Slot slot) const noexcept { return {places_, places_[slot]}; }

private:
    std::vector<float> places_;
};
static_assert(kith::Rows<PoorRows>);

}  // namespace kith_test
