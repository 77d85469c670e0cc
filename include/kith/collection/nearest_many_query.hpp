// kith/collection/nearest_many_query.hpp — "which records are nearest", asked of many vectors at one moment.
//
// Each answer is the one NearestQuery gives. Together they cost less: they share threads, and where every record is
// compared, the records are read once for many queries.
//
// Thread safety: none for a query; each thread asks its own. A query refers to its collection, which must outlive it.
#pragma once

#include "kith/collection/nearest_query.hpp"
#include "kith/core/element.hpp"
#include "kith/core/matrix_view.hpp"
#include "kith/core/parallel.hpp"

#include <cstddef>
#include <iterator>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace kith::inline v0 {

namespace detail {

template <class V>
using ElementOf = std::remove_cvref_t<decltype(*std::data(std::declval<const V&>()))>;

/// A range of vectors of any elements.
template <class V>
concept VectorRange = requires(const V& vectors) {
    requires Element<ElementOf<decltype(*std::begin(vectors))>>;
    std::end(vectors);
};

}  // namespace detail

/// What Collection::nearest_many and Snapshot::nearest_many return; nothing is searched before run(). The settings are those of NearestQuery.
template <class S, std::size_t VectorField>
class NearestManyQuery {
    using Attribute = typename S::template VectorAttribute<VectorField>;
    using One = NearestQuery<S, VectorField>;

public:
    using Record = typename S::Record;

    /// Shape: `queries` holds whole vectors, one after the other.
    NearestManyQuery(detail::Moment moment, std::span<const float> queries)
        : one_(std::move(moment), {}), queries_(queries.begin(), queries.end()) {
        if (queries.size() % Attribute::dim != 0) {
            raise(Errc::invalid_argument, about("queries") + std::to_string(queries.size()) +
                                              " elements are no number of vectors of " +
                                              std::to_string(Attribute::dim));
        }
    }

    NearestManyQuery(detail::Moment moment, const detail::VectorRange auto& queries) : one_(std::move(moment), {}) {
        std::vector<float> buffer;
        for (const auto& vector : queries) {
            const std::span<const detail::ElementOf<decltype(vector)>> elements(vector);
            const std::span<const float> query = detail::floats_of(elements, buffer);
            if (query.size() != Attribute::dim) {
                raise(Errc::invalid_argument, about_query(queries_.size() / Attribute::dim) + "has " +
                                                  std::to_string(query.size()) + " elements; expected " +
                                                  std::to_string(Attribute::dim));
            }
            queries_.insert(queries_.end(), query.begin(), query.end());
        }
    }

    NearestManyQuery& limit(std::size_t count) noexcept {
        one_.limit(count);
        return *this;
    }
    NearestManyQuery& recall(double share) noexcept {
        one_.recall(share);
        return *this;
    }
    NearestManyQuery& ef_search(std::size_t count) noexcept {
        one_.ef_search(count);
        return *this;
    }
    NearestManyQuery& nprobe(std::size_t count) noexcept {
        one_.nprobe(count);
        return *this;
    }
    NearestManyQuery& rescore(double factor) noexcept {
        one_.rescore(factor);
        return *this;
    }
    NearestManyQuery& within(double radius) noexcept {
        one_.within(radius);
        return *this;
    }
    NearestManyQuery& exact() noexcept {
        one_.exact();
        return *this;
    }
    template <class... Wanted>
    NearestManyQuery& where(const Wanted&... wanted) {
        one_.where(wanted...);
        return *this;
    }
    template <FixedText Text, class... L>
    NearestManyQuery& where(const L&... values) {
        one_.template where<Text>(values...);
        return *this;
    }

    /// How many threads search, the caller's among them. Default: 1.
    NearestManyQuery& threads(unsigned count) noexcept {
        threads_ = count;
        return *this;
    }

    /// For each query, in their order, what NearestQuery::run returns; all of one moment.
    /// Throws: as NearestQuery::run, and Errc::invalid_argument for 0 threads or more than 1024.
    [[nodiscard]] std::vector<std::vector<Hit<Record>>> run() const {
        check();
        const detail::Engine& engine = one_.moment_.engine();
        const auto open = engine.enter();
        const auto snapshot = one_.moment_.snapshot();
        std::vector<detail::Selection> selections;
        for (unsigned thread = 0; one_.condition_.has_value() && thread < threads_; ++thread) {
            selections.push_back(detail::select_records<S>(engine, *one_.condition_));
        }
        const MatrixView queries{queries_.data(), count(), Attribute::dim, Attribute::dim};
        const auto ask = [&](const detail::SearchRequest& request, MatrixView asked) {
            return engine.search_many(*snapshot, request, asked, selections, threads_);
        };
        const detail::SearchRequest request = one_.unconditional();
        const auto found = one_.radius_.has_value()
                               ? detail::search_many_within(ask, request, queries, *one_.radius_,
                                                            one_.limit_.value_or(detail::no_limit), snapshot->live())
                               : ask(request, queries);
        std::vector<std::vector<Hit<Record>>> hits(found.size());
        share_work(threads_, found.size(),
                   [&](std::size_t at, unsigned) { hits[at] = one_.hits_of(*snapshot, found[at]); });
        return hits;
    }

private:
    static constexpr unsigned most_threads = 1024;

    [[nodiscard]] std::size_t count() const noexcept { return queries_.size() / Attribute::dim; }

    static std::string about(const std::string& what) {
        return what + " for field '" + std::string(Attribute::name) + "': ";
    }
    static std::string about_query(std::size_t number) { return about("query " + std::to_string(number)); }

    void check() const {
        one_.check_settings();
        if (threads_ == 0 || threads_ > most_threads) {
            raise(Errc::invalid_argument, "threads is " + std::to_string(threads_) + "; it must be between 1 and " +
                                              std::to_string(most_threads));
        }
        const auto rules = vector_rules<typename Attribute::Metric>(Attribute::dim);
        for (std::size_t at = 0; at < count(); ++at) {
            const std::span<const float> query = std::span(queries_).subspan(at * Attribute::dim, Attribute::dim);
            if (const auto problem = vector_problem(query, rules)) {
                raise(Errc::invalid_argument, about_query(at) + *problem);
            }
        }
    }

    One one_;                     // the settings
    std::vector<float> queries_;  // copies: the caller's may be gone when the query runs
    unsigned threads_ = 1;
};

}  // namespace kith::inline v0
