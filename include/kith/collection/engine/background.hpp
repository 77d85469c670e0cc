// kith/collection/engine/background.hpp — what happens between calls: linking, timed syncs, checkpoints, closing.
#pragma once

#include "kith/collection/engine.hpp"
#include "kith/core/executor.hpp"
#include "kith/core/thread_priority.hpp"

#if KITH_ENGINE_HERE

namespace kith::inline v0::detail {

KITH_INLINE void Engine::start_background() {
    const bool writable = store_ != nullptr && options_.mode != OpenMode::read_only;
    const bool timed = writable && options_.durability.level() == Durability::Level::interval;
    const bool automatic = options_.maintenance == Maintenance::automatic;
    const std::exception_ptr failed = attempt([&] {
        background_->linker = std::thread([this] { link_in_background(); });
        if (writable && automatic) background_->keeper = std::thread([this] { keep_in_background(); });
        if (store_ == nullptr && automatic) background_->keeper = std::thread([this] { merge_in_background(); });
        if (timed) background_->sync_timer = std::thread([this] { run_sync_timer(); });
        if (follows() && options_.follow.count() > 0) {
            background_->follower = std::thread([this] { follow_in_background(); });
        }
    });
    if (failed == nullptr) return;
    stop_background();
    raise(Errc::out_of_memory, name_ + ": its background threads cannot be started: " + text_of(failed));
}

KITH_INLINE void Engine::stop_background() {
    {
        const std::lock_guard lock(background_->mutex);
        background_->stopping = true;
    }
    background_->wake.notify_all();
    background_->sealed.notify_all();
    for (std::thread* thread :
         {&background_->linker, &background_->keeper, &background_->sync_timer, &background_->follower}) {
        if (thread->joinable()) thread->join();
    }
}

/// Tells the threads that there is work.
KITH_INLINE void Engine::wake_background() {
    {
        const std::lock_guard lock(background_->mutex);
        ++background_->arrivals;
    }
    background_->wake.notify_all();
}

/// Calls act(), as work that takes a core, at once and after each arrival of work, until the collection closes; again at
/// once while it returns true.
template <class Act>
void Engine::run_when_woken(const Act& act) {
    std::uint64_t seen = 0;
    for (bool more = true;;) {
        {
            std::unique_lock lock(background_->mutex);
            if (!more) {
                background_->wake.wait(lock, [&] { return background_->stopping || background_->arrivals != seen; });
            }
            if (background_->stopping) return;
            seen = background_->arrivals;
        }
        Executor::shared().attend([&] { more = act(); });
    }
}

/// Trouble here loses nothing: records that are not linked are compared one by one.
KITH_INLINE void Engine::link_in_background() {
    give_way_to_others();
    run_when_woken([this] {
        bool more = false;
        static_cast<void>(attempt([&] {
            more = link_some(in_memory());
            if (!more) calibrate(in_memory(), background_call(), false);
        }));
        return more;
    });
}

/// Trouble here loses nothing either: what is not sealed is in memory and in the log. It is shown by stats(), and tried
/// again when a quarter more has come than there was.
KITH_INLINE void Engine::keep_in_background() {
    give_way_to_others();
    std::uint64_t seal_from = 0;
    run_when_woken([&] {
        const bool again = store_->log_bytes() >= seal_from;
        const std::exception_ptr failed = attempt([&] {
            if (again) {
                const std::lock_guard keeper(keeper_);
                if (seal_is_due()) seal(background_call());
            }
            while (again && merge(&next_merge, background_call())) {
            }
            drop_unheld();
        });
        seal_from = failed == nullptr ? 0 : store_->log_bytes() + store_->log_bytes() / 4 + 1;
        if (again) note_trouble(failed);
        background_->sealed.notify_all();
        return false;
    });
}

/// Has stats() show why work in the background failed, or that it did not.
KITH_INLINE void Engine::note_trouble(const std::exception_ptr& failed) noexcept {
    std::string trouble;
    const auto describe = [&] { trouble = failed == nullptr ? std::string() : text_of(failed); };
    if (attempt(describe) != nullptr) trouble = "out of memory";  // so few letters that it takes none
    const std::lock_guard lock(background_->mutex);
    background_->trouble.swap(trouble);
}

/// A call that the closing of the collection stops.
KITH_INLINE LongCall Engine::background_call() {
    LongCall call;
    call.progress = [this](double) {
        if (closing_.load()) raise(Errc::cancelled, "the collection closes");
    };
    return call;
}

KITH_INLINE void Engine::run_sync_timer() {
    std::unique_lock lock(background_->mutex);
    while (!background_->wake.wait_for(lock, options_.durability.period(), [this] { return background_->stopping; })) {
        lock.unlock();
        static_cast<void>(attempt([this] { queue_.exclusive([this] { sync_log(); }); }));
        lock.lock();
    }
}

/// The segments of `present` that are not sealed. Who works on them for long holds them alone: who holds a sealed one as
/// well keeps it on the disk when a merge has replaced it.
KITH_INLINE std::vector<SegmentView> Engine::in_memory(const Snapshot& present) {
    std::vector<SegmentView> views;
    for (const SegmentView& view : present.segments) {
        if (!view.segment->sealed()) views.push_back(view);
    }
    return views;
}

KITH_INLINE std::vector<SegmentView> Engine::in_memory() const {
    const std::shared_ptr<const Snapshot> present = snapshot();  // let go of before anybody works on what is returned
    return in_memory(*present);
}

/// Links a chunk of the records of `views`; false when none is left.
KITH_INLINE bool Engine::link_some(const std::vector<SegmentView>& views) {
    constexpr Slot chunk = 256;
    for (const SegmentView& view : views) {
        const Slot linked = view.segment->linked();
        if (linked < view.count) {
            view.segment->link_up_to(std::min(view.count, linked + chunk), options_.index_threads);
            return true;
        }
    }
    return false;
}

/// Measures recall where it is due.
KITH_INLINE void Engine::calibrate(const std::vector<SegmentView>& views, const LongCall& call, bool to_seal) const {
    Training training;
    training.threads = options_.index_threads;
    training.progress = [&](double) {
        call.check(0.9);
        return true;
    };
    for (const SegmentView& view : views) view.segment->calibrate(training, to_seal);
}

/// Links the records of `views` and none that come later, so that writers cannot keep it busy for good.
KITH_INLINE void Engine::link_all(const std::vector<SegmentView>& views, const LongCall& call) {
    double slots = 0;
    double linked = 0;
    for (const SegmentView& view : views) slots += view.count;
    do {
        linked = 0;
        for (const SegmentView& view : views) linked += std::min(view.segment->linked(), view.count);
        call.check(slots == 0 ? 0 : 0.9 * linked / slots);
    } while (link_some(views));
}

KITH_INLINE void Engine::link(const LongCall& call) {
    const auto open = enter();
    link_all(in_memory(), call);
}

KITH_INLINE void Engine::close() {
    if (forked()) raise(Errc::forked, name_ + ": was opened by another process");
    closing_.store(true);
    {
        const std::lock_guard lock(background_->mutex);  // so that nobody misses it between asking and waiting
    }
    background_->sealed.notify_all();
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

#endif
