// kith/collection/record_range.hpp — all records of one moment, one after another.
//
// The range holds a snapshot, so writes that come later change nothing in it. Records come in the order of their
// segments, and in a segment in the order in which they were written; a merge may change the order of older ones.
//
// Thread safety: one thread a range; the collection may be written meanwhile.
#pragma once

#include "kith/collection/engine.hpp"
#include "kith/collection/moment.hpp"
#include "kith/collection/record_codec.hpp"

#include <cstddef>
#include <iterator>
#include <memory>
#include <utility>

namespace kith::inline v0 {

template <class S>
class RecordRange {
public:
    using Record = typename S::Record;

    explicit RecordRange(const detail::Moment& moment) : engine_(&moment.engine()) {
        const auto open = engine_->enter();
        snapshot_ = moment.snapshot();
    }

    class Iterator {
    public:
        using iterator_category = std::input_iterator_tag;
        using value_type = Record;
        using difference_type = std::ptrdiff_t;
        using pointer = const Record*;
        using reference = const Record&;

        explicit Iterator(const RecordRange& range) : range_(&range) { load_next(); }

        reference operator*() const noexcept { return record_; }
        pointer operator->() const noexcept { return &record_; }

        /// Throws: closed, forked, corrupt.
        Iterator& operator++() {
            ++slot_;
            load_next();
            return *this;
        }
        void operator++(int) { ++*this; }

        friend bool operator==(const Iterator& it, std::default_sentinel_t) noexcept { return it.at_end(); }

    private:
        [[nodiscard]] bool at_end() const noexcept { return segment_ == range_->snapshot_->segments.size(); }

        void load_next() {
            const auto& segments = range_->snapshot_->segments;
            for (; segment_ < segments.size(); ++segment_, slot_ = 0) {
                const detail::SegmentView& view = segments[segment_];
                const BitsetView allowed = view.allowed();
                while (slot_ < view.count && !allowed.allows(slot_)) ++slot_;
                if (slot_ == view.count) continue;
                const auto open = range_->engine_->enter();
                record_ = detail::decode_record<S>(*range_->engine_, view, slot_);
                return;
            }
        }

        const RecordRange* range_;
        std::size_t segment_ = 0;
        Slot slot_ = 0;
        Record record_{};  // the record at (segment_, slot_), unless the range has ended
    };

    [[nodiscard]] Iterator begin() const { return Iterator(*this); }
    [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

private:
    const detail::Engine* engine_;  // the collection's, which must outlive the range
    std::shared_ptr<const detail::Snapshot> snapshot_;
};

}  // namespace kith::inline v0
