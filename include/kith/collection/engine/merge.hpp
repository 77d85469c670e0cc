// kith/collection/engine/merge.hpp — several segments become one, while readers and writers go on.
//
// The new segment is built from the records that live as of the checkpoint when the merge begins. What dies meanwhile is
// deleted in it when it takes their place.
//
// Thread safety: what is not public runs in the merging role.
#pragma once

#include "kith/collection/engine.hpp"

namespace kith::inline v0::detail {

/// A segment that is being made of several: indexes in memory, and where each record went.
class MergeBuilder {
public:
    /// The graph of the largest part is taken over where at most the share `dead_kept` of its records is deleted: then
    /// only the records of the others are linked anew, and the dead of the largest stay as slots that nobody sees.
    /// Shape: `parts` are the segments as the checkpoint has them, the largest first.
    MergeBuilder(const EngineSchema& schema, std::uint32_t id, const std::vector<SegmentView>& parts, double dead_kept)
        : id_(id) {
        std::uint64_t capacity = 0;
        for (const SegmentView& part : parts) capacity += part.count;
        for (const VectorFieldType& field : schema.vectors) {
            indexes_.push_back(field.make(field.dim, static_cast<Slot>(capacity)));
        }
        const SegmentView& largest = parts.front();
        const bool whole = parts.size() > 1 && static_cast<double>(largest.count - largest.live()) <=
                                                   dead_kept * static_cast<double>(largest.count);
        if (whole) take_over(largest);
        for (const SegmentView& part : std::span(parts).subspan(whole ? 1 : 0)) append(part);
    }

    [[nodiscard]] Slot count() const noexcept { return count_; }
    [[nodiscard]] const std::vector<std::unique_ptr<VectorIndex>>& indexes() const noexcept { return indexes_; }
    [[nodiscard]] std::vector<MovedSegment> take_moves() noexcept { return std::move(moves_); }

    /// What the files are written from; it refers to this, and to the parts.
    [[nodiscard]] SegmentImage image() const {
        SegmentImage image{id_, count_, {}, {}};
        for (const auto& index : indexes_) image.indexes.push_back(index.get());
        for (const MovedSegment& part : moves_) {
            const KeyTable& keys = part.from->key_table();
            for (Slot at = 0; at < keys.size(); ++at) {
                const Slot slot = keys.slot(at);
                if (slot < part.to.size() && part.to[slot] != no_slot)
                    image.keys.push_back({keys.key(at), part.to[slot]});
            }
        }
        std::sort(image.keys.begin(), image.keys.end());
        return image;
    }

private:
    /// Slot for slot, dead ones too.
    void take_over(const SegmentView& part) {
        for (std::size_t field = 0; field < indexes_.size(); ++field) {
            const bool taken = indexes_[field]->adopt(part.segment->index(field));
            part.segment->confirm(field);  // damage that was copied would have a right checksum from then on
            if (taken) continue;
            for (Slot slot = 0; slot < part.count; ++slot) copy_vector(*part.segment, slot, field);
        }
        MovedSegment moved{part.segment, std::vector<Slot>(part.count, no_slot)};
        const BitsetView allowed = part.allowed();
        for (Slot slot = 0; slot < part.count; ++slot) {
            if (allowed.allows(slot)) moved.to[slot] = slot;
        }
        count_ = part.count;
        moves_.push_back(std::move(moved));
    }

    void append(const SegmentView& part) {
        MovedSegment moved{part.segment, std::vector<Slot>(part.count, no_slot)};
        const BitsetView allowed = part.allowed();
        for (Slot slot = 0; slot < part.count; ++slot) {
            if (!allowed.allows(slot)) continue;
            for (std::size_t field = 0; field < indexes_.size(); ++field) copy_vector(*part.segment, slot, field);
            moved.to[slot] = count_++;
        }
        moves_.push_back(std::move(moved));
    }

    void copy_vector(const Segment& from, Slot slot, std::size_t field) {
        vector_.resize(indexes_[field]->dim());
        from.vector(field, slot, vector_.data());
        indexes_[field]->append(vector_.data());
    }

    std::uint32_t id_;
    Slot count_ = 0;  // slots given out
    std::vector<std::unique_ptr<VectorIndex>> indexes_;
    std::vector<MovedSegment> moves_;
    std::vector<float> vector_;
};

inline BackupReport Engine::backup(const std::filesystem::path& destination, const BackupOptions& options,
                                   const LongCall& call) {
    const auto open = enter();
    if (store_ == nullptr) raise(Errc::invalid_argument, "a collection in memory has no files to back up");
    require_writable();
    const std::lock_guard merging(merging_);  // so that no merge removes files, or begins to
    const std::lock_guard keeper(keeper_);
    queue_.exclusive([this] { sync_log(); });  // what was acknowledged is whole in the log
    return store_->backup(destination, options, call);
}

inline void Engine::compact(const LongCall& call) {
    checkpoint(call);
    const auto open = enter();
    if (store_ == nullptr) return;
    while (merge(&next_compaction, call)) {
    }
    drop_unheld();
}

/// Merges the segments that `choose` says; false when it says none.
inline bool Engine::merge(ChooseSegments choose, const LongCall& call) {
    const std::lock_guard merging(merging_);
    require_writable();
    const std::vector<SegmentView> parts = parts_to_merge(choose);
    if (parts.empty()) return false;
    MergedSegments merged;
    const std::uint32_t id = queue_.exclusive([&] {
        const std::uint32_t taken = stage_.take_segment_number();
        stage_.save_point();
        merged.next_segment = stage_.next_segment();
        return taken;
    });
    constexpr double dead_kept_for_speed = 0.1;
    MergeBuilder builder(schema_, id, parts, choose == &next_merge ? dead_kept_for_speed : 0);
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
    if (builder.count() > 0) merged.segment = store_->write_segment(builder.image(), call);
    merged.parts = builder.take_moves();
    if (merged.segment != nullptr) committing([&] { store_->copy_rows(merged, call); });
    const std::lock_guard keeper(keeper_);
    committing([&] { store_->commit_merge(merged); });
    merged_ = std::move(merged);
    publish_merged();
    return true;
}

/// The segments to merge as the checkpoint has them, the largest first. Takes the keeper role.
inline std::vector<SegmentView> Engine::parts_to_merge(ChooseSegments choose) {
    const std::lock_guard keeper(keeper_);
    publish_written();
    publish_merged();
    const std::vector<SegmentView>& sealed = store_->committed().segments;
    std::vector<SegmentSize> sizes;
    for (const SegmentView& view : sealed) sizes.push_back({view.live(), view.count - view.live()});
    std::vector<SegmentView> parts;
    for (const std::size_t at : choose(sizes, options_.segment_capacity)) parts.push_back(sealed[at]);
    std::sort(parts.begin(), parts.end(), [](const SegmentView& a, const SegmentView& b) {
        return a.live() > b.live() || (a.live() == b.live() && a.segment->id() < b.segment->id());
    });
    return parts;
}

/// Shows what was merged last; when it raises, the next seal or merge begins with it. In the keeper role; takes the
/// writer role.
inline void Engine::publish_merged() {
    if (!merged_.has_value()) return;
    queue_.exclusive([&] {
        auto next = std::make_shared<Snapshot>(merged_->applied_to(*snapshot_));
        std::vector<std::shared_ptr<Segment>> segments;
        segments.reserve(next->segments.size());
        for (const SegmentView& view : next->segments) segments.push_back(view.segment);
        stage_.replace(std::move(segments));
        const std::unique_lock lock(published_mutex_);
        snapshot_ = std::move(next);
    });
    merged_.reset();
}

/// Takes the keeper role: gives back what merged segments took up, where nobody holds them.
inline void Engine::drop_unheld() {
    const std::lock_guard keeper(keeper_);
    committing([&] { store_->purge(); });
    disk_bytes_.store(store_->bytes().without_log());
}

}  // namespace kith::inline v0::detail
