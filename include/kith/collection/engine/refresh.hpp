// kith/collection/engine/refresh.hpp — a reader follows the writer: another process, or another collection in this one.
//
// What a reader shows is a base, which is a checkpoint with what was merged since, and the batches of the log after it,
// staged and published like a writer's own. When there is a newer base, everything is made again on top of it, aside, and
// shown at once in the place of the old; who holds an older snapshot keeps the files and rows it needs.
//
// Thread safety: what is not public runs in the writer role.
#pragma once

#include "kith/collection/engine.hpp"

#if KITH_ENGINE_HERE

namespace kith::inline v0::detail {

KITH_INLINE bool Engine::refresh() {
    const auto open = enter();
    if (!follows()) return false;
    return queue_.exclusive([this] { return catch_up(); });
}

KITH_INLINE bool Engine::catch_up() {
    constexpr int most_bases = 100;
    constexpr int most_looks = 5;  // for batches that no base holds
    const std::shared_ptr<const Snapshot> before = snapshot();
    int looks = 0;
    for (int bases = 0; bases < most_bases; ++bases) {
        std::optional<StoreBase> newer = store_->newer_base();
        if (newer.has_value()) {
            newer_base_ = std::move(newer);
            looks = 0;
        } else if (++looks > most_looks) {
            store_->raise_log_missing();  // a writer that removes batches has committed a base with them
        }
        if (!(newer_base_.has_value() ? begin_anew(*newer_base_) : apply_log())) continue;
        newer_base_.reset();
        if (snapshot() == before) return false;
        measure_memory();
        wake_background();
        return true;
    }
    raise(Errc::locked, "the writer makes checkpoints faster than they can be read; try again");
}

/// Shows the batches that came since. False when some are missing that a newer base holds.
KITH_INLINE bool Engine::apply_log() {
    bool whole = false;
    const std::exception_ptr failed = attempt([&] {
        whole = store_->follow([&](std::string_view batch) {
            stage_.save_point();
            const std::exception_ptr refused =
                attempt([&] { applied_.replayed_operations += stage(batch, OnExisting::replace); });
            if (refused != nullptr) {
                stage_.roll_back();
                std::rethrow_exception(refused);
            }
            ++applied_.replayed_batches;
        });
    });
    // Those before the trouble are whole, and will not come again.
    if (base_ == nullptr && (stage_.key_count() > 0 || !stage_.deletes().empty())) publish_staged();
    if (failed != nullptr) std::rethrow_exception(failed);
    return whole;
}

/// Shows `base` and what came after it. False, and nothing is changed, when some of that is missing.
KITH_INLINE bool Engine::begin_anew(const StoreBase& base) {
    Stage fresh(schema_, options_.segment_capacity);
    fresh.reset(base.snapshot->all_segments(), base.next_segment);
    RecoveryReport applied = applied_;
    store_->rewind();
    std::swap(stage_, fresh);
    base_ = base.snapshot;
    bool whole = false;
    const std::exception_ptr failed = attempt([&] {
        whole = apply_log();
        if (whole) publish_staged();
    });
    base_ = nullptr;
    if (!whole || failed != nullptr) {
        std::swap(stage_, fresh);
        applied_ = std::move(applied);
    }
    if (failed != nullptr) std::rethrow_exception(failed);
    return whole;
}

/// Where a sealed segment that `present` shows has `key`. The store knows where the newest version is. That may be one
/// that a reader does not show yet, or lie in a segment that a merge has committed and not published: then the segments
/// that are shown know.
KITH_INLINE std::optional<RecordId> Engine::find_sealed(const Snapshot& present, std::string_view key) const {
    std::optional<RecordId> unseen;
    if (!follows()) {
        unseen = store_->find(key);
        if (!unseen.has_value() || present.find(*unseen) != nullptr) return unseen;
    }
    for (auto view = present.segments.rbegin(); view != present.segments.rend(); ++view) {
        if (!view->segment->sealed()) continue;
        if (const std::optional<Slot> slot = view->segment->find(key, view->allowed())) {
            return RecordId{view->segment->id(), *slot};
        }
    }
    return unseen;
}

/// Trouble here is shown by stats(), and by the next refresh() call.
KITH_INLINE void Engine::follow_in_background() {
    std::unique_lock lock(background_->mutex);
    while (!background_->wake.wait_for(lock, options_.follow, [this] { return background_->stopping; })) {
        lock.unlock();
        note_trouble(attempt([this] { queue_.exclusive([this] { return catch_up(); }); }));
        lock.lock();
    }
}

}  // namespace kith::inline v0::detail

#endif
