// kith/collection/engine/merge.hpp — several segments become one, while readers and writers go on.
//
// The new segment is built from the records that live as of the checkpoint when the merge begins. What dies meanwhile is
// deleted in it when it takes their place.
//
// Thread safety: what is not public runs in the merging role.
#pragma once

#include "kith/collection/engine.hpp"
#include "kith/collection/engine/merge_builder.hpp"

#if KITH_ENGINE_HERE

namespace kith::inline v0::detail {

KITH_INLINE BackupReport Engine::backup(const std::filesystem::path& destination, const BackupOptions& options,
                                        const LongCall& call) {
    const auto open = enter();
    if (store_ == nullptr) raise(Errc::invalid_argument, "a collection in memory has no files to back up");
    require_writable();
    const auto merging = take(merging_, call);  // so that no merge removes files, or begins to
    const auto keeper = take(keeper_, call);
    queue_.exclusive([this] { sync_log(); });  // what was acknowledged is whole in the log
    return store_->backup(destination, options, call);
}

KITH_INLINE void Engine::compact(const LongCall& call) {
    checkpoint(call);
    const auto open = enter();
    if (store_ == nullptr) return compact_memory(call);
    while (merge(&next_compaction, call)) {
    }
    drop_unheld();
    const auto keeper = take(keeper_, call);
    committing([&] { store_->give_back(call); });
    disk_bytes_.store(store_->bytes().without_log());
}

/// Merges the segments that `choose` says; false when it says none.
KITH_INLINE bool Engine::merge(ChooseSegments choose, const LongCall& call) {
    const auto merging = take(merging_, call);
    require_writable();
    const std::vector<SegmentView> parts = parts_to_merge(choose);
    if (parts.empty()) return false;
    const std::uint32_t id = new_segment_number();
    MergedSegments merged;
    merged.next_segment = id + 1;
    constexpr double dead_kept_for_speed = 0.1;
    MergeBuilder builder(schema_, id, parts, choose == &next_merge ? dead_kept_for_speed : 0);
    index_merged(builder, call);
    if (builder.count() > 0) merged.segment = store_->write_segment(builder.image(), call);
    merged.parts = builder.take_moves();
    if (merged.segment != nullptr) committing([&] { store_->copy_rows(merged, call); });
    const std::lock_guard keeper(keeper_);
    committing([&] { store_->commit_merge(merged); });
    merged_ = std::move(merged);
    publish_merged();
    return true;
}

/// Takes the writer role.
KITH_INLINE std::uint32_t Engine::new_segment_number() {
    return queue_.exclusive([&] {
        const std::uint32_t taken = stage_.take_segment_number();
        stage_.save_point();
        return taken;
    });
}

/// The segments to merge as the checkpoint has them, the largest first; none where no space for it is left. Takes the
/// keeper role.
KITH_INLINE std::vector<SegmentView> Engine::parts_to_merge(ChooseSegments choose) {
    const std::lock_guard keeper(keeper_);
    publish_written();
    publish_merged();
    std::vector<SegmentView> parts = chosen_of(store_->committed(), choose);
    if (choose == &next_merge && !has_space_for(parts)) parts.clear();
    return parts;
}

/// Whether Options::max_disk_bytes allows what a merge of `parts` makes beside them: about the share of files and rows
/// that their live records have now. In the keeper role.
KITH_INLINE bool Engine::has_space_for(const std::vector<SegmentView>& parts) const {
    if (options_.max_disk_bytes == 0 || parts.empty()) return true;
    double slots = 0;
    double merged = 0;
    for (const SegmentView& view : store_->committed().segments) slots += view.count;
    for (const SegmentView& part : parts) merged += part.live();
    const StoreBytes bytes = store_->bytes();
    const double more = static_cast<double>(bytes.segments + bytes.forward) * merged / slots;
    return static_cast<double>(bytes.log + bytes.without_log()) + more <= static_cast<double>(options_.max_disk_bytes);
}

KITH_INLINE SegmentSize Engine::size_of(const SegmentView& view) {
    return {view.live(), view.count - view.live(), view.segment->outdated()};
}

KITH_INLINE std::vector<SegmentSize> Engine::sizes_of(const Snapshot& snapshot) {
    std::vector<SegmentSize> sizes;
    for (const SegmentView& view : snapshot.segments) sizes.push_back(size_of(view));
    return sizes;
}

/// The segments of `base` that `choose` says, the largest first.
KITH_INLINE std::vector<SegmentView> Engine::chosen_of(const Snapshot& base, ChooseSegments choose) const {
    std::vector<SegmentView> parts;
    for (const std::size_t at : choose(sizes_of(base), options_.segment_capacity)) parts.push_back(base.segments[at]);
    std::sort(parts.begin(), parts.end(), [](const SegmentView& a, const SegmentView& b) {
        return a.live() > b.live() || (a.live() == b.live() && a.segment->id() < b.segment->id());
    });
    return parts;
}

/// Links and measures what the new segment holds.
KITH_INLINE void Engine::index_merged(const MergeBuilder& builder, const LongCall& call) const {
    Training training{.threads = options_.index_threads, .progress = {}};
    training.progress = [&](double) {
        call.check(0.9);
        return true;
    };
    constexpr Slot chunk = 1024;
    for (Slot linked = 0; linked < builder.count();) {
        call.check(0.9 * linked / builder.count());
        linked = std::min<Slot>(builder.count(), linked + chunk);
        for (const auto& index : builder.indexes()) index->index_up_to(linked, options_.index_threads);
    }
    for (const auto& index : builder.indexes()) {
        if (index->calibration_due()) index->calibrate(training);
    }
}

/// Shows what was merged last; when it raises, the next seal or merge begins with it. In the keeper role; takes the
/// writer role.
KITH_INLINE void Engine::publish_merged() {
    if (!merged_.has_value()) return;
    queue_.exclusive([&] {
        auto next = std::make_shared<Snapshot>(merged_->applied_to(*snapshot_));
        stage_.replace(next->all_segments());
        const std::unique_lock lock(published_mutex_);
        snapshot_ = std::move(next);
    });
    merged_.reset();
}

/// Takes the keeper role: gives back what merged segments took up, where nobody holds them.
KITH_INLINE void Engine::drop_unheld() {
    const std::lock_guard keeper(keeper_);
    committing([&] { store_->purge(); });
    disk_bytes_.store(store_->bytes().without_log());
}

}  // namespace kith::inline v0::detail

#endif
