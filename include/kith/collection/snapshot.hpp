// kith/collection/snapshot.hpp — the records one reader sees, unchanged for as long as it looks.
//
// A batch becomes visible by one exchange of a pointer to the next snapshot: the segments, how many slots of each
// exist, and which are deleted. A reader that holds a snapshot sees all of a batch or none of it.
//
// Thread safety: a snapshot is immutable once published.
#pragma once

#include "kith/collection/record_id.hpp"
#include "kith/collection/segment.hpp"
#include "kith/core/bitset_view.hpp"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

namespace kith::inline v0::detail {

/// The deleted slots of one segment. Copied, never changed, when more are deleted.
struct DeleteSet {
    std::vector<std::uint64_t> words;  // bit s % 64 of word s / 64 is set when slot s is deleted
    Slot count = 0;                    // bits that are set
};

struct SegmentView {
    std::shared_ptr<Segment> segment;
    Slot count = 0;                            // slots that exist
    std::shared_ptr<const DeleteSet> deletes;  // null while none of them is deleted

    [[nodiscard]] BitsetView allowed() const noexcept {
        return deletes == nullptr ? BitsetView(count) : BitsetView(deletes->words.data(), count, live());
    }
    [[nodiscard]] Slot live() const noexcept { return count - (deletes == nullptr ? 0 : deletes->count); }
};

struct Snapshot {
    std::vector<SegmentView> segments;  // ordered by segment id

    [[nodiscard]] std::uint64_t live() const noexcept {
        std::uint64_t live = 0;
        for (const SegmentView& view : segments) live += view.live();
        return live;
    }

    /// The segments alone, in the same order.
    [[nodiscard]] std::vector<std::shared_ptr<Segment>> all_segments() const {
        std::vector<std::shared_ptr<Segment>> all;
        all.reserve(segments.size());
        for (const SegmentView& view : segments) all.push_back(view.segment);
        return all;
    }

    /// The view that holds `id`; null when this snapshot does not see it.
    [[nodiscard]] const SegmentView* find(RecordId id) const noexcept {
        const auto by_id = [](const SegmentView& view, std::uint32_t segment) { return view.segment->id() < segment; };
        const auto found = std::lower_bound(segments.begin(), segments.end(), id.segment, by_id);
        if (found == segments.end() || found->segment->id() != id.segment || !found->allowed().allows(id.slot)) {
            return nullptr;
        }
        return &*found;
    }
};

}  // namespace kith::inline v0::detail
