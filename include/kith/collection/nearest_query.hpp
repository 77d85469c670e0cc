// kith/collection/nearest_query.hpp — the question "which records are nearest", built one setting at a time.
//
// Thread safety: none for a query; each thread asks its own. A query refers to its collection, which must outlive it.
#pragma once

#include "kith/collection/engine.hpp"
#include "kith/collection/hit.hpp"
#include "kith/collection/record_codec.hpp"
#include "kith/query/condition.hpp"
#include "kith/query/evaluate.hpp"
#include "kith/query/field_ref.hpp"

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace kith::inline v0 {

/// What Collection::nearest returns; nothing is searched before run().
template <class S, std::size_t VectorField>
class NearestQuery {
    using Attribute = typename S::template VectorAttribute<VectorField>;

public:
    using Record = typename S::Record;

    NearestQuery(const detail::Engine& engine, std::span<const float> query)
        : engine_(&engine), query_(query.begin(), query.end()) {}

    /// At most `count` hits; fewer only where fewer records match. Default: 10.
    NearestQuery& limit(std::size_t count) noexcept {
        limit_ = count;
        return *this;
    }

    /// How many candidates the graph search keeps (the paper's ef): more finds more of the true neighbours and takes
    /// longer. Default: 64, and never less than the limit.
    NearestQuery& ef_search(std::size_t count) noexcept {
        ef_search_ = count;
        return *this;
    }

    /// Compares the query with every record: recall is 1, the cost is a scan.
    NearestQuery& exact() noexcept {
        exact_ = true;
        return *this;
    }

    /// Returns only records that satisfy `condition`; a second call narrows the first.
    NearestQuery& where(Condition<Record> condition) {
        condition_ = condition_.has_value() ? std::move(*condition_) && std::move(condition) : std::move(condition);
        return *this;
    }

    /// The nearest records of one moment, nearest first; equal distances order by age, oldest first.
    /// Throws: Errc::invalid_argument for a query of another dimension, with an element that is not finite, of zero
    /// length under Cosine, or for a limit or ef_search of 0; closed, forked, corrupt.
    [[nodiscard]] std::vector<Hit<Record>> run() const {
        check();
        const auto open = engine_->enter();
        const auto snapshot = engine_->snapshot();
        Record candidate{};
        const detail::Accept accept = [&](const detail::SegmentView& view, Slot slot) {
            detail::decode_row<S>(*engine_, view, slot, candidate);
            return evaluate(*condition_, candidate);
        };
        const detail::SearchRequest request{VectorField, query_.data(), limit_,
                                            ef_search_,  exact_,        condition_.has_value() ? &accept : nullptr};
        std::vector<Hit<Record>> hits;
        for (const detail::Found& found : engine_->search(*snapshot, request)) {
            const detail::SegmentView* view = snapshot->find(found.id);
            hits.push_back({detail::decode_record<S>(*engine_, *view, found.id.slot),
                            Attribute::Metric::score(found.distance), found.distance});
        }
        return hits;
    }

private:
    void check() const {
        if (limit_ == 0) raise(Errc::invalid_argument, "limit is 0; ask for at least 1 record");
        if (ef_search_ == 0) raise(Errc::invalid_argument, "ef_search is 0; it must be at least 1");
        if (const auto problem = vector_problem(query_, vector_rules<typename Attribute::Metric>(Attribute::dim))) {
            raise(Errc::invalid_argument, "query for field '" + std::string(Attribute::name) + "': " + *problem);
        }
    }

    const detail::Engine* engine_;  // the collection's
    std::vector<float> query_;      // a copy: the caller's may be gone when the query runs
    std::size_t limit_ = 10;
    std::size_t ef_search_ = 64;
    bool exact_ = false;
    std::optional<Condition<Record>> condition_;
};

}  // namespace kith::inline v0
