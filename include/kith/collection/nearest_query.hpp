// kith/collection/nearest_query.hpp — the question "which records are nearest", built one setting at a time.
//
// Thread safety: none for a query; each thread asks its own. A query refers to its collection, which must outlive it.
#pragma once

#include "kith/collection/engine.hpp"
#include "kith/collection/explain_search.hpp"
#include "kith/collection/explanation.hpp"
#include "kith/collection/field_index.hpp"
#include "kith/collection/hit.hpp"
#include "kith/collection/moment.hpp"
#include "kith/collection/profile.hpp"
#include "kith/collection/range_search.hpp"
#include "kith/collection/record_codec.hpp"
#include "kith/collection/record_selection.hpp"
#include "kith/query.hpp"
#include "kith/query/condition.hpp"
#include "kith/query/wanted.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kith::inline v0 {

template <class S, std::size_t VectorField, auto Member>
class GroupedQuery;

/// What Collection::nearest and Snapshot::nearest return; nothing is searched before run().
template <class S, std::size_t VectorField>
class NearestQuery {
    using Attribute = typename S::template VectorAttribute<VectorField>;

public:
    using Record = typename S::Record;

    NearestQuery(detail::Moment moment, std::span<const float> query)
        : moment_(std::move(moment)), query_(query.begin(), query.end()) {}

    /// At most `count` hits; fewer only where fewer records match. Default: 10, or all within a radius.
    NearestQuery& limit(std::size_t count) noexcept {
        limit_ = count;
        return *this;
    }

    /// The share of the true nearest neighbours to find, above 0 and at most 1; 1 compares every record. Default: 0.95.
    /// Each segment knows from its own exact search how hard it must try (see index/recall_curve.hpp); before it does,
    /// it tries harder than it probably must.
    NearestQuery& recall(double share) noexcept {
        recall_ = share;
        return *this;
    }

    /// How many candidates the graph search keeps (the paper's ef), instead of a recall: more finds more of the true
    /// neighbours and takes longer. Never less than the limit. An index without a graph does what it usually does.
    NearestQuery& ef_search(std::size_t count) noexcept {
        ef_search_ = count;
        return *this;
    }

    /// How many lists of an inverted file are read, those nearest to the query first, instead of a recall; all where
    /// there are fewer, and more where they hold fewer records than are wanted.
    NearestQuery& nprobe(std::size_t count) noexcept {
        static_assert(detail::reads_lists<Attribute>,
                      "kith: nprobe is a number of lists, and this field's index has none; write recall(0.98), or make "
                      "the index a kith::Ivf");
        nprobe_ = count;
        return *this;
    }

    /// How many times as many records as are wanted are compared by their vectors after the search by codes, at most; of
    /// a limit below ten a graph and a Flat index compare as many as of ten. It goes with all that says how hard to
    /// search, but for a Flat index, where it is all there is to say.
    NearestQuery& rescore(double factor) noexcept {
        static_assert(detail::rescores<Attribute>,
                      "kith: rescore is for an index that compares codes, and then the best by their vectors; this "
                      "field's index chooses no number of them");
        rescore_ = factor;
        return *this;
    }

    /// Only records at most so far away, as Hit::distance tells it: L2 the squared distance, so that 3 units are
    /// within(9); Cosine 1 − cos, from 0 to 2; InnerProduct the product with its sign changed, so that within(-0.8) asks
    /// for products of at least 0.8; Hamming the number of bits that differ; Jaccard the share of bits that only one
    /// of both has. It is rounded to a float, as distances are. All such records are returned, or the nearest limit() of
    /// them. Recall is the share that is found of them.
    /// Cost: grows with the number of records within; from a sixteenth of all on, it is a scan.
    NearestQuery& within(double radius) noexcept {
        radius_ = static_cast<float>(radius);
        return *this;
    }

    /// Compares the query with every record: recall is 1, the cost is a scan.
    NearestQuery& exact() noexcept {
        exact_ = true;
        return *this;
    }

    /// Returns only records that satisfy a condition, in C++ or as text: `where(kith::field<&R::year> >= 2020)` or
    /// `where("year >= ?", 2020)`; a second call narrows the first.
    /// Throws: as parse_condition.
    template <class... Wanted>
    NearestQuery& where(const Wanted&... wanted) {
        Condition<Record> condition = detail::wanted<Record>(moment_.engine().conditions(), wanted...);
        condition_ = condition_.has_value() ? std::move(*condition_) && std::move(condition) : std::move(condition);
        return *this;
    }

    /// The same, as text that the compiler reads: `where<"year >= 2020">()`.
    /// Throws: as condition.
    template <FixedText Text, class... L>
    NearestQuery& where(const L&... values) {
        return where(condition<Record, Text>(values...));
    }

    /// Asks for the nearest records of each value of a field instead, where values are those of the nearest records: at
    /// most `groups` values and `per_group` records of each, and fewer only where fewer exist. The groups come in the
    /// order of their nearest records. Records without a value are a group of their own.
    /// Cost: some searches; one or two for each group where few of the nearest neighbours belong to different ones.
    template <auto Member>
    [[nodiscard]] GroupedQuery<S, VectorField, Member> group_by(std::size_t groups, std::size_t per_group = 1) const {
        return GroupedQuery<S, VectorField, Member>(*this, groups, per_group);
    }

    /// The nearest records of one moment, nearest first; equal distances order by age, oldest first.
    /// Throws: Errc::invalid_argument for a query of another dimension, with an element that is not finite, of zero
    /// length under Cosine, for a limit or ef_search of 0, or a recall, radius, nprobe or rescore that is none; closed,
    /// forked, corrupt.
    [[nodiscard]] std::vector<Hit<Record>> run() const {
        check();
        const detail::Engine& engine = moment_.engine();
        const auto open = engine.enter();
        const auto snapshot = moment_.snapshot();
        std::optional<detail::Selection> selection;
        return hits_of(*snapshot, find(*snapshot, request(selection), [&](const detail::SearchRequest& asked) {
            return engine.search(*snapshot, asked);
        }));
    }

    /// What run() would do in each segment, and why.
    /// Throws: as run(). Cost: that of finding which records may satisfy a condition; nothing is compared.
    [[nodiscard]] Explanation explain() const {
        check();
        const auto open = moment_.engine().enter();
        const auto snapshot = moment_.snapshot();
        std::optional<detail::Selection> selection;
        return explain(*snapshot, request(selection));
    }

    /// Runs the query by the clock, in this thread alone, and tells what each part took and what came of it.
    /// Throws: as run(). Cost: that of run(), and of counting the records that satisfy a condition.
    [[nodiscard]] Profile profile() const {
        using Clock = std::chrono::steady_clock;
        check();
        const auto open = moment_.engine().enter();
        const auto snapshot = moment_.snapshot();
        std::optional<detail::Selection> selection;
        const detail::SearchRequest asked = request(selection);
        const detail::ScratchPool::Lease scratch(moment_.engine().scratches());
        detail::ProfiledSearch search(*snapshot, *scratch);
        const Clock::time_point begin = Clock::now();
        const std::vector<detail::Found> found =
            find(*snapshot, asked, [&](const detail::SearchRequest& round) { return search(round); });
        const Clock::time_point middle = Clock::now();
        const std::size_t hits = hits_of(*snapshot, found).size();
        const std::chrono::duration<double, std::micro> searched = middle - begin;
        const std::chrono::duration<double, std::micro> read = Clock::now() - middle;
        Profile profile{explain(*snapshot, asked), search.segments(), hits,
                        search.rounds(),           searched.count(),  read.count()};
        for (std::size_t at = 0; at < profile.segments.size(); ++at) {
            const detail::SegmentView& view = snapshot->segments[at];
            profile.segments[at].records = view.live();
            profile.segments[at].matches =
                selection.has_value() ? detail::select(view, *selection).size() : std::size_t{view.live()};
        }
        return profile;
    }

private:
    template <class, std::size_t>
    friend class NearestManyQuery;
    template <class, std::size_t, auto>
    friend class GroupedQuery;

    [[nodiscard]] std::vector<Hit<Record>> hits_of(const detail::Snapshot& snapshot,
                                                   const std::vector<detail::Found>& found) const {
        std::vector<Hit<Record>> hits;
        for (const detail::Found& one : found) {
            const detail::SegmentView* view = snapshot.find(one.id);
            hits.push_back({detail::decode_record<S>(moment_.engine(), *view, one.id.slot),
                            Attribute::Metric::score(one.distance), one.distance});
        }
        return hits;
    }

    /// What is asked, with the condition, which is made in `selection`.
    [[nodiscard]] detail::SearchRequest request(std::optional<detail::Selection>& selection) const {
        detail::SearchRequest request = unconditional();
        if (condition_.has_value()) {
            request.selection = &selection.emplace(detail::select_records<S>(moment_.engine(), *condition_));
        }
        return request;
    }

    /// What `ask(request)` finds, within the radius if there is one.
    template <class Ask>
    [[nodiscard]] std::vector<detail::Found> find(const detail::Snapshot& snapshot,
                                                  const detail::SearchRequest& request, const Ask& ask) const {
        if (!radius_.has_value()) return ask(request);
        return detail::search_within(ask, request, *radius_, limit_.value_or(detail::no_limit), snapshot.live());
    }

    [[nodiscard]] Explanation explain(const detail::Snapshot& snapshot, detail::SearchRequest asked) const {
        Explanation explanation{std::string(Attribute::name), asked.recall, asked.exact,
                                condition_.has_value(),       radius_,      {}};
        if (radius_.has_value()) {
            asked = detail::first_round(asked, limit_.value_or(detail::no_limit), snapshot.live());
        }
        const detail::ScratchPool::Lease scratch(moment_.engine().scratches());
        for (const detail::SegmentView& view : snapshot.segments) {
            explanation.segments.push_back(detail::explain_segment(asked, view, *scratch, S::fields));
        }
        return explanation;
    }

    [[nodiscard]] detail::SearchRequest unconditional() const {
        detail::SearchRequest request;
        request.vector_field = VectorField;
        request.query = query_.data();
        request.limit = limit_.value_or(request.limit);
        request.recall = effort_is_named() ? 0 : recall_.value_or(request.recall);
        request.ef_search = ef_search_;
        request.nprobe = static_cast<std::uint32_t>(nprobe_.value_or(0));
        request.rescore = static_cast<float>(rescore_.value_or(0));
        request.exact = exact_ || recall_ == 1.0;
        return request;
    }

    void check() const {
        check_settings();
        if (const auto problem = vector_problem(query_, vector_rules<typename Attribute::Metric>(Attribute::dim))) {
            raise(Errc::invalid_argument, "query for field '" + std::string(Attribute::name) + "': " + *problem);
        }
    }

    void check_settings() const {
        if (limit_ == 0) raise(Errc::invalid_argument, "limit is 0; ask for at least 1 record");
        check_effort();
        if (radius_.has_value()) {
            const auto problem = detail::radius_problem<typename Attribute::Metric>(*radius_);
            if (problem.has_value()) {
                raise(Errc::invalid_argument,
                      "within: the radius for field '" + std::string(Attribute::name) + "' " + *problem);
            }
        }
    }

    void check_effort() const {
        const auto only_one = [](bool first, const std::string& one, bool second, const std::string& other) {
            if (!first || !second) return;
            raise(Errc::invalid_argument, one + " and " + other + " both say how hard to search; ask for one of them");
        };
        only_one(recall_.has_value(), "recall", ef_search_.has_value(), "ef_search");
        only_one(recall_.has_value(), "recall", nprobe_.has_value(), "nprobe");
        only_one(ef_search_.has_value(), "ef_search", nprobe_.has_value(), "nprobe");
        only_one(recall_.has_value() && detail::only_rescores<Attribute>, "recall", rescore_.has_value(), "rescore");
        if (recall_.has_value() && !(*recall_ > 0 && *recall_ <= 1)) {
            raise(Errc::invalid_argument,
                  "recall is " + std::to_string(*recall_) + "; it must be above 0 and at most 1");
        }
        if (ef_search_ == 0) raise(Errc::invalid_argument, "ef_search is 0; it must be at least 1");
        if (nprobe_.has_value() && (*nprobe_ == 0 || *nprobe_ > most_lists)) {
            raise(Errc::invalid_argument,
                  "nprobe is " + std::to_string(*nprobe_) + "; it must be between 1 and " + std::to_string(most_lists));
        }
        if (rescore_.has_value() && !(*rescore_ >= 1 && *rescore_ <= most_rescored)) {
            raise(Errc::invalid_argument, "rescore is " + std::to_string(*rescore_) + "; it must be between 1 and " +
                                              std::to_string(most_rescored));
        }
    }

    /// Whether something else than a recall says how hard to search.
    [[nodiscard]] bool effort_is_named() const noexcept {
        return ef_search_.has_value() || nprobe_.has_value() ||
               (rescore_.has_value() && detail::only_rescores<Attribute>);
    }

    static constexpr std::size_t most_lists = 1'048'576;  // an inverted file has no more
    static constexpr int most_rescored = 1000;            // beyond it, codes are of no use: exact() is faster

    detail::Moment moment_;
    std::vector<float> query_;  // a copy: the caller's may be gone when the query runs
    std::optional<std::size_t> limit_;
    std::optional<double> recall_;
    std::optional<std::size_t> ef_search_;
    std::optional<std::size_t> nprobe_;
    std::optional<double> rescore_;
    std::optional<float> radius_;
    bool exact_ = false;
    std::optional<Condition<Record>> condition_;
};

}  // namespace kith::inline v0
