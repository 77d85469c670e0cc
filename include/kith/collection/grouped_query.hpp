// kith/collection/grouped_query.hpp — the nearest records of each value of a field, the values with the nearest first.
//
// Most groups are among the nearest neighbours of all. Where one value has most of them, the nearest record whose value
// is none of those seen is asked for instead, again and again; and what a group lacks is asked for by its value. So the
// answer is whole however the values are spread, and costs a search a group at worst.
//
// Thread safety: none for a query; each thread asks its own. A query refers to its collection, which must outlive it.
#pragma once

#include "kith/collection/field_reader.hpp"
#include "kith/collection/hit.hpp"
#include "kith/collection/nearest_query.hpp"
#include "kith/query/condition.hpp"
#include "kith/query/evaluate.hpp"
#include "kith/query/scalar.hpp"
#include "kith/scalar/term.hpp"
#include "kith/schema/field.hpp"
#include "kith/schema/reflect.hpp"

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace kith::inline v0 {

/// The records that share a value.
template <class T, class Record>
struct Group {
    T value{};                      ///< of a std::optional field, nothing for the records without a value
    std::vector<Hit<Record>> hits;  ///< nearest first
};

namespace detail {

/// Conditions about which group a record belongs to. NaN is a value like any other here, though it equals nothing.
template <auto Member>
class GroupCondition {
    using T = TypeOf<Member>;
    using Single = Present<T>;
    static constexpr bool nullable = is_optional<T>;

public:
    /// A text that is the same for the values of one group, and for no others.
    [[nodiscard]] static std::string name_of(const T& value) {
        if (is_null(value)) return {};
        return '=' + term_of(present(value));
    }

    /// Holds for the records of a group.
    [[nodiscard]] static Expression is(const T& value) {
        if (is_null(value)) return null();
        if (is_nan(value)) return negation(below_nan());
        return {.op = Op::equal, .field = member_index<Member>, .values = {value_of(value)}};
    }

    /// Holds for the records of all other groups. Requires: there is one.
    template <class Groups>
    [[nodiscard]] static Expression is_none_of(const Groups& groups) {
        Expression all{.op = Op::all_of};
        Expression seen{.op = Op::in, .field = member_index<Member>};
        bool null_seen = false;
        for (const auto& group : groups) {
            if (is_null(group.value)) {
                null_seen = true;
                all.children.push_back(negation(null()));
            } else if (is_nan(group.value)) {
                all.children.push_back(below_nan());
            } else {
                seen.values.push_back(value_of(group.value));
            }
        }
        seen.values = ascending(std::move(seen.values));
        if (!seen.values.empty()) all.children.push_back(negation(std::move(seen)));
        if (!nullable || null_seen) return all;
        return {.op = Op::any_of, .children = {null(), std::move(all)}};
    }

private:
    static bool is_null(const T& value) noexcept {
        if constexpr (nullable) return !value.has_value();
        return false;
    }
    static const Single& present(const T& value) noexcept {
        if constexpr (nullable) {
            return *value;
        } else {
            return value;
        }
    }
    static bool is_nan(const T& value) {
        if constexpr (std::floating_point<Single>) return is_nan_term(scalar_kind<Single>(), term_of(present(value)));
        return false;
    }
    static Value value_of(const T& value) { return Value(ComparedAs<Single>(compared(present(value)))); }

    static Expression null() { return {.op = Op::is_null, .field = member_index<Member>}; }
    static Expression below_nan() {
        return {
            .op = Op::less_equal, .field = member_index<Member>, .values = {std::numeric_limits<double>::infinity()}};
    }
    static Expression negation(Expression child) { return {.op = Op::negation, .children = {std::move(child)}}; }
};

}  // namespace detail

/// What NearestQuery::group_by returns; nothing is searched before run().
template <class S, std::size_t VectorField, auto Member>
class GroupedQuery {
    using One = NearestQuery<S, VectorField>;
    using Value = detail::TypeOf<Member>;
    static constexpr bool single = detail::StoredScalar<detail::Present<Value>>;
    static_assert(single,
                  "kith: group_by takes a field with one value; a record with a list, JSON or a vector belongs to no "
                  "one group");

public:
    using Record = typename S::Record;

    GroupedQuery(One one, std::size_t groups, std::size_t per_group)
        : one_(std::move(one)), groups_(groups), per_group_(per_group) {}

    /// The groups, that with the nearest record first; see NearestQuery::group_by.
    /// Throws: as NearestQuery::run; Errc::invalid_argument for 0 groups, 0 records of each, or a limit.
    [[nodiscard]] std::vector<Group<Value, Record>> run() const {
        check();
        const auto open = one_.moment_.engine().enter();
        const auto snapshot = one_.moment_.snapshot();
        std::vector<Group<Value, Record>> groups;
        for (const Gathered& gathered : Run(*this, *snapshot).gather()) {
            groups.push_back({gathered.value, one_.hits_of(*snapshot, gathered.found)});
        }
        return groups;
    }

private:
    using Belongs = detail::GroupCondition<Member>;

    struct Gathered {
        Value value{};
        std::vector<detail::Found> found;  // nearest first, at most as many as are wanted of a group
        bool whole = false;                // there are no others

        friend bool operator<(const Gathered& a, const Gathered& b) noexcept {
            return a.found.front() < b.found.front();
        }
    };

    /// One run of the query.
    class Run {
    public:
        Run(const GroupedQuery& query, const detail::Snapshot& snapshot)
            : query_(query), snapshot_(snapshot), rows_(query.one_.moment_.engine()) {}

        [[nodiscard]] std::vector<Gathered> gather() {
            if (!gather_nearest()) gather_others();
            std::sort(groups_.begin(), groups_.end());
            if (groups_.size() > query_.groups_) groups_.resize(query_.groups_);
            for (Gathered& group : groups_) fill(group);
            std::sort(groups_.begin(), groups_.end());
            return std::move(groups_);
        }

    private:
        /// The groups of the nearest neighbours; true when those were all.
        bool gather_nearest() {
            constexpr std::size_t enough = 4, growth = 4, rounds = 2;
            const auto live = static_cast<std::size_t>(snapshot_.live());
            const std::size_t hits = capped_product(query_.groups_, query_.per_group_, live);
            std::size_t limit = capped_product(enough, hits, live);
            for (std::size_t round = 1;; ++round) {
                groups_.clear();
                places_.clear();
                const bool all = take(ask(nullptr, limit), limit);
                if (all || groups_.size() >= query_.groups_ || round == rounds) return all;
                limit = capped_product(growth, limit, live);
            }
        }

        /// Those of the nearest that belong to none of them, until there are enough.
        void gather_others() {
            constexpr std::size_t enough = 4, most = 1000;
            for (bool all = false; !all && groups_.size() < query_.groups_;) {
                const std::size_t before = groups_.size();
                const Condition<Record> others(Belongs::is_none_of(groups_));
                const std::size_t limit = capped_product(enough, query_.groups_ - before, most);
                all = take(ask(&others, limit), limit) || groups_.size() == before;
            }
        }

        /// Asks for what a group lacks.
        void fill(Gathered& group) {
            if (group.whole || group.found.size() >= query_.per_group_) return;
            const Condition<Record> belongs(Belongs::is(group.value));
            std::vector<detail::Found> found = ask(&belongs, query_.per_group_);
            if (query_.one_.radius_.has_value()) detail::cut_beyond(*query_.one_.radius_, found);
            group.found.insert(group.found.end(), found.begin(), found.end());
            std::sort(group.found.begin(), group.found.end());
            const auto same = [](const detail::Found& a, const detail::Found& b) { return a.id == b.id; };
            group.found.erase(std::unique(group.found.begin(), group.found.end(), same), group.found.end());
            if (group.found.size() > query_.per_group_) group.found.resize(query_.per_group_);
        }

        /// The nearest records, of those that satisfy one more condition if there is one.
        [[nodiscard]] std::vector<detail::Found> ask(const Condition<Record>* also, std::size_t limit) const {
            constexpr std::size_t part = 16;  // a walk to a sixteenth of the records takes as long as a scan
            const One& one = query_.one_;
            std::optional<Condition<Record>> condition = one.condition_;
            if (also != nullptr) condition = condition.has_value() ? std::move(*condition) && *also : *also;
            std::optional<detail::Selection> selection;
            detail::SearchRequest request = one.unconditional();
            request.limit = limit;
            request.exact = request.exact || (also == nullptr && limit >= snapshot_.live() / part);
            if (condition.has_value()) {
                request.selection = &selection.emplace(detail::select_records<S>(one.moment_.engine(), *condition));
            }
            return one.moment_.engine().search(snapshot_, request);
        }

        /// Puts what a search for `limit` records found into groups; true when it found all there are.
        bool take(std::vector<detail::Found> found, std::size_t limit) {
            bool all = found.size() < limit || found.size() == snapshot_.live();
            if (query_.one_.radius_.has_value()) all = detail::cut_beyond(*query_.one_.radius_, found) || all;
            const std::size_t before = groups_.size();
            for (const detail::Found& one : found) {
                const Value& value = reader_.read(*snapshot_.find(one.id), one.id.slot);
                const auto [place, added] = places_.try_emplace(Belongs::name_of(value), groups_.size());
                if (added) groups_.push_back({value, {}});
                std::vector<detail::Found>& hits = groups_[place->second].found;
                if (hits.size() < query_.per_group_) hits.push_back(one);
            }
            for (std::size_t at = before; at < groups_.size(); ++at) groups_[at].whole = all;
            return all;
        }

        /// a · b, but at least 1 and at most `cap`.
        static std::size_t capped_product(std::size_t a, std::size_t b, std::size_t cap) noexcept {
            cap = std::max<std::size_t>(cap, 1);
            return b != 0 && a > cap / b ? cap : std::max<std::size_t>(a * b, 1);
        }

        const GroupedQuery& query_;
        const detail::Snapshot& snapshot_;
        detail::RowReader<S> rows_;
        detail::FieldReader<S, detail::member_index<Member>> reader_{rows_};
        std::vector<Gathered> groups_;
        std::map<std::string, std::size_t> places_;  // in groups_, by the name of the group, while they are gathered
    };

    void check() const {
        one_.check();
        if (one_.limit_.has_value()) {
            raise(Errc::invalid_argument, "limit and group_by both say how many hits to return; ask for one of them");
        }
        if (groups_ == 0) raise(Errc::invalid_argument, "group_by: groups is 0; ask for at least 1 group");
        if (per_group_ == 0)
            raise(Errc::invalid_argument, "group_by: per_group is 0; ask for at least 1 record of each");
    }

    One one_;  // the question and its settings
    std::size_t groups_;
    std::size_t per_group_;
};

}  // namespace kith::inline v0
