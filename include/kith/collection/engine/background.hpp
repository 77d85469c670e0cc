// kith/collection/engine/background.hpp — what happens between calls: linking, timed syncs, checkpoints, closing.
#pragma once

#include "kith/collection/engine.hpp"

namespace kith::inline v0::detail {

inline void Engine::start_background() {
    const bool timed = store_ != nullptr && options_.mode != OpenMode::read_only &&
                       options_.durability.level() == Durability::Level::interval;
    const std::exception_ptr failed = attempt([&] {
        background_->worker = std::thread([this] { run_in_background(); });
        if (timed) background_->sync_timer = std::thread([this] { run_sync_timer(); });
    });
    if (failed == nullptr) return;
    stop_background();
    raise(Errc::out_of_memory, "the collection's background threads cannot be started");
}

inline void Engine::stop_background() {
    {
        const std::lock_guard lock(background_->mutex);
        background_->stopping = true;
    }
    background_->wake.notify_all();
    if (background_->worker.joinable()) background_->worker.join();
    if (background_->sync_timer.joinable()) background_->sync_timer.join();
}

inline void Engine::run_in_background() {
    bool more = true;                              // replayed records wait to be linked
    std::uint64_t seal_from = options_.log_bytes;  // a log longer than this is sealed
    for (;;) {
        {
            std::unique_lock lock(background_->mutex);
            if (!more)
                background_->wake.wait(lock, [this] { return background_->stopping || background_->work_arrived; });
            if (background_->stopping) return;
            background_->work_arrived = false;
        }
        // Trouble here loses nothing: unlinked records are scanned, and the next checkpoint() call raises it.
        const std::exception_ptr failed = attempt([&] {
            more = link_some(*snapshot());
            if (!more) calibrate(*snapshot());
            const bool writable = store_ != nullptr && options_.mode != OpenMode::read_only && !poisoned_.load();
            if (more || !writable || log_length_.load() <= seal_from) return;
            seal_from = log_length_.load() + options_.log_bytes;  // if it fails, not again at each write
            seal_all();
            seal_from = options_.log_bytes;
        });
        if (failed != nullptr) more = false;
    }
}

inline void Engine::run_sync_timer() {
    std::unique_lock lock(background_->mutex);
    while (!background_->wake.wait_for(lock, options_.durability.period(), [this] { return background_->stopping; })) {
        lock.unlock();
        static_cast<void>(attempt([this] { queue_.exclusive([this] { sync_log(); }); }));
        lock.lock();
    }
}

/// Links a chunk of the records of `present`; false when none is left.
inline bool Engine::link_some(const Snapshot& present) {
    constexpr Slot chunk = 256;
    for (const SegmentView& view : present.segments) {
        const Slot linked = view.segment->linked();
        if (linked < view.count) {
            view.segment->link_up_to(std::min(view.count, linked + chunk), options_.index_threads);
            return true;
        }
    }
    return false;
}

/// Measures recall where it is due; segments that are sealed had it measured before.
inline void Engine::calibrate(const Snapshot& present) const {
    for (const SegmentView& view : present.segments) {
        if (!view.segment->sealed()) view.segment->calibrate(options_.index_threads);
    }
}

/// Links the records of `present` and none that come later, so that writers cannot keep it busy for good.
inline void Engine::link_all(const Snapshot& present) {
    while (link_some(present)) {
    }
}

inline void Engine::link() {
    const auto open = enter();
    link_all(*snapshot());
}

inline void Engine::checkpoint() {
    const auto open = enter();
    require_writable();
    link_all(*snapshot());
    calibrate(*snapshot());  // here as far as possible, so that writers do not wait for it
    if (store_ != nullptr) seal_all();
}

/// Seals in the writer role, so that the snapshot is all there is.
inline void Engine::seal_all() {
    queue_.exclusive([this] {
        require_writable();
        sync_log();
        const std::shared_ptr<const Snapshot> before = snapshot();
        link_all(*before);
        calibrate(*before);
        std::vector<std::shared_ptr<Segment>> segments;
        segments.reserve(before->segments.size());  // nothing may raise between the commit and the exchange below
        std::shared_ptr<const Snapshot> sealed = store_->seal(*before, keys_, stage_.next_segment());
        for (const SegmentView& view : sealed->segments) segments.push_back(view.segment);
        stage_.reset(std::move(segments), stage_.next_segment());
        log_length_.store(store_->log_bytes());
        const std::unique_lock lock(published_mutex_);
        snapshot_ = std::move(sealed);
        keys_.clear();
    });
}

inline void Engine::close() {
    if (forked()) raise(Errc::forked, "the collection was opened by another process");
    closing_.store(true);
    const std::unique_lock lock(lifetime_);
    if (closed_) return;
    closed_ = true;
    stop_background();
    const std::exception_ptr failed = attempt([&] {
        if (store_ == nullptr || options_.mode == OpenMode::read_only) return;
        require_writable();
        sync_log();
    });
    store_.reset();
    if (failed != nullptr) std::rethrow_exception(failed);
}

}  // namespace kith::inline v0::detail
