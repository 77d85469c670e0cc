// kith/collection/explanation.hpp — what a query does in each segment, and why, in numbers and in words.
#pragma once

#include "kith/index/search_plan.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace kith::inline v0 {

/// One segment of an Explanation.
struct SegmentExplanation {
    std::uint32_t segment = 0;
    bool sealed = false;        ///< on disk, mapped; else still written to
    std::uint64_t records = 0;  ///< those that may be returned
    SearchPlan plan;
};

/// What NearestQuery::explain() returns.
struct Explanation {
    std::string field;
    double recall = 0;   ///< asked for; 0 where the query names an ef_search instead
    bool exact = false;  ///< every record is compared, as was asked
    bool condition =
        false;  ///< a condition is checked on candidates, nearest first, or on every record where few match
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
    if (params.nprobe > 0) return "reads the nearest " + std::to_string(params.nprobe) + " lists";
    if (params.stretch > 0) {
        return "walks on up to " + rounded(static_cast<double>(params.stretch)) + " times the distance of neighbour " +
               std::to_string(params.limit);
    }
    if (params.rescore > 0) {
        return "compares all codes, and the best by their vectors, up to " +
               rounded(static_cast<double>(params.rescore)) + " times as many as are wanted";
    }
    return "walks with " + std::to_string(params.ef_search) + " candidates";
}

inline std::string way_text(const SegmentExplanation& segment) {
    const SearchPlan& plan = segment.plan;
    const std::string all = "compares all " + std::to_string(segment.records) + " records";
    switch (plan.way) {
        case SearchWay::compare_all:
            return all;
        case SearchWay::scan_cheaper:
            return all + ": so few cost less than a walk";
        case SearchWay::scan_codes:
            return all + " by their codes: so few cost less than a walk";
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

}  // namespace detail

inline std::string Explanation::text() const {
    std::string lines = "nearest by '" + field + "'";
    if (exact) {
        lines += ", exact";
    } else if (recall > 0) {
        lines += ", recall " + detail::rounded(recall);
    }
    if (condition) lines += ", with a condition";
    for (const SegmentExplanation& segment : segments) {
        lines += "\n  segment " + std::to_string(segment.segment) + (segment.sealed ? " (sealed, " : " (writing, ") +
                 std::string(segment.plan.index) + "): " + detail::way_text(segment);
    }
    return lines;
}

}  // namespace kith::inline v0
