// kith/index/typed_vector_index.hpp — a VectorIndex of one metric, index and element, and the functions that make it.
//
// What is behind the virtual call is all known to the compiler. What is decided here is how an index and a scan share
// a search: the scan takes what the index does not hold yet, and everything where walking would cost more.
//
// Thread safety: as VectorIndex.
#pragma once

#include "kith/core/assert.hpp"
#include "kith/core/bitset_view.hpp"
#include "kith/core/error.hpp"
#include "kith/core/neighbor.hpp"
#include "kith/core/parallel.hpp"
#include "kith/core/residency.hpp"
#include "kith/core/slot.hpp"
#include "kith/core/top_k.hpp"
#include "kith/index/calibrate.hpp"
#include "kith/index/flat.hpp"
#include "kith/index/index_space.hpp"
#include "kith/index/recall_curve.hpp"
#include "kith/index/row_memory.hpp"
#include "kith/index/search_many.hpp"
#include "kith/index/search_params.hpp"
#include "kith/index/search_plan.hpp"
#include "kith/index/search_scratch.hpp"
#include "kith/index/tags.hpp"
#include "kith/index/vector_index.hpp"
#include "kith/quantize/training.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kith::inline v0 {

template <class M, class Tag, class T = float>
class TypedVectorIndex final : public VectorIndex {
    using View = RawRows<T, M>;

public:
    /// Throws: Errc::invalid_argument, Errc::limit_exceeded.
    TypedVectorIndex(std::size_t dim, Slot capacity)
        : rows_(fitting(dim), capacity), index_(Tag::template make<View>(capacity)) {}

    /// Throws: Errc::corrupt, Errc::unsupported_version.
    TypedVectorIndex(std::size_t dim, Slot count, const ImageBytes& rows, const ImageBytes& graph)
        : rows_(dim, count, rows), index_(Tag::template map<View>(index_image(graph), count)), offered_(count) {
        if constexpr (requires { index_.dim(); }) {
            if (index_.size() > 0 && index_.dim() != dim) {
                raise(Errc::corrupt, "code image: its codes are of " + std::to_string(index_.dim()) +
                                         " elements, the rows of " + std::to_string(dim));
            }
        }
        if constexpr (!ladder.empty()) {
            const Held held = graph.hold(0, RecallCurve::image_bytes);
            const std::string_view bytes(reinterpret_cast<const char*>(graph.data()), RecallCurve::image_bytes);
            RecallCurve curve = RecallCurve::from_image(bytes);
            if (curve.rows() > count) raise(Errc::corrupt, "recall curve: measured over more rows than there are");
            if (!curve.empty()) keep(std::move(curve));
        }
    }

    [[nodiscard]] std::size_t dim() const noexcept override { return rows_.dim(); }
    [[nodiscard]] Slot rows() const noexcept override { return rows_.size(); }
    [[nodiscard]] Slot indexed() const noexcept override { return offered_.load(std::memory_order_acquire); }

    void append(const float* vector) noexcept override { rows_.append(vector); }
    bool adopt(const VectorIndex& other) override {
        KITH_ASSERT(rows() == 0 && indexed() == 0);
        if (other.kind() != kind() || other.dim() != dim()) return false;
        const auto& same = static_cast<const TypedVectorIndex&>(other);
        KITH_ASSERT(same.rows() <= rows_.capacity());
        const Slot offered = same.indexed();
        if (!index_.adopt(rows_.view(), same.index_)) return false;
        rows_.adopt(same.rows_);
        if (const RecallCurve* const curve = same.newest_.load(std::memory_order_acquire)) {
            keep(*curve);
            if constexpr (requires { index_.lessons(); }) {
                if (same.measured_lessons_ == same.index_.lessons()) measured_lessons_ = index_.lessons();
            }
        }
        offered_.store(offered, std::memory_order_release);
        return true;
    }

    void truncate(Slot count) noexcept override { rows_.truncate(count); }
    void index_up_to(Slot count, unsigned threads) override {
        if (count <= indexed()) return;
        index_.insert(rows_.view(), count, threads);
        offered_.store(count, std::memory_order_release);
    }

    void vector(Slot slot, float* out) const noexcept override { rows_.view().decode(slot, out); }

    std::size_t search(const float* query, const SearchParams& params, SearchScratch& scratch,
                       Neighbor* out) const override {
        const Slot count = params.allowed.count();
        const Slot allowed = params.allowed.count_allowed();
        const std::size_t limit = std::min<std::size_t>(params.limit, params.allowed.most_allowed());
        if (limit == 0) return 0;
        const SearchWay way = way_of(params, allowed);
        if (way != SearchWay::indexed) return scan(way, query, params, scratch, out);
        const Slot indexed = std::min(index_.size(), count);
        SearchParams walk = params;
        walk.limit = limit;
        walk.allowed = params.allowed.first(indexed);
        walk.most_nodes = allowed / scanned_in_a_node(in_order(allowed, params));
        scratch.neighbors.resize(limit);
        const View rows = rows_.view();
        const std::size_t walked = index_.search(rows, query, walk, scratch, scratch.neighbors.data());
        if (walked == given_up) return scan(scan_of(params, allowed, limit), query, params, scratch, out);
        TopK best(std::span(out, limit));
        for (std::size_t i = 0; i < walked; ++i) best.offer(scratch.neighbors[i]);
        if (indexed < count) {
            scratch.counts.distances +=
                detail::scan(rows.scorer(query, scratch.query), indexed, count, params.allowed, best);
        }
        // What the walk could not reach from where it began is found the long way.
        if (best.size() < limit && std::isinf(params.bound)) {
            return scan(scan_of(params, allowed, limit), query, params, scratch, out);
        }
        return best.sorted().size();
    }

    [[nodiscard]] SearchPlan plan(const SearchParams& params) const noexcept override {
        SearchPlan plan{Tag::name, way_of(params, params.allowed.count_allowed()),
                        std::min(index_.size(), params.allowed.count()), calibrated(), params};
        plan.met = params.allowed.count();
        if constexpr (requires { index_.lists_read(params); }) {
            plan.params.nprobe = static_cast<std::uint32_t>(index_.lists_read(params));
        } else if (plan.way == SearchWay::indexed && !Tag::reads_all) {
            constexpr double met_a_node = 5;  // slots
            const Slot allowed = params.allowed.count_allowed();
            plan.met = std::min(plan.met,
                                met_a_node * expanded(allowed, params, std::min<std::size_t>(params.limit, allowed)));
        }
        return plan;
    }

    std::size_t search_exact(const float* query, const SearchParams& params, SearchScratch& scratch,
                             Neighbor* out) const override {
        TopK best(std::span(out, std::min<std::size_t>(params.limit, params.allowed.count())));
        scratch.counts.distances +=
            detail::scan(rows_.view().scorer(query, scratch.query), 0, params.allowed.count(), params.allowed, best);
        return best.sorted().size();
    }

    void search_many(const float* queries, std::size_t count, const SearchParams& params,
                     std::span<SearchScratch* const> scratches, Neighbor* out, std::size_t* found,
                     const float* bounds) const override {
        const SearchWay way = way_of(params, params.allowed.count_allowed());
        if (way != SearchWay::indexed && way != SearchWay::scan_codes) {
            search_exact_many(queries, count, params, scratches, out, found);
            return;
        }
        const std::size_t width = std::min<std::size_t>(params.limit, params.allowed.count());
        if constexpr (Tag::reads_all && !ladder.empty()) {
            if (index_.size() >= params.allowed.count()) {
                detail::share_batches(count, scratches.size(),
                                      [&](std::size_t first, std::size_t size, unsigned thread) {
                                          index_.search_batch(rows_.view(), queries + first * dim(), size, params,
                                                              *scratches[thread], out + first * width, found + first);
                                      });
                return;
            }
        }
        share_work(static_cast<unsigned>(scratches.size()), count, [&](std::size_t at, unsigned thread) {
            SearchParams one = params;
            if (bounds != nullptr) one.bound = bounds[at];
            found[at] = search(queries + at * dim(), one, *scratches[thread], out + at * width);
        });
    }

    void search_exact_many(const float* queries, std::size_t count, const SearchParams& params,
                           std::span<SearchScratch* const> scratches, Neighbor* out,
                           std::size_t* found) const override {
        const std::size_t width = std::min<std::size_t>(params.limit, params.allowed.count());
        detail::search_batch_in_threads(rows_.view(), queries, count, width, params.allowed, scratches, out, found);
    }

    [[nodiscard]] bool calibration_due() const noexcept override {
        if (ladder.empty() || !answers_by_effort()) return false;
        if constexpr (requires { index_.outgrown(); }) {
            if (index_.outgrown()) return true;
        }
        if constexpr (requires { index_.lessons(); }) {
            if (index_.lessons() != measured_lessons_) return true;
        }
        return index_.size() / 2 >= calibrated();
    }

    void calibrate(const Training& training) override {
        if constexpr (!ladder.empty()) {
            if (!answers_by_effort()) return;
            if constexpr (requires { index_.outgrown(); }) {
                if (index_.outgrown()) {
                    newest_.store(nullptr, std::memory_order_release);  // it is about other lists
                    index_.retrain(rows_.view(), training);
                }
            }
            const Slot count = index_.size();
            if constexpr (requires { index_.lessons(); }) {
                if (count == calibrated() && index_.lessons() == measured_lessons_) return;
                measured_lessons_ = index_.lessons();
            } else {
                if (count == calibrated()) return;
            }
            SearchScratch scratch;
            std::vector<float> floats(dim());
            const auto exact = [&](Slot slot, std::size_t limit, Neighbor* out) {
                return search_exact(rows_.view().floats(slot, floats.data()), {limit, 1, BitsetView(count)}, scratch,
                                    out);
            };
            const auto walk = [&](Slot slot, Slot absent, std::size_t limit, float effort, Neighbor* out) {
                SearchParams params{limit, 1, BitsetView(count)};
                Tag::template try_as_hard<M>(effort, params);
                params.absent = absent;
                return index_.search(rows_.view(), rows_.view().floats(slot, floats.data()), params, scratch, out);
            };
            keep(detail::calibrate(count, ladder, exact, walk, training));
        }
    }

    [[nodiscard]] Slot calibrated() const noexcept override {
        const RecallCurve* const newest = newest_.load(std::memory_order_acquire);
        return newest == nullptr ? 0 : newest->rows();
    }

    [[nodiscard]] std::optional<SearchParams> tuned(double recall, SearchParams params) const noexcept override {
        if constexpr (ladder.empty()) {
            return params;
        } else {
            if (!(recall < 1)) return std::nullopt;  // a sample can promise much, but not all
            const RecallCurve* const newest = newest_.load(std::memory_order_acquire);
            if (newest == nullptr) {
                Tag::template try_as_hard<M>(ladder[ladder.size() - 3], params);
                return params;
            }
            const std::optional<float> effort =
                newest->effort_for(1 - kept_misses * (1 - recall), measured_limit(params));
            if (!effort.has_value()) return std::nullopt;
            Tag::template try_as_hard<M>(*effort, params);
            if (params.stretch > 1) params.stretch = 1 + (params.stretch - 1) * less_stretch(params.allowed);
            return params;
        }
    }

    [[nodiscard]] float score(float distance) const noexcept override { return M::score(distance); }

    void save_rows(const ByteSink& sink) const override { rows_.save(sink); }
    /// The image of the index, behind that of its recall curve where it has one.
    void save_graph(const ByteSink& sink) const override {
        if constexpr (!ladder.empty()) {
            const RecallCurve* const newest = newest_.load(std::memory_order_acquire);
            const std::string image = newest == nullptr ? RecallCurve().image() : newest->image();
            sink(image.data(), image.size());
        }
        index_.save(sink);
    }

    [[nodiscard]] std::size_t memory_bytes() const noexcept override {
        std::size_t bytes = sizeof(*this) + rows_.memory_bytes() + index_.memory_bytes();
        for (const auto& curve : curves_) bytes += curve->memory_bytes();
        return bytes;
    }

    /// See vector_index_space.
    [[nodiscard]] static IndexSpace space(std::size_t dim, Slot count) {
        IndexSpace all{sizeof(TypedVectorIndex), ladder.empty() ? 0 : RecallCurve::image_bytes};
        all += detail::RowMemory<T, M>::space(fitting(dim), count);
        return all += Tag::template space<View>(dim, count);
    }

    [[nodiscard]] const void* kind() const noexcept override {
        static constexpr char address = 0;
        return &address;
    }

private:
    static constexpr auto ladder = Tag::template ladder<M>;

    /// Whether a few slots can be compared by codes.
    static constexpr bool scans_codes = requires(const typename Tag::template Index<View>& index, const View& rows,
                                                 const SearchParams& params, SearchScratch& scratch, Neighbor* out) {
        index.scan(rows, static_cast<const float*>(nullptr), params, scratch, out);
    };

    /// The share of the misses one may make that is counted on: the curve is measured with a sample of questions.
    static constexpr double kept_misses = 0.75;

    /// The number of neighbours whose curve tells the effort. A walk past slots that are not allowed meets as many more
    /// before it has those that are, so it is as sure of them as one that wants all it meets.
    static std::size_t measured_limit(const SearchParams& params) noexcept {
        if (Tag::reads_all || params.allowed.all()) return params.limit;
        const std::size_t allowed = std::max<Slot>(params.allowed.count_allowed(), 1);
        return std::max(params.limit, std::min<std::size_t>(100, params.limit * params.allowed.count() / allowed));
    }

    /// Where few are not allowed, they only make more ways to those that are: a walk stretches so much less and finds as
    /// much (benchmarks/filter, which erases a fifth).
    static float less_stretch(BitsetView allowed) noexcept {
        constexpr double few = 0.25, per_share = 0.3;  // of the slots; of the stretch
        if (allowed.all()) return 1;
        const double excluded = 1 - static_cast<double>(allowed.count_allowed()) / std::max<double>(allowed.count(), 1);
        return excluded > few ? 1.0F : static_cast<float>(1 - per_share * excluded);
    }

    /// Whether there is something that more effort finds more in: an index that is not trained compares all.
    [[nodiscard]] bool answers_by_effort() const noexcept {
        if constexpr (requires { index_.trained(); }) return index_.trained();
        return index_.size() > 0;
    }

    void keep(RecallCurve curve) {
        curves_.push_back(std::make_unique<const RecallCurve>(std::move(curve)));
        newest_.store(curves_.back().get(), std::memory_order_release);
    }

    static std::size_t fitting(std::size_t dim) {
        if (fits_dimension<Tag>(dim)) return dim;
        raise(Errc::invalid_argument, "index '" + std::string(Tag::name) + "' cannot be for vectors of " +
                                          std::to_string(dim) + " elements: its sub-vectors do not divide them");
    }

    /// The part of a graph image that belongs to the index itself.
    static ImageBytes index_image(const ImageBytes& image) {
        if constexpr (ladder.empty()) return image;
        if (image.size() < RecallCurve::image_bytes) {
            raise(Errc::corrupt, "recall curve: ends at offset " + std::to_string(image.size()));
        }
        return image.subspan(RecallCurve::image_bytes);
    }

    [[nodiscard]] SearchWay way_of(const SearchParams& params, Slot allowed) const noexcept {
        if constexpr (ladder.empty()) return SearchWay::compare_all;
        if constexpr (Tag::reads_all) return index_.size() == 0 ? SearchWay::not_indexed : SearchWay::indexed;
        const std::size_t limit = std::min<std::size_t>(params.limit, allowed);
        if (scan_is_cheaper(allowed, params, limit)) {
            return in_order(allowed, params) ? SearchWay::scan_cheaper : scan_of(params, allowed, limit);
        }
        return answers_by_effort() ? SearchWay::indexed : SearchWay::not_indexed;
    }

    /// Compares all that are allowed.
    std::size_t scan(SearchWay way, const float* query, const SearchParams& params, SearchScratch& scratch,
                     Neighbor* out) const {
        if constexpr (scans_codes) {
            if (way == SearchWay::scan_codes) return index_.scan(rows_.view(), query, params, scratch, out);
        }
        return search_exact(query, params, scratch, out);
    }

    /// How all that are allowed are compared: by codes, where there are some of all of them.
    [[nodiscard]] SearchWay scan_of(const SearchParams& params, Slot allowed, std::size_t limit) const noexcept {
        const bool by_codes = scans_codes && index_.size() >= params.allowed.count() && are_many(allowed, limit);
        return by_codes ? SearchWay::scan_codes : SearchWay::scan_cheaper;
    }

    /// Of fewer, a scan by codes compares a quarter again by their vectors, and costs more than to compare those at once.
    static bool are_many(Slot allowed, std::size_t limit) noexcept {
        constexpr std::size_t times = 16, fewest = 10;
        return allowed > times * std::max(limit, fewest);
    }

    /// As many codes, or rows, are scanned in the time in which a walk expands one node; where they are most of all, they
    /// fit no cache (benchmarks/filter). So a walk that is given up for a scan costs no more than that scan does.
    static constexpr Slot scanned_in_a_node(bool most) noexcept { return most ? 5 : 20; }

    /// Whether the rows that a scan reads follow one another for the most part, which is faster than to jump among codes.
    static bool in_order(Slot allowed, const SearchParams& params) noexcept {
        return allowed >= params.allowed.count() / 2;
    }

    /// A walk expands the more nodes the fewer of those it meets are allowed. Each that is expected costs as much as
    /// `rows_a_node` rows, or their codes, that are scanned (benchmarks/filter: where the two plans cost the same on two
    /// sets, for 10 and 100; fewer nodes than are expected are walked in truth, and each costs more).
    static bool scan_is_cheaper(Slot allowed, const SearchParams& params, std::size_t limit) noexcept {
        const double rows_a_node = in_order(allowed, params) ? 16 : 5;
        return static_cast<double>(allowed) <= rows_a_node * expanded(allowed, params, limit);
    }

    /// About how many nodes a walk expands.
    static double expanded(Slot allowed, const SearchParams& params, std::size_t limit) noexcept {
        // A walk that ends by distance expands so many, whatever it might keep.
        const double stretched = 50 + 4.5 * static_cast<double>(limit);
        const double kept = static_cast<double>(std::max<std::size_t>(limit, params.ef_search));
        const double nodes = params.stretch > 0 ? std::min(stretched, kept) : kept;
        return nodes * static_cast<double>(params.allowed.count()) / static_cast<double>(std::max<Slot>(allowed, 1));
    }

    detail::RowMemory<T, M> rows_;
    typename Tag::template Index<View> index_;
    std::atomic<Slot> offered_ = 0;     // at least index_.size(): an index may wait for more vectors to learn from
    std::size_t measured_lessons_ = 0;  // what codes had learned when recall was measured last
    std::vector<std::unique_ptr<const RecallCurve>> curves_;  // kept, for a search may be reading any of them
    std::atomic<const RecallCurve*> newest_ = nullptr;        // the last of curves_, or null where it is out of date
};

/// An empty index in memory for up to `capacity` vectors of `dim` dimensions, kept as elements T.
/// Throws: Errc::invalid_argument for a dimension that the index cannot be for, Errc::limit_exceeded.
template <class M, class Tag, class T = float>
[[nodiscard]] std::unique_ptr<VectorIndex> make_vector_index(std::size_t dim, Slot capacity) {
    return std::make_unique<TypedVectorIndex<M, Tag, T>>(dim, capacity);
}

/// An index of `count` vectors over the images that save_rows and save_graph wrote; nothing is copied. An image that is
/// larger than memory comes with its Residency, which the index tells what it reads.
/// Requires: the bytes outlive the index, begin at multiples of 64, and were checked against their checksums, or are
///           when they are brought into memory.
/// Throws: Errc::corrupt, Errc::unsupported_version; the text names image and offset.
template <class M, class Tag, class T = float>
[[nodiscard]] std::unique_ptr<VectorIndex> map_vector_index(std::size_t dim, Slot count, const ImageBytes& rows,
                                                            const ImageBytes& graph) {
    return std::make_unique<TypedVectorIndex<M, Tag, T>>(dim, count, rows, graph);
}

/// What an index of `count` vectors of `dim` dimensions takes when they come a few at a time: in memory until it is
/// saved, and in the images that save_rows and save_graph write. Both are within a few in a hundred.
/// Throws: Errc::invalid_argument for a dimension that the index cannot be for.
template <class M, class Tag, class T = float>
[[nodiscard]] IndexSpace vector_index_space(std::size_t dim, Slot count) {
    return TypedVectorIndex<M, Tag, T>::space(dim, count);
}

}  // namespace kith::inline v0
