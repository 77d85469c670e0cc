// kith/collection/profile.hpp — what a query did, and how long each part of it took.
#pragma once

#include "kith/collection/explanation.hpp"
#include "kith/index/search_counts.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace kith::inline v0 {

/// One segment of a Profile; of all rounds together.
struct SegmentProfile {
    double condition_microseconds = 0;  ///< to find the candidates by indexes and columns
    double search_microseconds = 0;     ///< to search among them
    double rows_microseconds = 0;       ///< to read records for the condition
    std::uint64_t rows_checked = 0;     ///< records that were read for it
    SearchCounts counts = {};           ///< what the vector index looked at
    std::uint64_t records = 0;          ///< those that may be returned, before any condition
    std::uint64_t matches = 0;          ///< those of them that satisfy the condition; counted after the search

    /// The share of the records that satisfies the condition; beside it, what was expected: ConditionExplanation.
    [[nodiscard]] double selectivity() const noexcept {
        return records == 0 ? 0 : static_cast<double>(matches) / static_cast<double>(records);
    }
};

/// What NearestQuery::profile() returns.
struct Profile {
    Explanation explanation;               ///< what was planned
    std::vector<SegmentProfile> segments;  ///< what came of it, in the order of explanation.segments
    std::size_t hits = 0;
    std::size_t rounds = 0;          ///< searches: 1, or more where a radius asked for more neighbours
    double search_microseconds = 0;  ///< until it was known which records are returned
    double read_microseconds = 0;    ///< to read them

    /// Each line of the explanation, and beside it what came of it.
    [[nodiscard]] std::string text() const;
};

namespace detail {

/// What a search looked at, but for what it did not.
inline std::string counts_text(const SearchCounts& counts) {
    std::string text = std::to_string(counts.distances) + " vectors compared";
    if (counts.codes > 0) text = std::to_string(counts.codes) + " codes and " + text;
    if (counts.lists > 0) text = std::to_string(counts.lists) + " lists read, " + text;
    if (counts.nodes > 0) text = std::to_string(counts.nodes) + " nodes visited, " + text;
    return text;
}

inline std::string whole(double number) {
    return std::to_string(std::llround(number));
}

/// What came of a search in one segment.
inline std::string outcome_text(const SegmentProfile& segment, const SegmentExplanation& explained) {
    std::string text;
    if (explained.condition.has_value()) {
        text = "condition: " + whole(segment.condition_microseconds) + " µs; " + std::to_string(segment.matches) +
               " records satisfy it, " + percent(segment.selectivity()) + " where " +
               percent(explained.condition->selectivity()) + " were expected; ";
    }
    text += "search: " + whole(segment.search_microseconds) + " µs; " + counts_text(segment.counts);
    if (segment.rows_checked == 0) return text;
    return text + "; rows: " + whole(segment.rows_microseconds) + " µs; " + std::to_string(segment.rows_checked) +
           " checked";
}

}  // namespace detail

inline std::string Profile::text() const {
    std::string lines = detail::question_text(explanation) + ": " + std::to_string(hits) + " hits, found in " +
                        detail::whole(search_microseconds) + " µs and read in " + detail::whole(read_microseconds) +
                        " µs";
    if (rounds > 1) lines += ", in " + std::to_string(rounds) + " rounds";
    for (std::size_t at = 0; at < segments.size(); ++at) {
        const SegmentExplanation& explained = explanation.segments[at];
        lines += "\n  " + detail::segment_text(explained) + "\n    " + detail::outcome_text(segments[at], explained);
    }
    return lines;
}

}  // namespace kith::inline v0
