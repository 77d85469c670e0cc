// kith/collection/engine/merge_memory.hpp — what a collection without a directory gives back.
//
// It has no checkpoint to begin from, and its segments are never sealed: so a merge begins from what was published at one
// moment, all but the segment that records still go to, and that one is ended when enough of it is dead. The rest is as on
// the disk, and so is the choice of what to merge.
//
// Thread safety: what is not public runs in the merging role.
#pragma once

#include "kith/collection/engine.hpp"
#include "kith/collection/engine/merge_builder.hpp"
#include "kith/core/thread_priority.hpp"

#include <algorithm>

#if KITH_ENGINE_HERE

namespace kith::inline v0::detail {

KITH_INLINE void Engine::compact_memory(const LongCall& call) {
    const auto merging = take(merging_, call);
    Snapshot base = ended_in_memory(&next_compaction);
    while (merge_in_memory(&next_compaction, base, call)) {
    }
}

/// Trouble here loses nothing, and is shown by stats(): the dead stay, and the next write has it tried again.
KITH_INLINE void Engine::merge_in_background() {
    give_way_to_others();
    run_when_woken([this] {
        note_trouble(attempt([&] {
            const std::lock_guard merging(merging_);
            Snapshot base = ended_in_memory(&next_merge);
            while (merge_in_memory(&next_merge, base, background_call())) {
            }
        }));
        return false;
    });
}

/// What was published, but for the segment that is being written. That one is ended first where `choose` would have it.
/// Takes the writer role.
KITH_INLINE Snapshot Engine::ended_in_memory(ChooseSegments choose) {
    return queue_.exclusive([&] {
        Snapshot base = *snapshot_;
        const auto is_written = [&](const SegmentView& view) { return view.segment.get() == stage_.writing(); };
        const auto written = std::find_if(base.segments.begin(), base.segments.end(), is_written);
        if (written == base.segments.end()) return base;
        const bool due = choose == &next_merge ? mostly_dead(size_of(*written))
                                               : !choose(sizes_of(base), options_.segment_capacity).empty();
        if (due) {
            stage_.end_segment();
            measure_memory();
        } else {
            base.segments.erase(written);
        }
        return base;
    });
}

/// Merges the segments that `choose` says of `base`, which then has the new one; false when it says none.
KITH_INLINE bool Engine::merge_in_memory(ChooseSegments choose, Snapshot& base, const LongCall& call) {
    const std::vector<SegmentView> parts = chosen_of(base, choose);
    if (parts.empty()) return false;
    const std::uint32_t id = new_segment_number();
    constexpr double no_graph_is_kept = -1;  // a segment in memory may be linked, or measured, while it is copied
    MergeBuilder builder(schema_, id, parts, no_graph_is_kept);
    index_merged(builder, call);
    MergedSegments merged;
    merged.parts = builder.take_moves();
    if (builder.count() > 0) {
        auto rows = std::make_unique<RowStore>(builder.count());
        for (const MovedSegment& part : merged.parts) {
            for (Slot slot = 0; slot < part.to.size(); ++slot) {
                if (part.to[slot] != no_slot) rows->append(part.from->key(slot), part.from->row(slot));
            }
        }
        merged.segment = std::make_shared<Segment>(id, schema_, std::move(rows), builder.take_indexes());
    }
    base = merged.applied_to(base);
    publish_merged_in_memory(merged);
    return true;
}

/// Shows `merged`, and leads the keys to it. Takes the writer role.
KITH_INLINE void Engine::publish_merged_in_memory(MergedSegments& merged) {
    queue_.exclusive([&] {
        auto next = std::make_shared<Snapshot>(merged.applied_to(*snapshot_));
        std::vector<std::shared_ptr<Segment>> segments = next->all_segments();
        Relocation relocation(merged);
        stage_.replace(std::move(segments));
        {
            const std::unique_lock lock(published_mutex_);
            relocation_ = std::move(relocation);
            snapshot_ = std::move(next);
        }
        measure_memory();
    });
    constexpr Slot keys_at_once = 1024;  // for which a reader or a writer waits
    const Slot count = merged.segment == nullptr ? 0 : merged.segment->size();
    for (Slot slot = 0; slot < count;) {
        const Slot until = std::min(count, slot + keys_at_once);
        queue_.exclusive([&] {
            const std::unique_lock lock(published_mutex_);
            for (; slot < until; ++slot) {
                const auto found = keys_.find(merged.segment->key(slot));
                if (found != keys_.end() && found->second.has_value()) found->second = relocation_(*found->second);
            }
        });
    }
    Relocation done;
    queue_.exclusive([&] {
        const std::unique_lock lock(published_mutex_);
        std::swap(relocation_, done);
    });
}

}  // namespace kith::inline v0::detail

#endif
