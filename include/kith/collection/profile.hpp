// kith/collection/profile.hpp — what a query did, and how long each part of it took.
#pragma once

#include "kith/collection/explanation.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace kith::inline v0 {

/// One segment of a Profile.
struct SegmentProfile {
    double condition_microseconds = 0;  ///< to find the candidates by indexes and columns
    double search_microseconds = 0;     ///< to search among them, and to check their rows
    std::uint64_t rows_checked = 0;     ///< records that were read for the condition
    std::uint64_t matches = 0;          ///< records that satisfy the condition; counted after the search
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

inline std::string Profile::text() const {
    const auto whole = [](double number) { return std::to_string(std::llround(number)); };
    std::string lines = detail::question_text(explanation) + ": " + std::to_string(hits) + " hits, found in " +
                        whole(search_microseconds) + " µs and read in " + whole(read_microseconds) + " µs";
    if (rounds > 1) lines += ", in " + std::to_string(rounds) + " rounds";
    for (std::size_t at = 0; at < segments.size(); ++at) {
        const SegmentProfile& segment = segments[at];
        lines += "\n  " + detail::segment_text(explanation.segments[at]) + "\n    ";
        if (explanation.condition) {
            lines += whole(segment.condition_microseconds) + " µs for the condition, which " +
                     std::to_string(segment.matches) + " records satisfy; " + std::to_string(segment.rows_checked) +
                     " rows checked; ";
        }
        lines += whole(segment.search_microseconds) + " µs for the search";
    }
    return lines;
}

}  // namespace kith::inline v0
