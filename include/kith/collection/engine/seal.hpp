// kith/collection/engine/seal.hpp — what is in memory becomes files, while writers go on.
//
// Thread safety: what is not public runs in the keeper role, and takes the writer role where it says so.
#pragma once

#include "kith/collection/engine.hpp"

#include <chrono>

#if KITH_ENGINE_HERE

namespace kith::inline v0::detail {

/// Takes a role that another call may hold for long.
/// Throws: as call.check_stopped().
KITH_INLINE std::unique_lock<std::mutex> Engine::take(std::mutex& role, const LongCall& call) {
    constexpr std::chrono::milliseconds between_looks{1};
    std::unique_lock lock(role, std::try_to_lock);
    while (!lock.owns_lock()) {
        call.check_stopped();
        std::this_thread::sleep_for(between_looks);
        static_cast<void>(lock.try_lock());
    }
    return lock;
}

KITH_INLINE void Engine::checkpoint(const LongCall& call) {
    const auto open = enter();
    require_writable();
    link_all(in_memory(), call);
    calibrate(in_memory(), call, true);
    if (store_ == nullptr) return;
    {
        const auto keeper = take(keeper_, call);
        seal(call);
    }
    wake_background();  // what was sealed may be merged
}

/// Makes a checkpoint of all that was published before it began.
KITH_INLINE void Engine::seal(const LongCall& call) {
    publish_written();
    publish_merged();
    Checkpoint checkpoint;
    const std::shared_ptr<const Snapshot> frozen = freeze(checkpoint);
    if (checkpoint.sequence == store_->committed_sequence()) return;
    link_all(in_memory(*frozen), call);
    calibrate(in_memory(*frozen), call, true);
    for (const SegmentView& view : frozen->segments) {
        if (view.segment->sealed()) continue;
        SegmentImage image{view.segment->id(), view.count, {}, view.segment->keys(view.allowed()), [&](Slot slot) {
                               return std::string(view.segment->row(slot));
                           }};
        for (std::size_t field = 0; field < view.segment->index_count(); ++field) {
            image.indexes.push_back(&view.segment->index(field));
        }
        checkpoint.written.push_back(store_->write_segment(image, call));
    }
    committing([&] { store_->commit(checkpoint); });
    written_.emplace(std::move(checkpoint.written));
    publish_written();
}

/// Ends the segment that is being written, and returns all that is published: the checkpoint to be. Takes the writer
/// role.
KITH_INLINE std::shared_ptr<const Snapshot> Engine::freeze(Checkpoint& checkpoint) {
    return queue_.exclusive([&] {
        require_writable();
        const std::exception_ptr failed = attempt([&] { checkpoint.sequence = store_->end_log_file(); });
        if (failed != nullptr) {
            poisoned_.store(true);
            std::rethrow_exception(failed);
        }
        stage_.end_segment();
        writing_bytes_.store(0);
        checkpoint.next_segment = stage_.next_segment();
        checkpoint.keys = &frozen_keys_;
        const std::unique_lock lock(published_mutex_);
        checkpoint.snapshot = snapshot_.get();
        if (frozen_keys_.empty()) {
            frozen_keys_.swap(keys_);
        } else {  // an earlier seal failed
            for (const auto& [key, id] : keys_) frozen_keys_.insert_or_assign(key, id);
            keys_.clear();
        }
        return snapshot_;
    });
}

/// Puts the mapped segments of the last checkpoint in the place of those in memory; when it raises, the next seal or
/// merge begins with it. Takes the writer role.
KITH_INLINE void Engine::publish_written() {
    if (!written_.has_value()) return;
    std::vector<std::filesystem::path> released;
    KeyMap committed;
    queue_.exclusive([&] {
        auto next = std::make_shared<Snapshot>(*snapshot_);
        std::vector<std::shared_ptr<Segment>> segments = stage_.segments();
        for (const std::shared_ptr<Segment>& mapped : *written_) {
            for (SegmentView& view : next->segments) {
                if (view.segment->id() == mapped->id()) view.segment = mapped;
            }
            for (std::shared_ptr<Segment>& segment : segments) {
                if (segment->id() == mapped->id()) segment = mapped;
            }
        }
        released = store_->release_log();
        stage_.replace(std::move(segments));
        {
            const std::unique_lock lock(published_mutex_);
            snapshot_ = std::move(next);
            committed.swap(frozen_keys_);
        }
        measure_memory();
    });
    written_.reset();
    // What is left of the log is passed by when the collection is opened: a failure here costs space, nothing else.
    static_cast<void>(attempt([&] {
        for (const std::filesystem::path& file : released) {
            std::error_code ignored;
            std::filesystem::remove(file, ignored);
        }
        disk_bytes_.store(store_->bytes().without_log());
    }));
}

/// Adds up the bytes of the records in memory. In the writer role.
KITH_INLINE void Engine::measure_memory() noexcept {
    std::uint64_t bytes = 0;
    for (const std::shared_ptr<Segment>& segment : stage_.segments()) bytes += segment->bytes();
    writing_bytes_.store(stage_.writing_bytes());
    memory_bytes_.store(bytes);
}

/// Whether segments in memory wait to be written, or there is enough for another one, or so many sealed records died
/// since the checkpoint that a merge would give back their space, which begins from it. In the keeper role.
KITH_INLINE bool Engine::seal_is_due() const {
    if (poisoned_.load()) return false;
    if (store_->log_bytes() > options_.log_bytes || memory_bytes_.load() > writing_bytes_.load() ||
        writing_bytes_.load() > options_.segment_bytes) {
        return true;
    }
    if (options_.memory_bytes != 0 && memory_bytes_.load() > options_.memory_bytes / 2) return true;
    const std::shared_ptr<const Snapshot> present = snapshot();
    const auto dead = [](const SegmentView& view) { return mostly_dead({view.live(), view.count - view.live()}); };
    for (const SegmentView& before : store_->committed().segments) {
        for (const SegmentView& now : present->segments) {
            if (now.segment->id() == before.segment->id() && dead(now) && !dead(before)) return true;
        }
    }
    return false;
}

KITH_INLINE CollectionStats Engine::stats() const {
    const auto open = enter();
    const std::shared_ptr<const Snapshot> present = snapshot();
    CollectionStats stats;
    std::uint64_t slots = 0;
    std::uint64_t dead = 0;
    for (const SegmentView& view : present->segments) {
        const Slot live = view.live();
        const Slot linked = view.segment->outdated() ? 0 : std::min(view.segment->linked(), view.count);
        stats.segments.push_back({view.segment->id(), live, view.count - live, linked, view.segment->sealed()});
        stats.records += live;
        stats.deleted += view.count - live;
        if (!view.segment->sealed()) continue;
        slots += view.count;
        dead += view.count - live;
    }
    stats.memory_bytes = memory_bytes_.load();
    if (store_ != nullptr) {
        const StoreBytes bytes = store_->bytes();
        stats.last_sequence = store_->last_sequence();
        stats.log_bytes = bytes.log;
        stats.forward_bytes = bytes.forward;
        stats.segment_bytes = bytes.segments;
        stats.retired_bytes = bytes.retired;
        if (slots > 0) {
            stats.reclaimable_bytes = static_cast<std::uint64_t>(
                static_cast<double>(bytes.segments) * static_cast<double>(dead) / static_cast<double>(slots));
        }
    }
    const std::lock_guard lock(background_->mutex);
    stats.trouble = background_->trouble;
    return stats;
}

}  // namespace kith::inline v0::detail

#endif
