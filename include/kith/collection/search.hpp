// kith/collection/search.hpp — one question put to every segment of a snapshot, and the answers merged.
//
// Each segment finds by indexes and columns which slots may be returned, and its vector index looks among those. What
// only rows know of a condition is checked on the nearest of them, and on more, until enough pass; when that no longer
// pays on all of them: a search never returns fewer records than exist.
//
// Thread safety: any number of searches at once; each borrows its own scratch from the pool.
#pragma once

#include "kith/collection/record_id.hpp"
#include "kith/collection/selection.hpp"
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

struct SearchRequest {
    std::size_t vector_field = 0;
    const float* query = nullptr;
    std::size_t limit = 10;
    double recall = 0.95;                  ///< 0: what follows says how hard to try
    std::optional<std::size_t> ef_search;  ///< as SearchParams means it
    std::uint32_t nprobe = 0;              ///< the same
    float rescore = 0;                     ///< the same
    bool exact = false;
    const Selection* selection = nullptr;  ///< null: every record
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
        if (request_.selection == nullptr) {
            nearest(request_.limit, view_.live(), view_.allowed(), bound_);
            keep_first(neighbors_.size(), out);
            view_.segment->confirm(request_.vector_field);
        } else {
            run_among(candidates(), out);
        }
    }

    /// What run() looks among: a set, or a check where it would ask less of that than it takes to make the set.
    [[nodiscard]] Candidates candidates() const {
        SlotFilter filter(request_.selection->condition, view_.segment->scalars(), view_.count);
        if (is_better_checked(filter)) return Candidates::to_be_met(view_, std::move(filter));
        return Candidates(view_, std::move(filter));
    }

    /// The same as a set, for many queries, each of which goes about it as it would alone.
    [[nodiscard]] Candidates candidate_set() const {
        SlotFilter filter(request_.selection->condition, view_.segment->scalars(), view_.count);
        const bool checked = is_better_checked(filter);
        const std::size_t expected = Candidates::expected(view_, filter);
        Candidates made(view_, std::move(filter));
        if (checked) made.count_as(expected);
        return made;
    }

    /// The same as run(), of candidates that were found before.
    void run_among(Candidates candidates, std::vector<Found>& out) {
        const bool sure = request_.exact || candidates.rest() == nullptr || !try_candidates(candidates, out);
        if (sure) {
            candidates.check_rows(view_, request_.selection->holds);
            look_among(request_.limit, candidates, bound_);
            if (candidates.check() != nullptr) candidates.check()->raise_failure();
            keep_first(neighbors_.size(), out);
        }
        view_.segment->confirm(request_.vector_field);
    }

    /// For each query, adds to out[i] what run() adds for it with bounds[i]: of `among`, which is a set, or of all live
    /// slots where it is null.
    void run_many(MatrixView queries, std::span<const float> bounds, std::span<SearchScratch* const> scratches,
                  const Candidates* among, std::vector<std::vector<Found>>& out) {
        const BitsetView allowed = among == nullptr ? view_.allowed() : among->allowed(view_);
        const std::size_t limit =
            std::min<std::size_t>(request_.limit, among == nullptr ? view_.live() : among->size());
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
        return plan(std::min<std::size_t>(request_.limit, view_.live()), view_.allowed());
    }

    /// What run_among() would do, or do first where rows must be checked.
    [[nodiscard]] SearchPlan plan(const Candidates& candidates) const {
        const std::size_t count = candidates.size();
        const bool tries = candidates.rest() != nullptr && !request_.exact;
        const std::size_t limit = std::min(tries ? tried * std::min(request_.limit, count) : request_.limit, count);
        return plan(limit, candidates.allowed(view_));
    }

    /// About how many elements of vectors run() reads.
    [[nodiscard]] std::size_t elements() const {
        constexpr Slot walked = 700;  // rows in the time of a walk that is bounded, where neighbours are easily found
        const SearchPlan plan = this->plan();
        const Slot indexed = plan.way == SearchWay::indexed ? plan.indexed : 0;
        return (std::size_t{view_.count} - indexed + std::min(indexed, walked)) * index_.dim();
    }

private:
    static constexpr std::size_t tried = 4;  // times as many candidates as are wanted have their rows checked first

    [[nodiscard]] SearchPlan plan(std::size_t limit, BitsetView allowed) const {
        const std::optional<SearchParams> params = params_for(limit, allowed);
        SearchPlan plan = index_.plan(params.value_or(SearchParams{limit, 1, allowed}));
        if (!params.has_value()) plan.way = SearchWay::compare_all;
        plan.params.allowed = BitsetView(view_.count);  // the plan outlives the bits
        return plan;
    }

    /// Whether a walk is expected that asks for fewer slots, one by one, than it pays to ask for all.
    [[nodiscard]] bool is_better_checked(const SlotFilter& filter) const {
        constexpr double enough = 16;  // times as many as are wanted, for an estimate may be wrong
        if (request_.exact || !filter.exact() || !filter.narrows()) return false;
        const std::size_t expected = Candidates::expected(view_, filter);
        if (static_cast<double>(expected) < enough * static_cast<double>(request_.limit)) return false;
        constexpr double set_price = 0.02;  // nanoseconds a slot, to make a set and count it
        const double as_set = filter.nanoseconds() + set_price * view_.count;
        const SearchPlan plan =
            this->plan(request_.limit, BitsetView(nullptr, view_.count, static_cast<Slot>(expected)));
        return plan.way == SearchWay::indexed && filter.nanoseconds_of(plan.met) < as_set;
    }

    /// Fills neighbors_ with the nearest `limit` of the `count` allowed slots: all of them where that is more.
    void nearest(std::size_t limit, std::size_t count, BitsetView allowed, float bound) {
        const std::size_t expected = std::min(limit, count);
        neighbors_.resize(expected);
        if (expected == 0) return;
        const std::optional<SearchParams> params = params_for(expected, allowed, bound);
        const std::size_t found =
            params.has_value()
                ? index_.search(request_.query, *params, scratch_, neighbors_.data())
                : index_.search_exact(request_.query, {expected, 1, allowed}, scratch_, neighbors_.data());
        neighbors_.resize(found);
    }

    /// The same for candidates.
    void look_among(std::size_t limit, const Candidates& candidates, float bound) {
        nearest(limit, candidates.size(), candidates.allowed(view_), bound);
    }

    /// How the index is asked; nothing where only comparing every vector is good enough.
    [[nodiscard]] std::optional<SearchParams> params_for(std::size_t limit, BitsetView allowed,
                                                         float bound = unbounded) const {
        if (request_.exact) return std::nullopt;
        const std::size_t kept = std::min<std::size_t>(std::max(request_.ef_search.value_or(1), limit), view_.count);
        std::optional<SearchParams> params{{limit, static_cast<std::uint32_t>(kept), allowed, request_.nprobe}};
        if (request_.recall > 0) params = index_.tuned(request_.recall, *params);
        if (params.has_value()) params->bound = bound;
        if (params.has_value() && request_.rescore > 0) {
            const float most = static_cast<float>(view_.count) / static_cast<float>(std::max<std::size_t>(limit, 1));
            params->rescore = std::min(request_.rescore, std::max(most, 1.0F));
        }
        return params;
    }

    /// Checks rows of ever more candidates, nearest first; false when checking the rows of all is the better plan.
    bool try_candidates(const Candidates& candidates, std::vector<Found>& out) {
        const std::size_t count = candidates.size();
        const std::size_t limit = std::min(request_.limit, count);
        for (std::size_t wanted = tried * limit;; wanted *= 4) {
            if (wanted >= count / 16 && wanted > tried * limit) return false;
            look_among(wanted, candidates, unbounded);  // rows that do not pass are made up for by farther ones
            const auto rejected = [&](const Neighbor& neighbor) {
                return !request_.selection->holds(view_, neighbor.slot, *candidates.rest());
            };
            neighbors_.erase(std::remove_if(neighbors_.begin(), neighbors_.end(), rejected), neighbors_.end());
            if (neighbors_.size() >= limit || wanted >= count) break;
        }
        keep_first(limit, out);
        return true;
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
inline float bound_of(const std::vector<Found>& found, std::size_t limit) {
    return found.empty() || found.size() < limit ? unbounded : found.back().distance;
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
/// are shared by at most `threads` threads where that pays; with a condition they are the caller's alone.
/// Ensures: the answer is the same for any number of threads.
inline std::vector<Found> search(const Snapshot& snapshot, const SearchRequest& request, ScratchPool& scratches,
                                 unsigned threads) {
    std::vector<Found> found;
    const std::vector<const SegmentView*> views = largest_first(snapshot);
    if (views.empty()) return found;
    const ScratchPool::Lease scratch(scratches);
    SegmentSearch(request, *views[0], *scratch).run(found);
    const float bound = bound_of(found, request.limit);
    const auto rest = std::span(views).subspan(1);
    if (threads <= 1 || rest.size() <= 1 || request.selection != nullptr ||
        !are_worth_a_thread(rest, request, *scratch)) {
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
/// Requires: the rows of `queries` follow one another. `selections` is empty or holds the condition once a thread.
inline std::vector<std::vector<Found>> search_many(const Snapshot& snapshot, SearchRequest request, MatrixView queries,
                                                   std::span<const Selection> selections,
                                                   std::span<SearchScratch* const> scratches) {
    std::vector<std::vector<Found>> found(queries.rows);
    request.selection = selections.empty() ? nullptr : &selections[0];
    std::vector<float> bounds(queries.rows, unbounded);
    const auto ask = [&](const SegmentView& view) {
        const auto ask_together = [&](const Candidates* among) {
            SegmentSearch(request, view, *scratches[0]).run_many(queries, bounds, scratches, among, found);
        };
        if (request.selection == nullptr) return ask_together(nullptr);
        Candidates candidates = SegmentSearch(request, view, *scratches[0]).candidate_set();
        if (request.exact) candidates.check_rows(view, request.selection->holds);
        if (candidates.rest() == nullptr) return ask_together(&candidates);
        // How many rows must be checked differs from query to query.
        share_work(static_cast<unsigned>(scratches.size()), queries.rows, [&](std::size_t at, unsigned thread) {
            SearchRequest one = request;
            one.query = queries.row(at);
            one.selection = &selections[thread];
            SegmentSearch(one, view, *scratches[thread], bounds[at]).run_among(candidates, found[at]);
        });
    };
    const std::vector<const SegmentView*> views = largest_first(snapshot);
    for (const SegmentView* view : views) {
        ask(*view);
        if (view != views[0]) continue;
        for (std::size_t at = 0; at < queries.rows; ++at) bounds[at] = bound_of(found[at], request.limit);
    }
    for (std::vector<Found>& one : found) merge(one, request.limit);
    return found;
}

}  // namespace kith::inline v0::detail
