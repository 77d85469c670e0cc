// kith/collection/stage.hpp — the changes of a group of batches between being accepted and being seen.
//
// Records are appended to the last segment past what any snapshot shows; which keys point to them and which older
// versions die is kept here until the group is durable. A batch that fails is taken back whole.
//
// Thread safety: none; belongs to whoever holds the engine's writer role.
#pragma once

#include "kith/collection/batch.hpp"
#include "kith/collection/engine_schema.hpp"
#include "kith/collection/key_map.hpp"
#include "kith/collection/segment.hpp"
#include "kith/core/error.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kith::inline v0::detail {

class Stage {
public:
    Stage(const EngineSchema& schema, Slot segment_capacity) : schema_(&schema), segment_capacity_(segment_capacity) {}

    /// Changes of the key that are not published yet: null when there are none.
    [[nodiscard]] const std::optional<RecordId>* find(std::string_view key) const {
        const auto found = keys_.find(key);
        return found == keys_.end() ? nullptr : &found->second;
    }

    /// Appends a record as the newest version of `key`; `older` is the version it replaces.
    /// Throws: for want of memory, Errc::limit_exceeded; call roll_back() then.
    void put(const Operation& operation, std::optional<RecordId> older) {
        if (writing_ == nullptr || writing_->full()) {
            auto next = std::make_shared<Segment>(next_segment_, segment_capacity_, *schema_);
            static_cast<void>(take_segment_number());
            segments_.push_back(next);
            writing_ = std::move(next);
        }
        const Slot slot = writing_->append(operation.key, operation.row, operation.vectors);
        change(operation.key, RecordId{writing_->id(), slot}, older);
    }

    /// A number that no segment has had.
    /// Throws: Errc::limit_exceeded.
    [[nodiscard]] std::uint32_t take_segment_number() {
        if (next_segment_ == std::numeric_limits<std::uint32_t>::max()) {
            raise(Errc::limit_exceeded, "the collection has used up its segment numbers; copy it to a new one");
        }
        return next_segment_++;
    }

    /// Records that come from here on go to a new segment.
    /// Requires: everything staged is published.
    void end_segment() noexcept {
        if (writing_ != nullptr) writing_->end();
        writing_ = nullptr;
        save_point();
    }

    /// The segment that is being written; null when there is none.
    [[nodiscard]] const Segment* writing() const noexcept { return writing_.get(); }

    /// Bytes of the segment that is being written.
    [[nodiscard]] std::uint64_t writing_bytes() const noexcept { return writing_ == nullptr ? 0 : writing_->bytes(); }

    /// Marks `key` as erased; `older` is the version that dies.
    void erase(std::string_view key, RecordId older) { change(key, std::nullopt, older); }

    /// What was staged since the last savepoint can be taken back.
    void save_point() noexcept {
        undo_.clear();
        saved_deletes_ = deletes_.size();
        saved_segments_ = segments_.size();
        saved_next_segment_ = next_segment_;
        saved_writing_ = writing_.get();
        saved_slots_ = writing_ == nullptr ? 0 : writing_->size();
    }

    /// Takes back everything since save_point().
    void roll_back() noexcept {
        for (; !undo_.empty(); undo_.pop_back()) {
            auto& [key, before] = undo_.back();
            const auto found = keys_.find(key);
            if (found == keys_.end()) continue;
            if (before.has_value()) {
                found->second = *before;
            } else {
                keys_.erase(found);
            }
        }
        deletes_.resize(saved_deletes_);
        if (writing_.get() != saved_writing_) {
            const auto before = [&](const auto& segment) { return segment.get() == saved_writing_; };
            const auto found = std::find_if(segments_.begin(), segments_.end(), before);
            writing_ = found == segments_.end() ? nullptr : *found;
        }
        segments_.resize(saved_segments_);
        next_segment_ = saved_next_segment_;
        if (writing_ != nullptr) writing_->truncate(saved_slots_);
    }

    [[nodiscard]] const std::vector<std::shared_ptr<Segment>>& segments() const noexcept { return segments_; }
    [[nodiscard]] std::uint32_t next_segment() const noexcept { return next_segment_; }
    [[nodiscard]] const std::vector<RecordId>& deletes() const noexcept { return deletes_; }
    /// Those since save_point().
    [[nodiscard]] std::span<const RecordId> new_deletes() const noexcept {
        return std::span(deletes_).subspan(saved_deletes_);
    }
    [[nodiscard]] std::size_t key_count() const noexcept { return keys_.size(); }
    /// The changed keys, handed over; call published() next.
    [[nodiscard]] KeyMap take_keys() noexcept { return std::exchange(keys_, {}); }

    /// Goes on beside these segments; the one that is being written is among them, or ended.
    void replace(std::vector<std::shared_ptr<Segment>> segments) noexcept {
        segments_ = std::move(segments);
        save_point();
    }

    /// Begins with these segments, all sealed.
    void reset(std::vector<std::shared_ptr<Segment>> segments, std::uint32_t next_segment) noexcept {
        segments_ = std::move(segments);
        next_segment_ = next_segment;
        writing_ = nullptr;
        published();
    }

    /// Everything staged is visible now.
    void published() noexcept {
        keys_.clear();
        deletes_.clear();
        save_point();
    }

private:
    void change(std::string_view key, std::optional<RecordId> newest, std::optional<RecordId> older) {
        const auto found = keys_.find(key);
        if (found == keys_.end()) {
            undo_.emplace_back(std::string(key), std::nullopt);
            keys_.emplace(std::string(key), newest);
        } else {
            undo_.emplace_back(found->first, found->second);
            found->second = newest;
        }
        if (older.has_value()) deletes_.push_back(*older);
    }

    using Undo = std::pair<std::string, std::optional<std::optional<RecordId>>>;

    const EngineSchema* schema_;                      // the engine's
    Slot segment_capacity_;                           // of each new segment
    std::vector<std::shared_ptr<Segment>> segments_;  // all segments, ordered by id
    std::shared_ptr<Segment> writing_;                // where records go: one of segments_, or null
    std::uint32_t next_segment_ = 0;                  // id of the next one
    KeyMap keys_;                                     // changed and not published
    std::vector<RecordId> deletes_;                   // replaced or erased and not published
    std::vector<Undo> undo_;                          // what keys_ held before each change since save_point()
    std::size_t saved_deletes_ = 0;
    std::size_t saved_segments_ = 0;
    std::uint32_t saved_next_segment_ = 0;
    const Segment* saved_writing_ = nullptr;
    Slot saved_slots_ = 0;
};

}  // namespace kith::inline v0::detail
