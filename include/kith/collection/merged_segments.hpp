// kith/collection/merged_segments.hpp — where a merge took the records of several segments.
//
// A merge takes long, and records die meanwhile: what is deleted in the new segment is worked out from what is deleted
// in the old ones at the moment when it takes their place, once as of the checkpoint and once as of the present.
//
// Thread safety: immutable once the merge is built.
#pragma once

#include "kith/collection/snapshot.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace kith::inline v0::detail {

struct MovedSegment {
    std::shared_ptr<Segment> from;
    std::vector<Slot> to;  // by slot of `from`: the slot in the new segment, or no_slot
};

struct MergedSegments {
    std::shared_ptr<Segment> segment;  // that stands for the parts; null when no record of them lives
    std::vector<MovedSegment> parts;
    std::uint32_t next_segment = 0;  // the first segment id that was never used

    [[nodiscard]] bool takes(std::uint32_t id) const noexcept {
        for (const MovedSegment& part : parts) {
            if (part.from->id() == id) return true;
        }
        return false;
    }

    /// The new segment with the records deleted that `before`, which has the parts, does not show.
    /// Requires: there is one.
    [[nodiscard]] SegmentView view(const Snapshot& before) const {
        const Slot count = segment->size();
        auto deletes = std::make_shared<DeleteSet>();
        deletes->words.assign((std::size_t{count} + 63) / 64, ~std::uint64_t{0});
        deletes->count = count;
        for (const MovedSegment& part : parts) {
            for (Slot slot = 0; slot < part.to.size(); ++slot) {
                const Slot to = part.to[slot];
                if (to == no_slot || before.find({part.from->id(), slot}) == nullptr) continue;
                deletes->words[to / 64] &= ~(std::uint64_t{1} << (to % 64));
                --deletes->count;
            }
        }
        if (count % 64 != 0) deletes->words.back() &= (std::uint64_t{1} << (count % 64)) - 1;
        SegmentView made{segment, count, nullptr};
        if (deletes->count > 0) made.deletes = std::move(deletes);
        return made;
    }

    /// `before` with the new segment in the place of the parts.
    [[nodiscard]] Snapshot applied_to(const Snapshot& before) const {
        Snapshot after;
        after.segments.reserve(before.segments.size() + 1);
        for (const SegmentView& one : before.segments) {
            if (!takes(one.segment->id())) after.segments.push_back(one);
        }
        if (segment != nullptr) {
            const auto behind = [&](const SegmentView& one) { return one.segment->id() > segment->id(); };
            after.segments.insert(std::find_if(after.segments.begin(), after.segments.end(), behind), view(before));
        }
        return after;
    }
};

}  // namespace kith::inline v0::detail
