// kith/collection/engine/merge_builder.hpp — the records of several segments, put into one.
//
// Thread safety: none; belongs to whoever holds the engine's merging role.
#pragma once

#include "kith/collection/durable_store.hpp"
#include "kith/collection/engine_schema.hpp"
#include "kith/collection/merged_segments.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace kith::inline v0::detail {

/// A segment that is being made of several: indexes in memory, and where each record went.
class MergeBuilder {
public:
    /// The graph of the largest part is taken over where at most the share `dead_kept` of its records is deleted: then
    /// only the records of the others are linked anew, and the dead of the largest stay as slots that nobody sees.
    /// Where `dead_kept` is negative no graph is taken over.
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
    [[nodiscard]] std::vector<std::unique_ptr<VectorIndex>> take_indexes() noexcept { return std::move(indexes_); }

    /// What the files are written from; it refers to this, to the parts, and to `store`, which has their rows.
    [[nodiscard]] SegmentImage image(const DurableStore& store) const {
        std::vector<std::optional<RecordId>> origins(count_);
        for (const MovedSegment& part : moves_) {
            for (Slot slot = 0; slot < part.to.size(); ++slot) {
                if (part.to[slot] != no_slot) origins[part.to[slot]] = RecordId{part.from->id(), slot};
            }
        }
        SegmentImage image{id_, count_, {}, {}, [&store, origins = std::move(origins)](Slot slot) {
                               return origins[slot].has_value() ? store.row(*origins[slot]) : std::string();
                           }};
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

}  // namespace kith::inline v0::detail
