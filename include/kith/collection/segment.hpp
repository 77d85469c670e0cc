// kith/collection/segment.hpp — a run of records: their rows, vectors and graphs, by slot.
//
// A segment is written by one thread, linked into its graphs by another, and read by any number. It is sealed by a
// checkpoint: the same id and slots, now mapped from files and read from the environment instead of memory.
//
// Thread safety: append and truncate belong to the writer; link_up_to may run beside it; everything const may run
// at any time for slots that a Snapshot has published.
#pragma once

#include "kith/collection/engine_schema.hpp"
#include "kith/collection/row_store.hpp"
#include "kith/core/bytes.hpp"
#include "kith/core/slot.hpp"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>
#include <utility>
#include <vector>

namespace kith::inline v0::detail {

class Segment {
public:
    /// An empty segment in memory.
    /// Throws: Errc::out_of_memory.
    Segment(std::uint32_t id, Slot capacity, const EngineSchema& schema)
        : id_(id), capacity_(capacity), rows_(std::make_unique<RowStore>(capacity)) {
        for (const VectorFieldType& field : schema.vectors) {
            indexes_.push_back(field.make(field.dim, capacity));
            scratch_.resize(std::max(scratch_.size(), field.dim));
        }
    }

    /// A sealed segment; `files` keeps alive the bytes that the indexes are mapped over.
    Segment(std::uint32_t id, Slot count, std::vector<std::unique_ptr<VectorIndex>> indexes,
            std::shared_ptr<const void> files)
        : id_(id), capacity_(count), sealed_count_(count), files_(std::move(files)), indexes_(std::move(indexes)) {}

    [[nodiscard]] std::uint32_t id() const noexcept { return id_; }
    [[nodiscard]] bool sealed() const noexcept { return rows_ == nullptr; }
    /// For the writer, as size() is.
    [[nodiscard]] bool full() const noexcept { return size() == capacity_; }

    /// Slots given out, published or not.
    [[nodiscard]] Slot size() const noexcept { return sealed() ? sealed_count_ : rows_->size(); }

    /// Adds a record in the next slot, which it returns.
    /// Requires: the segment is neither sealed nor full; `vectors` holds the elements of all vector fields.
    Slot append(std::string_view row, std::string_view vectors) {
        const Slot slot = rows_->size();
        ByteReader reader(vectors);
        for (const auto& index : indexes_) {
            const std::span<float> elements = std::span(scratch_).first(index->dim());
            const bool whole = reader.f32s(elements);
            KITH_ASSERT(whole);
            static_cast<void>(whole);
            index->append(elements.data());
        }
        rows_->append(row);
        return slot;
    }

    /// Forgets the slots from `size` on, none of which was ever published.
    void truncate(Slot size) {
        for (const auto& index : indexes_) index->truncate(size);
        rows_->truncate(size);
    }

    /// The row of a slot. Requires: the segment is not sealed.
    [[nodiscard]] std::string_view row(Slot slot) const noexcept { return (*rows_)[slot]; }

    [[nodiscard]] const VectorIndex& index(std::size_t vector_field) const noexcept { return *indexes_[vector_field]; }
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

    /// Trains anew and measures the recall of those indexes that have grown to twice what they were the last time.
    /// Concurrent calls, and calls of link_up_to, take turns.
    void calibrate(unsigned threads) {
        constexpr Slot fewest = 1000;  // fewer are scanned
        const std::lock_guard lock(link_mutex_);
        for (const auto& index : indexes_) {
            if (index->indexed() >= fewest && index->indexed() / 2 >= index->calibrated()) index->calibrate(threads);
        }
    }

private:
    std::uint32_t id_;
    Slot capacity_;
    Slot sealed_count_ = 0;                              // slots of a sealed segment
    std::shared_ptr<const void> files_;                  // outlives indexes_, which may point into it
    std::unique_ptr<RowStore> rows_;                     // null once sealed: rows are in the environment
    std::vector<std::unique_ptr<VectorIndex>> indexes_;  // one a vector field, in the order of the schema
    std::vector<float> scratch_;                         // the writer's: one vector, aligned
    std::mutex link_mutex_;                              // one thread links at a time
};

}  // namespace kith::inline v0::detail
