// kith/collection/explain_search.hpp — what a search would do in each segment, and the same search by the clock.
//
// Thread safety: as search.hpp.
#pragma once

#include "kith/collection/explanation.hpp"
#include "kith/collection/profile.hpp"
#include "kith/collection/search.hpp"
#include "kith/collection/selection.hpp"
#include "kith/collection/slot_filter.hpp"
#include "kith/collection/snapshot.hpp"
#include "kith/query/expression.hpp"
#include "kith/schema/field.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace kith::inline v0::detail {

/// Adds the places of the fields that a term is calculated from.
inline void add_fields(const Term& term, std::set<std::size_t>& places) {
    const bool of_field =
        term.op == TermOp::column || term.op == TermOp::length || term.op == TermOp::path || term.op == TermOp::size;
    if (of_field) places.insert(term.field);
    for (const Term& part : term.parts) add_fields(part, places);
}

/// The names of the fields that a leaf is about.
[[nodiscard]] inline std::string field_names(const SlotCondition& leaf, std::span<const FieldInfo> fields) {
    const Expression& source = *leaf.sources.front().expression;
    if (source.terms.empty()) return std::string(fields[leaf.field].name);
    std::set<std::size_t> places;
    for (const Term& term : source.terms) add_fields(term, places);
    std::string names;
    for (const std::size_t place : places) names += (names.empty() ? "" : " with ") + std::string(fields[place].name);
    return names;
}

/// What a search does in one segment. `fields` are those of the schema.
/// Throws: Errc::corrupt, Errc::io. Cost: that of finding the candidates of a condition.
[[nodiscard]] inline SegmentExplanation explain_segment(const SearchRequest& request, const SegmentView& view,
                                                        SearchScratch& scratch, std::span<const FieldInfo> fields) {
    SegmentExplanation told{view.segment->id(), view.segment->sealed(), view.live(), {}, {}};
    const SegmentSearch search(request, view, scratch);
    if (request.selection == nullptr) {
        told.plan = search.plan();
        return told;
    }
    const SlotCondition& condition = request.selection->condition;
    const SlotFilter filter(condition, view.segment->scalars(), view.count);
    const Candidates candidates = search.candidates();
    const bool met = candidates.check() != nullptr;
    ConditionExplanation& answer = told.condition.emplace();
    for (const bool by_rows : {false, true}) {  // what rows must answer waits for the rest
        filter.for_each_leaf([&](const SlotCondition& leaf, ConditionWay way) {
            if (met) way = ConditionWay::column;
            if ((way == ConditionWay::rows) == by_rows) answer.parts.push_back({field_names(leaf, fields), way});
        });
    }
    answer.slots = view.count;
    answer.fewest = filter.estimate().fewest;
    answer.expected = filter.estimate().expected;
    answer.most = filter.estimate().most;
    answer.candidates = candidates.size();
    answer.checked_when_met = met;
    answer.rows_checked = candidates.rest() != nullptr;
    told.plan = search.plan(candidates);
    return told;
}

/// Searches as search() does, in the caller's thread, and keeps count of what each segment took.
class ProfiledSearch {
public:
    ProfiledSearch(const Snapshot& snapshot, SearchScratch& scratch)
        : snapshot_(snapshot), scratch_(scratch), segments_(snapshot.segments.size()) {}

    std::vector<Found> operator()(SearchRequest request) {
        ++rounds_;
        std::vector<Found> found;
        SegmentProfile* profile = nullptr;  // of the segment that is searched
        Selection counted;
        if (request.selection != nullptr) {
            const Selection& asked = *request.selection;
            counted = {asked.condition, [&](const SegmentView& view, Slot slot, const Expression& tree) {
                           const Clock::time_point begin = Clock::now();
                           const bool holds = asked.holds(view, slot, tree);
                           profile->rows_microseconds += microseconds(Clock::now() - begin);
                           ++profile->rows_checked;
                           return holds;
                       }};
            request.selection = &counted;
        }
        const std::vector<const SegmentView*> views = largest_first(snapshot_);
        float bound = unbounded;
        for (const SegmentView* const view : views) {
            profile = &segments_[static_cast<std::size_t>(view - snapshot_.segments.data())];
            search_one(request, *view, bound, found, *profile);
            if (view == views[0]) bound = bound_of(found, request.limit);
        }
        merge(found, request.limit);
        return found;
    }

    [[nodiscard]] std::size_t rounds() const noexcept { return rounds_; }
    [[nodiscard]] const std::vector<SegmentProfile>& segments() const noexcept { return segments_; }

private:
    using Clock = std::chrono::steady_clock;

    void search_one(const SearchRequest& request, const SegmentView& view, float bound, std::vector<Found>& found,
                    SegmentProfile& profile) {
        const double rows_before = profile.rows_microseconds;
        scratch_.counts = {};
        const Clock::time_point begin = Clock::now();
        Clock::time_point middle = begin;
        SegmentSearch search(request, view, scratch_, bound);
        if (request.selection == nullptr) {
            search.run(found);
        } else {
            Candidates candidates = search.candidates();
            middle = Clock::now();
            search.run_among(std::move(candidates), found);
        }
        const double rows = profile.rows_microseconds - rows_before;
        profile.condition_microseconds += microseconds(middle - begin);
        profile.search_microseconds += microseconds(Clock::now() - middle) - rows;
        profile.counts = profile.counts + scratch_.counts;
    }

    static double microseconds(Clock::duration time) noexcept {
        return std::chrono::duration<double, std::micro>(time).count();
    }

    const Snapshot& snapshot_;
    SearchScratch& scratch_;
    std::vector<SegmentProfile> segments_;  // one a segment of the snapshot
    std::size_t rounds_ = 0;
};

}  // namespace kith::inline v0::detail
