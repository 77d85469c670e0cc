// kith/collection/explanation.hpp — what a query does in each segment, and why, in numbers and in words.
#pragma once

#include "kith/collection/condition_way.hpp"
#include "kith/index/search_plan.hpp"

#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace kith::inline v0 {

/// A question that a condition puts to a field.
struct ConditionPart {
    std::string fields;  ///< the field, or those that are compared with each other
    ConditionWay way = ConditionWay::rows;
};

/// How a condition is answered in a segment. Estimates are of all slots, those of deleted records among them.
struct ConditionExplanation {
    std::vector<ConditionPart> parts;  ///< in the order in which they are asked
    std::uint64_t slots = 0;           ///< those that the estimates are of
    std::uint64_t fewest = 0;          ///< no fewer satisfy it
    double expected = 0;               ///< about so many do
    std::uint64_t most = 0;            ///< no more do
    std::uint64_t candidates = 0;      ///< records that indexes and columns leave; all satisfy it unless rows_checked;
                                       ///< about how many, where checked_when_met
    bool rows_checked = false;         ///< records are read to know which of them do
    bool checked_when_met = false;     ///< each record that the search meets is checked, and no other

    /// The share that is expected to satisfy it.
    [[nodiscard]] double selectivity() const noexcept { return slots == 0 ? 0 : expected / static_cast<double>(slots); }
};

/// One segment of an Explanation.
struct SegmentExplanation {
    std::uint32_t segment = 0;
    bool sealed = false;        ///< on disk, mapped; else still written to
    std::uint64_t records = 0;  ///< those that may be returned, before any condition
    SearchPlan plan;            ///< of the vector index, among the candidates where there is a condition
    std::optional<ConditionExplanation> condition = {};

    /// Records that the vector index looks among.
    [[nodiscard]] std::uint64_t candidates() const noexcept {
        return condition.has_value() ? condition->candidates : records;
    }
    /// The share of the records that are candidates.
    [[nodiscard]] double pass_rate() const noexcept {
        return records == 0 ? 0 : static_cast<double>(candidates()) / static_cast<double>(records);
    }
};

/// What NearestQuery::explain() returns.
struct Explanation {
    std::string field;
    double recall = 0;            ///< asked for; 0 where the query says otherwise how hard to search
    bool exact = false;           ///< every record is compared, as was asked
    bool condition = false;       ///< there is one; each segment says how it is answered
    std::optional<float> radius;  ///< only records within it; the plan is that of the first of several rounds
    std::vector<SegmentExplanation> segments;

    /// A line for the query and one for each segment.
    [[nodiscard]] std::string text() const;
};

namespace detail {

inline std::string rounded(double value) {
    std::string digits = std::to_string(value);
    digits.resize(digits.find_last_not_of('0') + 1);
    if (!digits.empty() && digits.back() == '.') digits.pop_back();
    return digits;
}

/// What a plan tells the index to do.
inline std::string effort_text(const SearchPlan& plan) {
    const SearchParams& params = plan.params;
    std::string text;
    if (params.nprobe > 0) {
        text = "reads the nearest " + std::to_string(params.nprobe) + " lists";
    } else if (plan.index.starts_with("flat")) {
        text = "compares all codes";
    } else if (params.stretch > 0) {
        text = "walks on up to " + rounded(static_cast<double>(params.stretch)) + " times the distance of neighbour " +
               std::to_string(params.limit);
    } else {
        text = "walks with " + std::to_string(params.ef_search) + " candidates";
    }
    if (params.rescore == 0) return text;
    return text + ", and compares the best by their vectors, up to " + rounded(static_cast<double>(params.rescore)) +
           " times as many as are wanted";
}

/// A share of 1, in percent.
inline std::string percent(double share) {
    return rounded(std::round(share * 10000) / 100) + " %";
}

inline std::string way_text(const SegmentExplanation& segment) {
    const SearchPlan& plan = segment.plan;
    if (segment.candidates() == 0) return "compares none";
    const std::string all = "compares all " + std::to_string(segment.candidates()) +
                            (segment.condition.has_value() ? " of them" : " records");
    switch (plan.way) {
        case SearchWay::compare_all:
            return all;
        case SearchWay::scan_cheaper:
            return all + ": so few cost less than a walk";
        case SearchWay::scan_codes:
            return all + " by their codes, and the best by their vectors: so few cost less than a walk";
        case SearchWay::not_indexed:
            return all + ": none is in the index yet";
        case SearchWay::indexed:
            break;
    }
    std::string text = effort_text(plan);
    if (plan.calibrated > 0) text += ", as measured over " + std::to_string(plan.calibrated) + " records";
    if (plan.calibrated == 0 && (plan.params.stretch > 0 || plan.params.rescore > 0 || plan.params.nprobe > 0))
        text += ", a cautious guess until it is measured";
    return text + "; " + std::to_string(plan.indexed) + " are in the index";
}

inline std::string way_text(ConditionWay way) {
    switch (way) {
        case ConditionWay::index:
            return "by index";
        case ConditionWay::column:
            return "by column";
        case ConditionWay::rows:
            break;
    }
    return "by rows";
}

/// How a condition is answered in a segment, and what it leaves.
inline std::string condition_text(const SegmentExplanation& segment) {
    const ConditionExplanation& condition = *segment.condition;
    std::string text;
    std::string last;
    for (const ConditionPart& part : condition.parts) {
        std::string one = part.fields + ' ' + way_text(part.way);
        if (one == last) continue;
        text += text.empty() ? one : ", " + one;
        last = std::move(one);
    }
    if (text.empty()) text = "the condition";
    if (condition.checked_when_met) text += " of each record that is met";
    text += condition.parts.size() > 1 ? " leave " : " leaves ";
    if (condition.checked_when_met) text += "about ";
    text += std::to_string(condition.candidates) + " of " + std::to_string(segment.records) + " records (" +
            percent(segment.pass_rate()) + ", expected " + std::to_string(std::llround(condition.expected)) + ", " +
            std::to_string(condition.fewest) + " to " + std::to_string(condition.most) + ")";
    if (condition.rows_checked) text += ", whose rows are checked";
    return text;
}

/// What is asked of all segments.
inline std::string question_text(const Explanation& explanation) {
    std::string text = "nearest by '" + explanation.field + "'";
    if (explanation.exact) {
        text += ", exact";
    } else if (explanation.recall > 0) {
        text += ", recall " + rounded(explanation.recall);
    }
    if (explanation.radius.has_value()) text += ", within " + rounded(static_cast<double>(*explanation.radius));
    if (explanation.condition) text += ", with a condition";
    return text;
}

inline std::string segment_text(const SegmentExplanation& segment) {
    return "segment " + std::to_string(segment.segment) + (segment.sealed ? " (sealed, " : " (writing, ") +
           std::string(segment.plan.index) +
           "): " + (segment.condition.has_value() ? condition_text(segment) + "; " : "") + way_text(segment);
}

}  // namespace detail

inline std::string Explanation::text() const {
    std::string lines = detail::question_text(*this);
    for (const SegmentExplanation& one : segments) lines += "\n  " + detail::segment_text(one);
    return lines;
}

}  // namespace kith::inline v0
