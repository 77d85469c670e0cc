// kith/collection/engine/read.hpp — opening, looking up and searching.
#pragma once

#include "kith/collection/engine.hpp"

#include <deque>

#if KITH_ENGINE_HERE

namespace kith::inline v0::detail {

KITH_INLINE Engine::Engine(EngineSchema schema, const Options& options, OpenedStore opened)
    : schema_(std::move(schema)),
      options_(options),
      store_(std::move(opened.store)),
      name_(store_ != nullptr ? store_->path().string() : "the collection in memory"),
      stage_(schema_, options.segment_capacity),
      snapshot_(opened.snapshot != nullptr ? std::move(opened.snapshot) : std::make_shared<const Snapshot>()) {
    stage_.reset(snapshot_->all_segments(), opened.next_segment);
    if (follows()) {
        newer_base_ = StoreBase{snapshot_, opened.next_segment};
        catch_up();
        recovery_ = store_->followed();
        recovery_.replayed_batches = applied_.replayed_batches;
        recovery_.replayed_operations = applied_.replayed_operations;
    } else if (store_ != nullptr) {
        std::uint64_t operations = 0;
        recovery_ = store_->replay([&](std::string_view batch) {
            operations += stage(batch, OnExisting::replace);
            stage_.save_point();
        });
        publish_staged();
        recovery_.replayed_operations = operations;
        disk_bytes_.store(store_->bytes().without_log());
    }
    measure_memory();
    start_background();
}

KITH_INLINE Engine::~Engine() {
    if (forked()) {
        // The threads are the parent's. To join them, or to destroy what they wait on, would wait forever.
        static_cast<void>(background_.release());
        return;
    }
    static_cast<void>(attempt([this] { close(); }));
}

KITH_INLINE std::shared_lock<std::shared_mutex> Engine::enter() const {
    if (forked()) {
        raise(Errc::forked,
              name_ + ": was opened by process " + std::to_string(owner_) + "; open it again in the forked process");
    }
    // Asked before the lock, which readers who keep coming would keep from close() for good.
    if (closing_.load()) raise(Errc::closed, name_ + ": is closed");
    std::shared_lock lock(lifetime_);
    if (closed_) raise(Errc::closed, name_ + ": is closed");
    return lock;
}

KITH_INLINE std::shared_ptr<const Snapshot> Engine::snapshot() const {
    const std::shared_lock lock(published_mutex_);
    return snapshot_;
}

KITH_INLINE std::optional<Engine::Located> Engine::locate(std::string_view key) const {
    for (std::shared_ptr<const Snapshot> before;;) {
        std::shared_ptr<const Snapshot> present;
        std::optional<RecordId> id;
        bool changed = false;
        {
            const std::shared_lock lock(published_mutex_);
            present = snapshot_;
            for (const KeyMap* keys : {&keys_, &frozen_keys_}) {
                const auto found = keys->find(key);
                if (found == keys->end()) continue;
                changed = true;
                if (found->second.has_value()) id = relocation_(*found->second);
                break;
            }
        }
        // Not under the lock: writers would wait for it, and it may read from the disk.
        if (!changed && store_ != nullptr) id = find_sealed(*present, key);
        if (!id.has_value()) return std::nullopt;
        if (const SegmentView* view = present->find(*id)) return Located{std::move(present), view, *id};
        // The store knew a newer version: a checkpoint came in between, and with it another snapshot.
        if (present == before) raise(Errc::corrupt, "the key " + shown(key) + " leads to a record that is not there");
        before = std::move(present);
    }
}

KITH_INLINE std::optional<Engine::Located> Engine::locate_in(std::shared_ptr<const Snapshot> present,
                                                             std::string_view key) const {
    for (auto view = present->segments.rbegin(); view != present->segments.rend(); ++view) {
        if (const std::optional<Slot> slot = view->segment->find(key, view->allowed())) {
            const RecordId id{view->segment->id(), *slot};
            const SegmentView* found = &*view;
            return Located{std::move(present), found, id};
        }
    }
    return std::nullopt;
}

KITH_INLINE std::string Engine::row(const SegmentView& view, Slot slot) const {
    if (!view.segment->sealed()) return std::string(view.segment->row(slot));
    return store_->row({view.segment->id(), slot});
}

KITH_INLINE std::vector<Found> Engine::search(const Snapshot& snapshot, const SearchRequest& request) const {
    return detail::search(snapshot, request, scratch_, options_.search_threads);
}

KITH_INLINE std::vector<std::vector<Found>> Engine::search_many(const Snapshot& snapshot, const SearchRequest& request,
                                                                MatrixView queries, std::span<const Accept> accepts,
                                                                unsigned threads) const {
    std::deque<ScratchPool::Lease> leases;
    std::vector<SearchScratch*> scratches;
    for (unsigned thread = 0; thread < threads; ++thread) scratches.push_back(&*leases.emplace_back(scratch_));
    return detail::search_many(snapshot, request, queries, accepts, scratches);
}

}  // namespace kith::inline v0::detail

#endif
