// kith/collection/segment.hpp — a run of records: their rows, vectors and graphs, by slot.
//
// A segment is written by one thread, linked into its graphs by another, and read by any number. When it is ended no
// record is added any more; then it is sealed: the same id and slots, now mapped from files and read from the
// environment instead of memory.
//
// Thread safety: append and truncate belong to the writer; link_up_to may run beside it; everything const may run
// at any time for slots that a Snapshot has published.
#pragma once

#include "kith/collection/engine_schema.hpp"
#include "kith/collection/growing_scalars.hpp"
#include "kith/collection/key_table.hpp"
#include "kith/collection/row_store.hpp"
#include "kith/collection/scalar_field.hpp"
#include "kith/core/bitset_view.hpp"
#include "kith/core/bytes.hpp"
#include "kith/core/slot.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace kith::inline v0::detail {

class Segment {
public:
    /// An empty segment in memory.
    Segment(std::uint32_t id, Slot capacity, const EngineSchema& schema)
        : id_(id),
          capacity_(capacity),
          schema_(&schema),
          rows_(std::make_unique<RowStore>(capacity)),
          growing_(schema.fields.empty() ? nullptr : std::make_unique<GrowingScalars>(schema.fields, capacity)) {
        for (const VectorFieldType& field : schema.vectors) {
            indexes_.push_back(field.make(field.dim, capacity));
            scratch_.resize(std::max(scratch_.size(), field.dim));
        }
    }

    /// A segment in memory to which no record is added any more.
    Segment(std::uint32_t id, const EngineSchema& schema, std::unique_ptr<RowStore> rows,
            std::vector<std::unique_ptr<VectorIndex>> indexes)
        : id_(id),
          capacity_(rows->size()),
          ended_(true),
          schema_(&schema),
          rows_(std::move(rows)),
          growing_(schema.fields.empty() ? nullptr : std::make_unique<GrowingScalars>(schema.fields, capacity_)),
          indexes_(std::move(indexes)) {
        for (Slot slot = 0; growing_ != nullptr && slot < rows_->size(); ++slot) growing_->append((*rows_)[slot]);
    }

    /// Raises Errc::corrupt or Errc::io when the bytes of a vector field, or of the keys (keys_part), are not as they were
    /// written; of the vector of a slot alone, unless that is no_slot. It keeps alive the bytes that indexes, keys and
    /// scalar fields are mapped over, and is cheap when asked again.
    using Check = std::function<void(std::size_t part, Slot slot)>;
    static constexpr std::size_t keys_part = ~std::size_t{0};

    /// A sealed segment. `scalars` is null where their files are missing.
    Segment(std::uint32_t id, Slot count, std::vector<std::unique_ptr<VectorIndex>> indexes, const KeyTable& keys,
            std::unique_ptr<const ScalarFields> scalars, Check check, bool outdated, bool incomplete)
        : id_(id),
          capacity_(count),
          sealed_count_(count),
          outdated_(outdated),
          incomplete_(incomplete),
          check_(std::move(check)),
          keys_(keys),
          scalars_(std::move(scalars)),
          indexes_(std::move(indexes)) {}

    [[nodiscard]] std::uint32_t id() const noexcept { return id_; }
    [[nodiscard]] bool sealed() const noexcept { return rows_ == nullptr; }
    /// Whether it has a graph that is missing, or that another index made: vectors are then compared one by one.
    [[nodiscard]] bool outdated() const noexcept { return outdated_; }
    /// Whether it is outdated, or lacks columns or an index of a scalar field that the schema asks for: a merge makes them.
    [[nodiscard]] bool incomplete() const noexcept { return incomplete_; }
    /// For the writer, as size() is: no record can be added.
    [[nodiscard]] bool full() const noexcept { return ended_ || size() == capacity_; }

    /// No record is added from here on. For the writer.
    void end() noexcept { ended_ = true; }

    /// Slots given out, published or not.
    [[nodiscard]] Slot size() const noexcept { return sealed() ? sealed_count_ : rows_->size(); }

    /// Bytes of the records in memory, as far as they are known without asking an index. For the writer.
    [[nodiscard]] std::uint64_t bytes() const noexcept {
        if (sealed()) return 0;
        const std::uint64_t beside = growing_ == nullptr ? 0 : growing_->bytes();
        return rows_->bytes() + beside + std::uint64_t{rows_->size()} * schema_->vector_bytes();
    }

    /// Adds a record in the next slot, which it returns.
    /// Requires: the segment is neither sealed nor full; `vectors` holds the elements of all vector fields.
    Slot append(std::string_view key, std::string_view row, std::string_view vectors) {
        const Slot slot = rows_->size();
        const char* next = vectors.data();
        for (std::size_t field = 0; field < indexes_.size(); ++field) {
            const VectorFieldType& type = schema_->vectors[field];
            type.read(next, type.dim, scratch_.data());
            next += type.bytes;
            indexes_[field]->append(scratch_.data());
        }
        KITH_ASSERT(next == vectors.data() + vectors.size());
        if (growing_ != nullptr) growing_->append(row);
        rows_->append(key, row);
        return slot;
    }

    /// Forgets the slots from `size` on, none of which was ever published.
    void truncate(Slot size) noexcept {
        for (const auto& index : indexes_) index->truncate(size);
        if (growing_ != nullptr) growing_->truncate(size);
        rows_->truncate(size);
    }

    /// The row of a slot. Requires: the segment is not sealed.
    [[nodiscard]] std::string_view row(Slot slot) const noexcept { return (*rows_)[slot]; }

    /// The key of a slot. Requires: the segment is not sealed.
    [[nodiscard]] std::string_view key(Slot slot) const noexcept { return rows_->key(slot); }

    /// The allowed slot with this key; the newest where several are allowed.
    /// Throws: Errc::corrupt, Errc::io.
    [[nodiscard]] std::optional<Slot> find(std::string_view key, BitsetView allowed) const {
        if (!sealed()) return rows_->find(key, allowed);
        const std::optional<Slot> slot = key_table().find(key);
        return slot.has_value() && allowed.allows(*slot) ? slot : std::nullopt;
    }

    /// The keys of the allowed slots, in order. Requires: the segment is not sealed, and each has another key.
    [[nodiscard]] std::vector<KeySlot> keys(BitsetView allowed) const {
        std::vector<KeySlot> keys;
        for (Slot slot = 0; slot < allowed.count(); ++slot) {
            if (allowed.allows(slot)) keys.push_back({rows_->key(slot), slot});
        }
        std::sort(keys.begin(), keys.end());
        return keys;
    }

    /// The keys of a sealed segment.
    /// Throws: Errc::corrupt, Errc::io.
    [[nodiscard]] const KeyTable& key_table() const {
        if (check_) check_(keys_part, no_slot);
        return keys_;
    }

    /// What is known of the scalar fields without rows, by their places in the record; nothing at all where the files of a
    /// sealed segment are missing. A field raises what is damaged of it when it is asked.
    [[nodiscard]] std::span<const ScalarField* const> scalars() const noexcept {
        if (growing_ != nullptr) return growing_->fields();
        if (scalars_ == nullptr) return {};
        return scalars_->fields();
    }

    /// Throws: Errc::corrupt, Errc::io, for a sealed segment whose files are damaged.
    /// Cost: the first time it reads all of the files of the field in a sealed segment.
    [[nodiscard]] const VectorIndex& index(std::size_t vector_field) const {
        if (check_) check_(vector_field, no_slot);
        return *indexes_[vector_field];
    }
    /// Raises when bytes were damaged that were read since index() was asked for the field: of files that are read through
    /// a cache, damage shows when they are read.
    /// Throws: Errc::corrupt, Errc::io.
    void confirm(std::size_t vector_field) const {
        if (check_) check_(vector_field, no_slot);
    }
    /// Copies the vector of a slot to `out`. Shape: as VectorIndex::vector.
    /// Throws: Errc::corrupt, Errc::io, for a sealed segment whose file of vectors is damaged where this one stands.
    /// Cost: reads the blocks that it stands in, and no others.
    void vector(std::size_t vector_field, Slot slot, float* out) const {
        if (check_) check_(vector_field, slot);
        indexes_[vector_field]->vector(slot, out);
        if (check_) check_(vector_field, slot);  // through a cache the bytes came only now
    }
    [[nodiscard]] std::size_t index_count() const noexcept { return indexes_.size(); }

    /// The slots below it are in every graph; past the last slot where there are no graphs.
    [[nodiscard]] Slot linked() const noexcept {
        Slot linked = no_slot;
        for (const auto& index : indexes_) linked = std::min(linked, index->indexed());
        return linked;
    }

    /// Links the published slots below `count` into the graphs. Concurrent calls take turns.
    void link_up_to(Slot count, unsigned threads) {
        const std::lock_guard lock(link_mutex_);
        for (const auto& index : indexes_) {
            if (index->indexed() < count) index->index_up_to(count, threads);
        }
    }

    /// Measures the recall of those indexes for which it is due; before they are sealed, of those a tenth of whose
    /// vectors came since. Calls before sealing take turns with others and with link_up_to; another one does nothing where
    /// one of those is at work.
    /// Throws: Errc::cancelled when training.progress says so.
    void calibrate(const Training& training, bool to_seal) {
        constexpr Slot fewest = 1000;  // fewer are scanned
        std::unique_lock lock(link_mutex_, std::defer_lock);
        if (to_seal) lock.lock();
        if (!to_seal && !lock.try_lock()) return;
        for (const auto& index : indexes_) {
            if (index->indexed() < fewest) continue;
            const bool old = index->indexed() - index->calibrated() > index->indexed() / 10;
            if (index->calibration_due() || (to_seal && old)) index->calibrate(training);
        }
    }

private:
    std::uint32_t id_;
    Slot capacity_;
    Slot sealed_count_ = 0;                              // slots of a sealed segment
    bool ended_ = false;                                 // full, whatever the capacity
    bool outdated_ = false;                              // a graph of a sealed segment is missing or not usable
    bool incomplete_ = false;                            // so, or files of scalar fields are missing
    Check check_;                                        // of a sealed segment; outlives keys_ and indexes_
    KeyTable keys_;                                      // of a sealed segment
    const EngineSchema* schema_ = nullptr;               // the engine's; of a segment in memory
    std::unique_ptr<RowStore> rows_;                     // null once sealed: rows are in the environment
    std::unique_ptr<GrowingScalars> growing_;            // beside rows_, where the schema names fields
    std::unique_ptr<const ScalarFields> scalars_;        // of a sealed segment, or null
    std::vector<std::unique_ptr<VectorIndex>> indexes_;  // one a vector field, in the order of the schema
    std::vector<float> scratch_;                         // the writer's: one vector, aligned
    std::mutex link_mutex_;                              // one thread links at a time
};

}  // namespace kith::inline v0::detail
