// kith/collection/reading.hpp — what can be read, from a collection and from a snapshot of it alike.
#pragma once

#include "kith/collection/grouped_query.hpp"
#include "kith/collection/moment.hpp"
#include "kith/collection/nearest_many_query.hpp"
#include "kith/collection/nearest_query.hpp"
#include "kith/collection/record_codec.hpp"
#include "kith/collection/record_query.hpp"
#include "kith/collection/record_range.hpp"
#include "kith/core/element.hpp"
#include "kith/query/wanted.hpp"

#include <array>
#include <concepts>
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace kith::inline v0 {

/// The reading half of Collection and Snapshot; `Self` says which Moment it reads.
///
/// Thread safety: every function may be called by any number of threads at once; none waits for a writer.
template <class Self, class S>
class Reading {
public:
    using Record = typename S::Record;
    using Key = typename S::KeyType;

    /// The record with `key`, its vectors bit for bit as they were written; nothing when there is none.
    /// Throws: closed, forked, corrupt, as every function that reads.
    [[nodiscard]] std::optional<Record> get(const Key& key) const {
        const detail::Moment moment = self().moment();
        const auto open = moment.engine().enter();
        const auto located = moment.locate(S::key_bytes(key));
        if (!located.has_value()) return std::nullopt;
        return detail::decode_record<S>(moment.engine(), *located->view, located->id.slot);
    }

    [[nodiscard]] bool contains(const Key& key) const {
        const detail::Moment moment = self().moment();
        const auto open = moment.engine().enter();
        return moment.locate(S::key_bytes(key)).has_value();
    }

    /// How many records there are.
    [[nodiscard]] std::size_t size() const {
        const detail::Moment moment = self().moment();
        const auto open = moment.engine().enter();
        return static_cast<std::size_t>(moment.snapshot()->live());
    }

    /// Asks for the records whose vector `Member` is nearest to `query`; see NearestQuery.
    template <auto Member>
    [[nodiscard]] auto nearest(std::span<const float> query) const {
        return NearestQuery<S, S::template vector_index<Member>>(self().moment(), query);
    }

    /// The same for a query of the elements the vectors are made of, where those are not floats.
    template <auto Member, Element T, std::size_t Count>
        requires(!std::same_as<T, float>)
    [[nodiscard]] auto nearest(const std::array<T, Count>& query) const {
        std::vector<float> floats;
        return nearest<Member>(detail::floats_of(std::span<const T>(query), floats));
    }

    /// Asks the same of many vectors at once: of a range of vectors, of floats or of the field's elements, or of a span
    /// of floats that holds whole vectors one after the other; see NearestManyQuery.
    /// Throws: Errc::invalid_argument for a vector of another dimension.
    template <auto Member, class Queries>
    [[nodiscard]] auto nearest_many(const Queries& queries) const {
        return NearestManyQuery<S, S::template vector_index<Member>>(self().moment(), queries);
    }

    /// Asks for the records that satisfy a condition, in an order, page by page, or how many there are; see RecordQuery.
    /// It is written in C++ or as text: `where(kith::field<&R::year> >= 2020)`, `where("year >= ?", 2020)`; or as text that
    /// the compiler reads: `where<"year >= 2020">()`.
    /// Throws: as parse_condition.
    template <class... Wanted>
    [[nodiscard]] RecordQuery<S> where(const Wanted&... wanted) const {
        detail::Moment moment = self().moment();
        Condition<Record> condition = detail::wanted<Record>(moment.engine().conditions(), wanted...);
        return RecordQuery<S>(std::move(moment), std::move(condition));
    }
    template <FixedText Text, class... L>
    [[nodiscard]] RecordQuery<S> where(const L&... values) const {
        return where(condition<Record, Text>(values...));
    }

    /// How many records satisfy a condition, which is written as for where().
    /// Throws: closed, forked, corrupt; as parse_condition.
    template <class... Wanted>
    [[nodiscard]] std::size_t count(const Wanted&... wanted) const {
        return where(wanted...).count();
    }

    /// Every record of this moment, for a range-based for loop.
    [[nodiscard]] RecordRange<S> records() const { return RecordRange<S>(self().moment()); }

private:
    [[nodiscard]] const Self& self() const noexcept { return static_cast<const Self&>(*this); }
};

}  // namespace kith::inline v0
