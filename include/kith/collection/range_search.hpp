// kith/collection/range_search.hpp — all records within a radius, found by a search for the nearest.
//
// An index knows the nearest so many, not how many are near. So ever more are asked for, until the farthest of them is
// beyond the radius; where that becomes a great part of all records, all are compared.
//
// Thread safety: functions without state.
#pragma once

#include "kith/collection/search.hpp"
#include "kith/core/matrix_view.hpp"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kith::inline v0::detail {

inline constexpr std::size_t no_limit = std::numeric_limits<std::size_t>::max();

/// Whether no distance of a metric is below 0, but for rounding. Metrics are known by the name they are stored under.
template <class Metric>
inline constexpr bool never_negative =
    std::string_view(Metric::name) == "l2" || std::string_view(Metric::name) == "cosine" ||
    std::string_view(Metric::name) == "hamming" || std::string_view(Metric::name) == "jaccard";

/// What is wrong with a radius under a metric; nothing when it can be asked for.
template <class Metric>
[[nodiscard]] std::optional<std::string> radius_problem(float radius) {
    // Asks the bits, because a program built with -ffast-math is told that there is no NaN.
    if ((std::bit_cast<std::uint32_t>(radius) & 0x7fffffffU) > 0x7f800000U) return "is NaN; it must be a number";
    if (radius >= 0 || !never_negative<Metric>) return std::nullopt;
    return "is " + std::to_string(radius) + "; no distance under " + std::string(Metric::name) + " is below 0";
}

/// Drops what is beyond the radius; true when anything was. Requires: nearest first.
inline bool cut_beyond(float radius, std::vector<Found>& found) noexcept {
    const auto beyond = [radius](const Found& one) { return one.distance > radius; };
    const auto end = std::find_if(found.begin(), found.end(), beyond);
    const bool cut = end != found.end();
    found.erase(end, found.end());
    return cut;
}

/// The rounds of a search for everything within a radius.
class RangeRounds {
public:
    /// Of at most `limit` of `records`; `request` becomes that of the first round.
    RangeRounds(SearchRequest& request, std::size_t limit, std::uint64_t records) noexcept
        : request_(request), limit_(limit), records_(static_cast<std::size_t>(std::max<std::uint64_t>(records, 1))) {
        ask_for(first);
    }

    /// Whether the next round could find more than the last one, which found `count` and cut some if `cut`.
    [[nodiscard]] bool may_find_more(std::size_t count, bool cut) const noexcept {
        return !cut && count >= request_.limit && !last_;
    }

    /// Makes `request` that of the next round.
    void next() noexcept { ask_for(growth * request_.limit); }

private:
    static constexpr std::size_t first = 100;  // recall is measured up to here
    static constexpr std::size_t growth = 4;
    static constexpr std::size_t part = 16;  // a walk to a sixteenth of the records takes as long as a scan

    void ask_for(std::size_t wanted) noexcept {
        request_.limit = std::min(wanted, limit_);
        if (request_.exact || request_.limit >= records_ / part) {
            request_.exact = true;
            request_.limit = std::min(limit_, records_);
        }
        last_ = request_.exact || request_.limit == limit_;
    }

    SearchRequest& request_;
    std::size_t limit_;
    std::size_t records_;
    bool last_ = false;
};

/// What is asked first.
[[nodiscard]] inline SearchRequest first_round(SearchRequest request, std::size_t limit,
                                               std::uint64_t records) noexcept {
    static_cast<void>(RangeRounds(request, limit, records));
    return request;
}

/// The records within the radius, nearest first, at most `limit` of them. `ask(request)` searches.
template <class Ask>
std::vector<Found> search_within(const Ask& ask, SearchRequest request, float radius, std::size_t limit,
                                 std::uint64_t records) {
    RangeRounds rounds(request, limit, records);
    for (;;) {
        std::vector<Found> found = ask(std::as_const(request));
        const std::size_t count = found.size();
        if (!rounds.may_find_more(count, cut_beyond(radius, found))) return found;
        rounds.next();
    }
}

/// The same for each query. `ask(request, queries)` searches for all of them; only those go on that may find more.
template <class Ask>
std::vector<std::vector<Found>> search_many_within(const Ask& ask, SearchRequest request, MatrixView queries,
                                                   float radius, std::size_t limit, std::uint64_t records) {
    RangeRounds rounds(request, limit, records);
    std::vector<std::vector<Found>> all(queries.rows);
    std::vector<std::size_t> open(queries.rows);
    for (std::size_t at = 0; at < open.size(); ++at) open[at] = at;
    std::vector<float> rows;
    for (; !open.empty(); rounds.next()) {
        rows.clear();
        for (const std::size_t at : open) rows.insert(rows.end(), queries.row(at), queries.row(at) + queries.dim);
        std::vector<std::vector<Found>> found =
            ask(std::as_const(request), MatrixView{rows.data(), open.size(), queries.dim, queries.dim});
        std::vector<std::size_t> still;
        for (std::size_t at = 0; at < open.size(); ++at) {
            const std::size_t count = found[at].size();
            if (rounds.may_find_more(count, cut_beyond(radius, found[at]))) still.push_back(open[at]);
            all[open[at]] = std::move(found[at]);
        }
        open = std::move(still);
    }
    return all;
}

}  // namespace kith::inline v0::detail
