// kith/collection/next_snapshot.hpp — the snapshot that a group of batches will make, and all the memory it takes.
//
// What was logged must be shown. So the memory that showing a batch takes is had before the batch is logged, and what is
// left to do then cannot fail.
//
// Thread safety: none; belongs to whoever holds the engine's writer role.
#pragma once

#include "kith/collection/record_id.hpp"
#include "kith/collection/snapshot.hpp"
#include "kith/core/assert.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace kith::inline v0::detail {

class NextSnapshot {
public:
    using Segments = std::vector<std::shared_ptr<Segment>>;

    /// On top of `before`, which must outlive it.
    explicit NextSnapshot(const Snapshot& before) noexcept : before_(&before) {}

    /// Has the memory that finish() takes for `segments`, and for `deletes` beside those of earlier calls.
    /// Requires: `segments` begins with those of the snapshot before.
    void make_room(const Segments& segments, std::span<const RecordId> deletes) {
        if (next_ == nullptr) next_ = std::make_shared<Snapshot>();
        next_->segments.reserve(segments.size());
        if (changed_.size() < segments.size()) changed_.resize(segments.size());
        for (const RecordId id : deletes) {
            const std::size_t at = position(segments, id.segment);
            if (changed_[at] == nullptr) change(at, segments[at]->size());
        }
        for (std::size_t at = 0; at < segments.size(); ++at) {
            const DeleteSet* const present = newest(at);
            if (present != nullptr && present->words.size() < words_for(segments[at]->size())) {
                change(at, segments[at]->size());
            }
        }
        has_room_ = true;
    }

    /// The snapshot with these segments, as far as they are written, and these records deleted; null when room was made
    /// for nothing.
    /// Requires: room was made for each of them; no slot is deleted yet.
    [[nodiscard]] std::shared_ptr<const Snapshot> finish(const Segments& segments,
                                                         std::span<const RecordId> deletes) noexcept {
        if (!has_room_) return nullptr;
        for (const RecordId id : deletes) {
            DeleteSet& changed = *changed_[position(segments, id.segment)];
            changed.words[id.slot / 64] |= std::uint64_t{1} << (id.slot % 64);
            ++changed.count;
        }
        KITH_ASSERT(next_->segments.capacity() >= segments.size());
        for (std::size_t at = 0; at < segments.size(); ++at) {
            const bool differs = changed_[at] != nullptr && changed_[at]->count > 0;
            SegmentView view{segments[at], segments[at]->size(), nullptr};
            if (differs) {
                view.deletes = std::move(changed_[at]);
            } else if (at < before_->segments.size()) {
                view.deletes = before_->segments[at].deletes;
            }
            next_->segments.push_back(std::move(view));
        }
        return std::move(next_);
    }

private:
    static std::size_t words_for(Slot count) noexcept { return (std::size_t{count} + 63) / 64; }

    static std::size_t position(const Segments& segments, std::uint32_t id) noexcept {
        const auto below = [](const std::shared_ptr<Segment>& segment, std::uint32_t wanted) {
            return segment->id() < wanted;
        };
        const auto found = std::lower_bound(segments.begin(), segments.end(), id, below);
        KITH_ASSERT(found != segments.end() && (*found)->id() == id);
        return static_cast<std::size_t>(found - segments.begin());
    }

    /// What is deleted of the segment at `at`, as far as that is known; null when nothing is.
    [[nodiscard]] const DeleteSet* newest(std::size_t at) const noexcept {
        if (changed_[at] != nullptr) return changed_[at].get();
        return at < before_->segments.size() ? before_->segments[at].deletes.get() : nullptr;
    }

    /// Makes a copy of the deletes at `at`, with words for at least `count` slots.
    void change(std::size_t at, Slot count) {
        const DeleteSet* const before = newest(at);
        auto changed = std::make_shared<DeleteSet>();
        const std::size_t needed = words_for(count);
        const std::size_t present = before == nullptr ? 0 : before->words.size();
        changed->words.reserve(present < needed ? needed + needed / 2 : present);
        if (before != nullptr) {
            changed->words = before->words;
            changed->count = before->count;
        }
        changed->words.resize(changed->words.capacity());
        changed_[at] = std::move(changed);
    }

    const Snapshot* before_;
    bool has_room_ = false;  // for some batch; what is there besides serves a batch that is taken back
    std::shared_ptr<Snapshot> next_;
    std::vector<std::shared_ptr<DeleteSet>> changed_;  // by position of the segment: its deletes to be; null: as before
};

}  // namespace kith::inline v0::detail
