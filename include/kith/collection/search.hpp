// kith/collection/search.hpp — one question put to every segment of a snapshot, and the answers merged.
//
// Each segment answers from its graph; a condition is checked on the candidates, nearest first. When too few of them
// pass, more candidates are asked for, and when that no longer pays every record is checked and the matches are
// scanned exactly: a search never returns fewer records than exist.
//
// Thread safety: any number of searches at once; each borrows its own scratch from the pool.
#pragma once

#include "kith/collection/record_id.hpp"
#include "kith/collection/snapshot.hpp"
#include "kith/core/matrix_view.hpp"
#include "kith/core/neighbor.hpp"
#include "kith/core/parallel.hpp"
#include "kith/index/vector_index.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace kith::inline v0::detail {

/// Says whether a record may be returned; null stands for every record.
using Accept = std::function<bool(const SegmentView& view, Slot slot)>;

struct SearchRequest {
    std::size_t vector_field = 0;
    const float* query = nullptr;
    std::size_t limit = 10;
    std::optional<std::size_t> ef_search;  ///< where it is given, it is tried instead of `recall`
    double recall = 0.95;
    bool exact = false;
    const Accept* accept = nullptr;
};

struct Found {
    RecordId id;
    float distance = 0;

    friend bool operator<(const Found& a, const Found& b) noexcept {
        return a.distance < b.distance || (a.distance == b.distance && a.id < b.id);
    }
};

/// Scratch that searches borrow and give back, so that walking a graph allocates nothing once the pool is warm.
class ScratchPool {
public:
    class Lease {
    public:
        explicit Lease(ScratchPool& pool) : pool_(&pool), scratch_(pool.take()) {}
        Lease(const Lease&) = delete;
        Lease& operator=(const Lease&) = delete;
        ~Lease() { pool_->give_back(std::move(scratch_)); }

        SearchScratch& operator*() const noexcept { return *scratch_; }

    private:
        ScratchPool* pool_;
        std::unique_ptr<SearchScratch> scratch_;
    };

private:
    std::unique_ptr<SearchScratch> take() {
        const std::lock_guard lock(mutex_);
        if (idle_.empty()) return std::make_unique<SearchScratch>();
        std::unique_ptr<SearchScratch> scratch = std::move(idle_.back());
        idle_.pop_back();
        return scratch;
    }

    void give_back(std::unique_ptr<SearchScratch> scratch) noexcept {
        const std::lock_guard lock(mutex_);
        if (idle_.size() < most_idle) idle_.push_back(std::move(scratch));
    }

    static constexpr std::size_t most_idle = 64;

    std::mutex mutex_;
    std::vector<std::unique_ptr<SearchScratch>> idle_ = reserved();

    static std::vector<std::unique_ptr<SearchScratch>> reserved() {
        std::vector<std::unique_ptr<SearchScratch>> idle;
        idle.reserve(most_idle);
        return idle;
    }
};

/// Searches one segment.
class SegmentSearch {
public:
    SegmentSearch(const SearchRequest& request, const SegmentView& view, SearchScratch& scratch)
        : request_(request), view_(view), index_(view.segment->index(request.vector_field)), scratch_(scratch) {}

    /// Adds the nearest records of the segment to `out`, at most `limit` of them, nearest first.
    void run(std::vector<Found>& out) {
        if (request_.accept == nullptr) {
            nearest(request_.limit, view_.allowed());
            keep_first(neighbors_.size(), out);
        } else if (!try_candidates(out)) {
            scan_matches(out);
        }
        view_.segment->confirm(request_.vector_field);
    }

    /// For each query, adds to out[i] what run() adds for it.
    /// Requires: the request is exact, or accepts every record.
    void run_many(MatrixView queries, std::span<SearchScratch* const> scratches, std::vector<std::vector<Found>>& out) {
        BitsetView allowed = view_.allowed();
        std::size_t limit = std::min<std::size_t>(request_.limit, view_.live());
        if (request_.accept != nullptr) {
            limit = std::min(limit, find_matches());
            allowed = BitsetView(excluded_.data(), view_.count);
        }
        neighbors_.resize(queries.rows * limit);
        std::vector<std::size_t> found(queries.rows);
        if (const std::optional<SearchParams> params = params_for(limit, allowed)) {
            index_.search_many(queries.data, queries.rows, *params, scratches, neighbors_.data(), found.data());
        } else {
            index_.search_exact_many(queries.data, queries.rows, {limit, 1, allowed}, scratches, neighbors_.data(),
                                     found.data());
        }
        view_.segment->confirm(request_.vector_field);
        for (std::size_t at = 0; at < queries.rows; ++at) {
            keep(std::span(neighbors_).subspan(at * limit, found[at]), out[at]);
        }
    }

    /// What run() would do, before any condition.
    [[nodiscard]] SearchPlan plan() const {
        const std::size_t limit = std::min<std::size_t>(request_.limit, view_.live());
        const std::optional<SearchParams> params = params_for(limit, view_.allowed());
        if (params.has_value()) return index_.plan(*params);
        SearchPlan plan = index_.plan({limit, 1, view_.allowed()});
        plan.way = SearchWay::compare_all;
        return plan;
    }

    /// About how many elements of vectors run() reads.
    [[nodiscard]] std::size_t elements() const {
        constexpr Slot walked = 1500;  // rows in the time of a walk where neighbours are easily found
        const SearchPlan plan = this->plan();
        const Slot indexed = plan.way == SearchWay::indexed ? plan.indexed : 0;
        return (std::size_t{view_.count} - indexed + std::min(indexed, walked)) * index_.dim();
    }

private:
    /// Fills neighbors_ with the nearest `limit` allowed slots: all of them where fewer exist.
    void nearest(std::size_t limit, BitsetView allowed) {
        const std::size_t expected = std::min<std::size_t>(limit, view_.live());
        neighbors_.resize(expected);
        const std::optional<SearchParams> params = params_for(expected, allowed);
        const std::size_t found =
            params.has_value()
                ? index_.search(request_.query, *params, scratch_, neighbors_.data())
                : index_.search_exact(request_.query, {expected, 1, allowed}, scratch_, neighbors_.data());
        neighbors_.resize(found);
    }

    /// How the index is asked; nothing where only comparing every vector is good enough.
    [[nodiscard]] std::optional<SearchParams> params_for(std::size_t limit, BitsetView allowed) const {
        if (request_.exact) return std::nullopt;
        const std::size_t kept = std::min<std::size_t>(std::max(request_.ef_search.value_or(1), limit), view_.count);
        const SearchParams params{limit, static_cast<std::uint32_t>(kept), allowed};
        return request_.ef_search.has_value() ? params : index_.tuned(request_.recall, params);
    }

    /// Checks the condition on ever more candidates; false when checking every record is the better plan.
    bool try_candidates(std::vector<Found>& out) {
        if (request_.exact) return false;
        const std::size_t live = view_.live();
        const std::size_t limit = std::min(request_.limit, live);
        for (std::size_t wanted = 4 * limit;; wanted *= 4) {
            nearest(wanted, view_.allowed());
            const auto rejected = [&](const Neighbor& neighbor) { return !(*request_.accept)(view_, neighbor.slot); };
            neighbors_.erase(std::remove_if(neighbors_.begin(), neighbors_.end(), rejected), neighbors_.end());
            if (neighbors_.size() >= limit || wanted >= live) break;
            if (wanted >= live / 16) return false;
        }
        keep_first(limit, out);
        return true;
    }

    /// Checks the condition on every record and scans those that match.
    void scan_matches(std::vector<Found>& out) {
        neighbors_.resize(std::min(request_.limit, find_matches()));
        const SearchParams params{neighbors_.size(), 1, BitsetView(excluded_.data(), view_.count)};
        neighbors_.resize(index_.search_exact(request_.query, params, scratch_, neighbors_.data()));
        keep_first(neighbors_.size(), out);
    }

    /// Checks the condition on every record and excludes those that do not match; returns how many do.
    std::size_t find_matches() {
        excluded_.assign((std::size_t{view_.count} + 63) / 64, 0);
        const BitsetView allowed = view_.allowed();
        std::size_t matches = 0;
        for (Slot slot = 0; slot < view_.count; ++slot) {
            if (allowed.allows(slot) && (*request_.accept)(view_, slot)) {
                ++matches;
            } else {
                excluded_[slot / 64] |= std::uint64_t{1} << (slot % 64);
            }
        }
        return matches;
    }

    void keep_first(std::size_t count, std::vector<Found>& out) {
        keep(std::span(neighbors_).first(std::min(count, neighbors_.size())), out);
    }

    void keep(std::span<const Neighbor> neighbors, std::vector<Found>& out) const {
        for (const Neighbor& neighbor : neighbors) {
            out.push_back({RecordId{view_.segment->id(), neighbor.slot}, neighbor.distance});
        }
    }

    const SearchRequest& request_;
    const SegmentView& view_;
    const VectorIndex& index_;
    SearchScratch& scratch_;
    std::vector<Neighbor> neighbors_;
    std::vector<std::uint64_t> excluded_;  // by the condition, once find_matches() ran
};

/// Puts what the segments found in order, and keeps the first `limit`.
inline void merge(std::vector<Found>& found, std::size_t limit) {
    std::sort(found.begin(), found.end());
    if (found.size() > limit) found.resize(limit);
}

/// The nearest `limit` records of the snapshot that the request accepts, nearest first; all where fewer exist.
inline std::vector<Found> search(const Snapshot& snapshot, const SearchRequest& request, SearchScratch& scratch) {
    std::vector<Found> found;
    for (const SegmentView& view : snapshot.segments) SegmentSearch(request, view, scratch).run(found);
    merge(found, request.limit);
    return found;
}

/// Elements of vectors, besides those of the segment with most of them, from which on threads are a help: some 80 µs.
/// Less is done before a thread is awake, and to wake it costs the caller some microseconds.
inline constexpr std::size_t worth_a_thread = 1'000'000;

/// As search(), the segments shared by at most `threads` threads where that pays. A condition is checked by the
/// caller's thread alone.
inline std::vector<Found> search(const Snapshot& snapshot, const SearchRequest& request, ScratchPool& scratches,
                                 unsigned threads) {
    const std::vector<SegmentView>& views = snapshot.segments;
    const ScratchPool::Lease scratch(scratches);
    if (threads <= 1 || views.size() <= 1 || request.accept != nullptr) return search(snapshot, request, *scratch);
    std::vector<std::pair<std::size_t, std::size_t>> order;  // elements and segment, most elements first
    std::size_t elements = 0;
    for (std::size_t at = 0; at < views.size(); ++at) {
        order.emplace_back(SegmentSearch(request, views[at], *scratch).elements(), at);
        elements += order.back().first;
    }
    std::sort(order.begin(), order.end(), std::greater<>());
    if (elements - order[0].first < worth_a_thread) return search(snapshot, request, *scratch);
    std::vector<std::vector<Found>> parts(views.size());
    share_work(threads, views.size(), [&](std::size_t piece, unsigned thread) {
        const std::size_t at = order[piece].second;
        if (thread == 0) {
            SegmentSearch(request, views[at], *scratch).run(parts[at]);
        } else {
            const ScratchPool::Lease own(scratches);
            SegmentSearch(request, views[at], *own).run(parts[at]);
        }
    });
    std::vector<Found> found;
    for (const std::vector<Found>& part : parts) found.insert(found.end(), part.begin(), part.end());
    merge(found, request.limit);
    return found;
}

/// For each query what search() finds, by as many threads as there are scratches.
/// Requires: the rows of `queries` follow one another. `accepts` is empty or holds the condition once a thread.
inline std::vector<std::vector<Found>> search_many(const Snapshot& snapshot, SearchRequest request, MatrixView queries,
                                                   std::span<const Accept> accepts,
                                                   std::span<SearchScratch* const> scratches) {
    std::vector<std::vector<Found>> found(queries.rows);
    if (accepts.empty() || request.exact) {
        request.accept = accepts.empty() ? nullptr : &accepts[0];
        for (const SegmentView& view : snapshot.segments) {
            SegmentSearch(request, view, *scratches[0]).run_many(queries, scratches, found);
        }
        for (std::vector<Found>& one : found) merge(one, request.limit);
    } else {
        // How many candidates pass differs from query to query.
        share_work(static_cast<unsigned>(scratches.size()), queries.rows, [&](std::size_t at, unsigned thread) {
            SearchRequest one = request;
            one.query = queries.row(at);
            one.accept = &accepts[thread];
            found[at] = search(snapshot, one, *scratches[thread]);
        });
    }
    return found;
}

}  // namespace kith::inline v0::detail
