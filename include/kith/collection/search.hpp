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
#include <limits>
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

inline constexpr float unbounded = std::numeric_limits<float>::infinity();

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
    /// Of records that are not nearer than `bound` it may leave out any.
    SegmentSearch(const SearchRequest& request, const SegmentView& view, SearchScratch& scratch,
                  float bound = unbounded)
        : request_(request),
          view_(view),
          bound_(bound),
          index_(view.segment->index(request.vector_field)),
          scratch_(scratch) {}

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

    /// For each query, adds to out[i] what run() adds for it with bounds[i].
    /// Requires: the request is exact, or accepts every record.
    void run_many(MatrixView queries, std::span<const float> bounds, std::span<SearchScratch* const> scratches,
                  std::vector<std::vector<Found>>& out) {
        BitsetView allowed = view_.allowed();
        std::size_t limit = std::min<std::size_t>(request_.limit, view_.live());
        if (request_.accept != nullptr) {
            limit = std::min(limit, find_matches());
            allowed = BitsetView(excluded_.data(), view_.count);
        }
        neighbors_.resize(queries.rows * limit);
        std::vector<std::size_t> found(queries.rows);
        if (const std::optional<SearchParams> params = params_for(limit, allowed)) {
            index_.search_many(queries.data, queries.rows, *params, scratches, neighbors_.data(), found.data(),
                               bounds.data());
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
        constexpr Slot walked = 700;  // rows in the time of a walk that is bounded, where neighbours are easily found
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
        SearchParams params{limit, static_cast<std::uint32_t>(kept), allowed};
        params.bound = bound_;
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
    const float bound_;
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

/// The segments of a snapshot, those with most records first: they are asked in this order. Beyond the last neighbour that
/// the first one finds the others have nothing to find, which shortens their walks.
inline std::vector<const SegmentView*> largest_first(const Snapshot& snapshot) {
    std::vector<const SegmentView*> views;
    for (const SegmentView& view : snapshot.segments) views.push_back(&view);
    const auto larger = [](const SegmentView* a, const SegmentView* b) {
        return a->live() > b->live() || (a->live() == b->live() && a->segment->id() < b->segment->id());
    };
    std::sort(views.begin(), views.end(), larger);
    return views;
}

/// The distance of the last of `found`, which the first segment found, where those are all that are wanted.
/// With a condition there is no such bound: what does not pass must be made up for by what is farther.
inline float bound_of(const std::vector<Found>& found, const SearchRequest& request) {
    return request.accept != nullptr || found.size() < request.limit ? unbounded : found.back().distance;
}

/// Elements of vectors, besides those of the segment with most of them, from which on threads are a help: some 80 µs.
/// Less is done before a thread is awake, and to wake it costs the caller some microseconds.
inline constexpr std::size_t worth_a_thread = 1'000'000;

/// Whether it pays to share `views` among threads.
inline bool are_worth_a_thread(std::span<const SegmentView* const> views, const SearchRequest& request,
                               SearchScratch& scratch) {
    std::size_t all = 0;
    std::size_t most = 0;
    for (const SegmentView* view : views) {
        const std::size_t elements = SegmentSearch(request, *view, scratch).elements();
        all += elements;
        most = std::max(most, elements);
    }
    return all - most >= worth_a_thread;
}

/// The nearest `limit` records of the snapshot that the request accepts, nearest first; all where fewer exist. Segments
/// are shared by at most `threads` threads where that pays; a condition is checked by the caller's thread alone.
/// Ensures: the answer is the same for any number of threads.
inline std::vector<Found> search(const Snapshot& snapshot, const SearchRequest& request, ScratchPool& scratches,
                                 unsigned threads) {
    std::vector<Found> found;
    const std::vector<const SegmentView*> views = largest_first(snapshot);
    if (views.empty()) return found;
    const ScratchPool::Lease scratch(scratches);
    SegmentSearch(request, *views[0], *scratch).run(found);
    const float bound = bound_of(found, request);
    const auto rest = std::span(views).subspan(1);
    if (threads <= 1 || rest.size() <= 1 || request.accept != nullptr || !are_worth_a_thread(rest, request, *scratch)) {
        for (const SegmentView* view : rest) SegmentSearch(request, *view, *scratch, bound).run(found);
    } else {
        std::vector<std::vector<Found>> parts(rest.size());
        share_work(threads, rest.size(), [&](std::size_t at, unsigned thread) {
            if (thread == 0) {
                SegmentSearch(request, *rest[at], *scratch, bound).run(parts[at]);
            } else {
                const ScratchPool::Lease own(scratches);
                SegmentSearch(request, *rest[at], *own, bound).run(parts[at]);
            }
        });
        for (const std::vector<Found>& part : parts) found.insert(found.end(), part.begin(), part.end());
    }
    merge(found, request.limit);
    return found;
}

/// For each query what search() finds, by as many threads as there are scratches.
/// Requires: the rows of `queries` follow one another. `accepts` is empty or holds the condition once a thread.
inline std::vector<std::vector<Found>> search_many(const Snapshot& snapshot, SearchRequest request, MatrixView queries,
                                                   std::span<const Accept> accepts,
                                                   std::span<SearchScratch* const> scratches) {
    std::vector<std::vector<Found>> found(queries.rows);
    const std::vector<const SegmentView*> views = largest_first(snapshot);
    if (accepts.empty() || request.exact) {
        request.accept = accepts.empty() ? nullptr : &accepts[0];
        std::vector<float> bounds(queries.rows, unbounded);
        for (const SegmentView* view : views) {
            SegmentSearch(request, *view, *scratches[0]).run_many(queries, bounds, scratches, found);
            if (view != views[0]) continue;
            for (std::size_t at = 0; at < queries.rows; ++at) bounds[at] = bound_of(found[at], request);
        }
    } else {
        // How many candidates pass differs from query to query.
        share_work(static_cast<unsigned>(scratches.size()), queries.rows, [&](std::size_t at, unsigned thread) {
            SearchRequest one = request;
            one.query = queries.row(at);
            one.accept = &accepts[thread];
            for (const SegmentView* view : views) SegmentSearch(one, *view, *scratches[thread]).run(found[at]);
        });
    }
    for (std::vector<Found>& one : found) merge(one, request.limit);
    return found;
}

}  // namespace kith::inline v0::detail
