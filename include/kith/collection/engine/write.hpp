// kith/collection/engine/write.hpp — the path of a batch: checked, staged, logged, synced, published.
//
// Thread safety: everything here but Engine::write runs in the writer role.
#pragma once

#include "kith/collection/engine.hpp"

#include <algorithm>

#if KITH_ENGINE_HERE

namespace kith::inline v0::detail {

KITH_INLINE void Engine::require_writable() const {
    if (options_.mode == OpenMode::read_only) raise(Errc::read_only, name_ + ": was opened read-only");
    if (poisoned_.load() || (store_ != nullptr && store_->poisoned())) {
        raise(Errc::poisoned,
              name_ +
                  ": an earlier write or sync failed, so it is unknown what the disk holds; open the collection again "
                  "to recover every acknowledged record");
    }
}

KITH_INLINE void Engine::write(const std::function<std::string()>& prepare, OnExisting on_existing) {
    const auto open = enter();
    require_writable();
    wait_for_memory();
    Request request{&prepare, on_existing, nullptr};
    queue_.commit(request, [this](const std::vector<Request*>& requests) { serve(requests); });
    wake_background();
}

KITH_INLINE void Engine::serve(const std::vector<Request*>& requests) {
    require_writable();
    NextSnapshot next(*snapshot_);
    for (Request* request : requests) {
        stage_.save_point();
        request->error = attempt([&] { serve_one(*request, next); });
        if (request->error != nullptr) stage_.roll_back();
    }
    if (options_.durability.level() == Durability::Level::each_commit) sync_log();
    publish(next);
    measure_memory();
}

/// Waits while records in memory take up more than they may.
/// Throws: Errc::limit_exceeded when they cannot be sealed; nothing was written.
KITH_INLINE void Engine::wait_for_memory() const {
    if (store_ == nullptr || options_.memory_bytes == 0) return;
    const auto fits = [this] { return memory_bytes_.load() <= options_.memory_bytes; };
    if (fits()) return;
    std::unique_lock lock(background_->mutex);
    ++background_->arrivals;
    background_->wake.notify_all();
    background_->sealed.wait(lock, [&] {
        return fits() || background_->stopping || closing_.load() || !background_->trouble.empty() ||
               !background_->keeper.joinable();
    });
    if (fits() || background_->stopping || closing_.load()) return;
    raise(Errc::limit_exceeded, "records in memory take up " + std::to_string(memory_bytes_.load()) +
                                    " bytes, Options::memory_bytes allows " + std::to_string(options_.memory_bytes) +
                                    ", and they cannot be sealed: " +
                                    (background_->trouble.empty() ? "call checkpoint()" : background_->trouble) +
                                    "; nothing was written");
}

/// Throws: Errc::disk_full when `batch` holds records and would make the files larger than they may be.
KITH_INLINE void Engine::require_space(std::string_view batch) const {
    if (store_ == nullptr || options_.max_disk_bytes == 0) return;
    const std::uint64_t used = disk_bytes_.load() + store_->log_bytes();
    if (used + batch.size() <= options_.max_disk_bytes) return;
    bool puts = false;
    static_cast<void>(read_batch(batch, schema_.vector_bytes(), [&](const Operation& operation) {
        puts = puts || operation.kind == OperationKind::put;
    }));
    if (!puts) return;
    raise(Errc::disk_full, "the collection takes up " + std::to_string(used) +
                               " bytes, Options::max_disk_bytes allows " + std::to_string(options_.max_disk_bytes) +
                               "; nothing was written. Erase records and compact(), or allow more");
}

KITH_INLINE void Engine::serve_one(const Request& request, NextSnapshot& next) {
    const std::string batch = (*request.prepare)();
    if (batch.empty()) return;
    require_space(batch);
    stage(batch, request.on_existing);
    make_room(next, stage_.new_deletes());
    if (store_ != nullptr) store_->append(batch);
}

KITH_INLINE std::size_t Engine::stage(std::string_view batch, OnExisting on_existing) {
    std::unordered_set<std::string_view> seen;
    std::size_t position = 0;
    const bool whole = read_batch(batch, schema_.vector_bytes(), [&](const Operation& operation) {
        if (!seen.insert(operation.key).second) {
            raise(Errc::invalid_argument, "record " + std::to_string(position) + " of the batch repeats the key " +
                                              shown(operation.key) + "; nothing was written");
        }
        const std::optional<RecordId> older = newest(operation.key);
        if (operation.kind == OperationKind::erase) {
            if (older.has_value()) stage_.erase(operation.key, *older);
        } else {
            if (older.has_value() && on_existing == OnExisting::refuse) {
                raise(Errc::already_exists, "record " + std::to_string(position) + ": the key " + shown(operation.key) +
                                                " is present; nothing was written");
            }
            stage_.put(operation, older);
        }
        ++position;
    });
    if (!whole) raise(Errc::corrupt, "a batch of the log has a right checksum but cannot be read");
    return position;
}

/// Commits; when that leaves unknown what the disk holds, nothing is written any more, whatever the store says later.
template <class Act>
void Engine::committing(const Act& act) {
    const std::exception_ptr failed = attempt(act);
    if (failed == nullptr) return;
    if (store_->poisoned()) poisoned_.store(true);
    std::rethrow_exception(failed);
}

KITH_INLINE void Engine::sync_log() {
    if (store_ == nullptr) return;
    const std::exception_ptr failed = attempt([&] { store_->sync(); });
    if (failed == nullptr) return;
    poisoned_.store(true);
    std::rethrow_exception(failed);
}

/// Has all the memory that publish() takes for what is staged, where `deletes` were not there at the call before.
KITH_INLINE void Engine::make_room(NextSnapshot& next, std::span<const RecordId> deletes) {
    next.make_room(stage_.segments(), deletes);
    if (base_ != nullptr) return;
    const std::size_t keys = keys_.size() + stage_.key_count();
    if (static_cast<double>(keys) <
        static_cast<double>(keys_.max_load_factor()) * static_cast<double>(keys_.bucket_count())) {
        return;
    }
    const std::unique_lock lock(published_mutex_);
    keys_.reserve(std::max(keys, 2 * keys_.size()));  // asked for no more, some libraries give no more
}

/// Makes everything staged visible at once.
/// Requires: there is room for all of it.
KITH_INLINE void Engine::publish(NextSnapshot& next) noexcept {
    std::shared_ptr<const Snapshot> shown = next.finish(stage_.segments(), stage_.deletes());
    if (shown == nullptr) return;
    KeyMap changed = stage_.take_keys();
    {
        const std::unique_lock lock(published_mutex_);
        if (base_ != nullptr) changed.swap(keys_);  // what was there is overtaken
        while (base_ == nullptr && !changed.empty()) {
            auto node = changed.extract(changed.begin());
            if (!node.mapped().has_value() && store_ == nullptr) {
                keys_.erase(node.key());
                continue;
            }
            const auto placed = keys_.insert(std::move(node));
            if (!placed.inserted) placed.position->second = placed.node.mapped();
        }
        snapshot_.swap(shown);
    }
    stage_.published();
}

KITH_INLINE void Engine::publish_staged() {
    NextSnapshot next(base_ != nullptr ? *base_ : *snapshot_);
    make_room(next, stage_.deletes());
    publish(next);
}

KITH_INLINE std::optional<RecordId> Engine::newest(std::string_view key) const {
    if (const std::optional<RecordId>* staged = stage_.find(key)) return *staged;
    if (base_ != nullptr) return find_sealed(*base_, key);
    for (const KeyMap* keys : {&keys_, &frozen_keys_}) {  // only the writer role changes them, and this is it
        const auto published = keys->find(key);
        if (published == keys->end()) continue;
        return published->second.has_value() ? std::optional(relocation_(*published->second)) : std::nullopt;
    }
    if (store_ == nullptr) return std::nullopt;
    const std::optional<RecordId> sealed = find_sealed(*snapshot_, key);
    if (sealed.has_value() && snapshot_->find(*sealed) == nullptr) {
        raise(Errc::corrupt, "the key " + shown(key) + " leads to a record that is not there");
    }
    return sealed;
}

KITH_INLINE std::string Engine::newest_row(RecordId id) const {
    for (const auto& segment : stage_.segments()) {
        if (segment->id() == id.segment && !segment->sealed()) return std::string(segment->row(id.slot));
    }
    return store_->row(id);
}

KITH_INLINE void Engine::newest_vector(RecordId id, std::size_t vector_field, float* out) const {
    for (const auto& segment : stage_.segments()) {
        if (segment->id() == id.segment) segment->vector(vector_field, id.slot, out);
    }
}

}  // namespace kith::inline v0::detail

#endif
