// kith/collection/selection.hpp — which records of a segment satisfy a condition.
//
// Indexes and columns say which slots may; what they do not know is asked of rows.
//
// Thread safety: as the segments that are asked; a Selection belongs to one thread, for it decodes rows into one record.
#pragma once

#include "kith/collection/slot_condition.hpp"
#include "kith/collection/slot_filter.hpp"
#include "kith/collection/snapshot.hpp"
#include "kith/core/bitset_view.hpp"
#include "kith/core/count_bits.hpp"
#include "kith/core/error.hpp"
#include "kith/core/slot.hpp"
#include "kith/query/expression.hpp"
#include "kith/scalar/question.hpp"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace kith::inline v0::detail {

/// Says whether a record certainly satisfies a tree, by its row.
using RowTest = std::function<bool(const SegmentView& view, Slot slot, const Expression& tree)>;

/// Which records are wanted.
struct Selection {
    SlotCondition condition;
    RowTest holds;
};

/// Slots of one segment.
class SlotSet {
public:
    /// All live slots of a segment.
    explicit SlotSet(const SegmentView& view) : others_(words_of(view.count)), size_(view.live()) {
        if (view.deletes != nullptr) {
            std::copy_n(view.deletes->words.begin(), std::min(others_.size(), view.deletes->words.size()),
                        others_.begin());
        }
        if (view.count % 64 != 0) others_.back() |= ~std::uint64_t{0} << (view.count % 64);
    }

    /// Keeps the slots for which `holds(slot)` is true.
    template <class Holds>
    void keep_if(Holds&& holds) {
        for_each([&](Slot slot) {
            if (holds(slot)) return;
            others_[slot / 64] |= std::uint64_t{1} << (slot % 64);
            --size_;
        });
    }

    /// Keeps those whose bits are set in `words`, which are as many as those of the segment.
    void keep_common(std::span<const std::uint64_t> words) noexcept {
        for (std::size_t at = 0; at < others_.size(); ++at) others_[at] |= ~words[at];
        size_ = 64 * others_.size() - count_bits(others_);
    }

    /// Calls `take(slot)` for each, in order.
    template <class Take>
    void for_each(Take&& take) const {
        for (std::size_t at = 0; at < others_.size(); ++at) {
            for (std::uint64_t left = ~others_[at]; left != 0; left &= left - 1) {
                take(static_cast<Slot>(64 * at + static_cast<std::size_t>(std::countr_zero(left))));
            }
        }
    }

    [[nodiscard]] std::size_t size() const noexcept { return size_; }

    /// The slots that are not in it, as a BitsetView takes them.
    [[nodiscard]] const std::uint64_t* others() const noexcept { return others_.data(); }

private:
    std::vector<std::uint64_t> others_;  // bit s % 64 of word s / 64: slot s is not in the set
    std::size_t size_;
};

/// A condition that is asked of slots one by one, until it is asked of so many that it had better been asked of all: then
/// it is. Who searched with it asks afterwards whether it failed.
class FilterCheck final : public SlotCheck {
public:
    /// Requires: the filter needs no rows. Throws: Errc::corrupt.
    explicit FilterCheck(SlotFilter filter) : filter_(std::move(filter)) {
        filter_.prepare();
        constexpr double sample = 1000;  // slots
        const double each = (filter_.nanoseconds_of(sample) - filter_.nanoseconds_of(0)) / sample;
        most_asked_ = static_cast<std::size_t>(filter_.nanoseconds() / std::max(each, 1.0));
    }

    [[nodiscard]] bool allows(Slot slot) const noexcept override {
        bool holds = false;
        if (const auto failed = attempt([&] { holds = ask(slot); }); failed && !failure_) failure_ = failed;
        return holds;
    }

    /// Throws: Errc::corrupt where a column turned out to be damaged.
    void raise_failure() const {
        if (failure_) std::rethrow_exception(failure_);
    }

private:
    /// Throws: Errc::corrupt.
    [[nodiscard]] bool ask(Slot slot) const {
        if (++asked_ <= most_asked_) return filter_.holds(slot);
        if (all_.empty()) all_ = filter_.candidates();
        return ((all_[slot / 64] >> (slot % 64)) & 1U) != 0;
    }

    mutable SlotFilter filter_;
    std::size_t most_asked_ = 0;  // slots, in the time that it takes to ask all
    mutable std::size_t asked_ = 0;
    mutable std::vector<std::uint64_t> all_;  // bits of the slots that it allows, once it was asked of many
    mutable std::exception_ptr failure_;      // the first
};

/// The live slots of a segment of which indexes and columns say that they satisfy a condition, or that they may: as a set,
/// or as a check for those that a search meets.
class Candidates {
public:
    /// As a set. Throws: Errc::corrupt, Errc::io.
    Candidates(const SegmentView& view, const SlotCondition& condition)
        : Candidates(view, SlotFilter(condition, view.segment->scalars(), view.count)) {}
    Candidates(const SegmentView& view, SlotFilter filter) : set_(view) {
        if (filter.narrows()) set_->keep_common(filter.candidates());
        if (!filter.exact()) rest_ = filter.rest();
        size_ = set_->size();
    }

    /// As a check. Requires: the filter needs no rows. Throws: Errc::corrupt.
    [[nodiscard]] static Candidates to_be_met(const SegmentView& view, SlotFilter filter) {
        Candidates made;
        made.size_ = expected(view, filter);
        made.check_ = std::make_shared<FilterCheck>(std::move(filter));
        return made;
    }

    /// About how many live slots a filter leaves.
    [[nodiscard]] static std::size_t expected(const SegmentView& view, const SlotFilter& filter) noexcept {
        const double share = filter.estimate().expected / std::max<double>(view.count, 1);
        return static_cast<std::size_t>(share * view.live());
    }

    /// Has searches go about it as if this were the size, and they had a check.
    void count_as(std::size_t size) noexcept { size_ = size; }

    /// Requires: they are a set.
    [[nodiscard]] const SlotSet& slots() const noexcept { return *set_; }

    /// The check, or null where they are a set.
    [[nodiscard]] const FilterCheck* check() const noexcept { return check_.get(); }

    /// How many there are: about, where they are a check or count as one.
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

    /// As a search of their segment takes them. Requires: they outlive the view.
    [[nodiscard]] BitsetView allowed(const SegmentView& view) const noexcept {
        const auto size = static_cast<Slot>(size_);
        if (check_ != nullptr) return BitsetView(view.allowed(), size, *check_);
        return BitsetView(set_->others(), view.count, size);
    }

    /// What they must satisfy besides; null where they satisfy all of the condition.
    [[nodiscard]] const Expression* rest() const noexcept { return rest_.has_value() ? &*rest_ : nullptr; }

    /// Looks at the row of each, and drops those that do not satisfy the condition.
    void check_rows(const SegmentView& view, const RowTest& holds) {
        if (!rest_.has_value()) return;
        set_->keep_if([&](Slot slot) { return holds(view, slot, *rest_); });
        rest_.reset();
        size_ = set_->size();
    }

private:
    Candidates() = default;

    std::optional<SlotSet> set_;                // or else:
    std::shared_ptr<const FilterCheck> check_;  // of live slots
    std::size_t size_ = 0;
    std::optional<Expression> rest_;
};

/// The live slots of a segment that satisfy a condition.
/// Throws: Errc::corrupt, Errc::io.
[[nodiscard]] inline SlotSet select(const SegmentView& view, const Selection& selection) {
    Candidates candidates(view, selection.condition);
    candidates.check_rows(view, selection.holds);
    return candidates.slots();
}

}  // namespace kith::inline v0::detail
