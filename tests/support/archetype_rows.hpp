// tests/support/archetype_rows.hpp — the poorest Rows there can be: what it lacks, no index may ask for.
//
// Points on a line, a slot s at position 3 * s modulo a prime. Nothing here can be copied without need, made without
// arguments, or compared.
#pragma once

#include "kith/core/slot.hpp"
#include "kith/distance/scorer.hpp"

#include <cmath>
#include <cstddef>

namespace kith_test {

class ArchetypeScorer {
public:
    explicit ArchetypeScorer(float at) noexcept : at_(at) {}
    ArchetypeScorer(const ArchetypeScorer&) = delete;
    ArchetypeScorer& operator=(const ArchetypeScorer&) = delete;

    static float position(kith::Slot slot) noexcept { return static_cast<float>(slot * std::size_t{3} % 10007); }

    void score(const kith::Slot* slots, std::size_t count, float* out) const noexcept {
        for (std::size_t i = 0; i < count; ++i) out[i] = std::abs(at_ - position(slots[i]));
    }
    void score_block(kith::Slot first, std::size_t count, float* out) const noexcept {
        for (std::size_t i = 0; i < count; ++i) out[i] = std::abs(at_ - position(first + static_cast<kith::Slot>(i)));
    }
    void prefetch(kith::Slot) const noexcept {}

private:
    float at_;
};

class ArchetypeRows {
public:
    explicit ArchetypeRows(int) noexcept {}
    ArchetypeRows(const ArchetypeRows&) = delete;
    ArchetypeRows& operator=(const ArchetypeRows&) = delete;

    [[nodiscard]] std::size_t dim() const noexcept { return 1; }
    [[nodiscard]] ArchetypeScorer scorer(const float* query, kith::ScratchMemory&) const noexcept {
        return ArchetypeScorer(*query);
    }
    [[nodiscard]] ArchetypeScorer scorer_of(kith::Slot slot, kith::ScratchMemory&) const noexcept {
        return ArchetypeScorer(ArchetypeScorer::position(slot));
    }
};

static_assert(kith::Rows<ArchetypeRows>);

}  // namespace kith_test
