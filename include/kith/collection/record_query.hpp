// kith/collection/record_query.hpp — the question "which records satisfy this", in an order and page by page.
//
// Records come in the order of their keys, or of a field; records with equal values come in the order of their keys. A
// Cursor marks a place in that order, not a number of records: what is written between two pages moves none of the others
// from one page to the next.
//
// Thread safety: none for a query; each thread asks its own. A query refers to its collection, which must outlive it.
#pragma once

#include "kith/collection/cursor.hpp"
#include "kith/collection/facets.hpp"
#include "kith/collection/field_reader.hpp"
#include "kith/collection/moment.hpp"
#include "kith/collection/record_codec.hpp"
#include "kith/collection/record_selection.hpp"
#include "kith/query/condition.hpp"
#include "kith/query/wanted.hpp"
#include "kith/scalar/term.hpp"
#include "kith/schema/field.hpp"
#include "kith/schema/reflect.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kith::inline v0 {

enum class Order : std::uint8_t { ascending, descending };

/// A part of the records that a query finds.
template <class Record>
struct Page {
    std::vector<Record> records;
    std::optional<Cursor> next;  ///< where the next page begins; nothing when this is the last
};

/// What Collection::where and Snapshot::where return; nothing is read before run(), page() or count().
template <class S>
class RecordQuery {
public:
    using Record = typename S::Record;

    RecordQuery(detail::Moment moment, Condition<Record> condition)
        : moment_(std::move(moment)), condition_(std::move(condition)) {}

    /// Narrows the condition by another, in C++ or as text.
    /// Throws: as parse_condition.
    template <class... Wanted>
    RecordQuery& where(const Wanted&... wanted) {
        condition_ = std::move(condition_) && detail::wanted<Record>(moment_.engine().conditions(), wanted...);
        return *this;
    }

    /// In the order of a field that is neither a list nor a vector: numbers by size, NaN behind infinity; texts by their
    /// bytes; false before true. Records without a value come last, whichever the order.
    template <auto Member>
    RecordQuery& order_by(Order order = Order::ascending) {
        using T = detail::TypeOf<Member>;
        static_assert(detail::StoredScalar<detail::Present<T>>,
                      "kith: order_by takes a field with one value; lists and vectors have no order");
        order_ = {detail::member_index<Member> + 1, order == Order::descending};
        terms_of_ = &terms_reader<detail::member_index<Member>>;
        return *this;
    }

    /// At most `count` records. Default: all.
    RecordQuery& limit(std::size_t count) noexcept {
        limit_ = count;
        return *this;
    }

    /// Passes over the first `count` records. Cost: as if they were returned; a cursor costs nothing.
    RecordQuery& offset(std::size_t count) noexcept {
        offset_ = count;
        return *this;
    }

    /// Begins behind the last record of the page that gave this cursor.
    RecordQuery& after(Cursor cursor) {
        after_ = std::move(cursor);
        return *this;
    }

    /// Throws: Errc::invalid_argument for a limit of 0, or a cursor of a query in another order; closed, forked, corrupt.
    /// Cost: of every record that satisfies the condition, key and order are looked at, in columns where they are kept so;
    /// the records of the answer are read.
    [[nodiscard]] std::vector<Record> run() const { return find(limit_).records; }

    /// The same, with the place where it ends.
    [[nodiscard]] Page<Record> page() const { return find(limit_); }

    /// How many records satisfy the condition, whatever the limit.
    /// Throws: closed, forked, corrupt.
    [[nodiscard]] std::size_t count() const {
        std::size_t count = 0;
        for_each_segment([&](const detail::SegmentView&, const detail::SlotSet& slots) { count += slots.size(); });
        return count;
    }

    /// The keys of the records that satisfy the condition, in no particular order, whatever the limit.
    /// Throws: closed, forked, corrupt.
    [[nodiscard]] std::vector<typename S::KeyType> keys() const {
        std::vector<typename S::KeyType> keys;
        for_each_value<S::key_position>([&](const typename S::KeyType& key) { keys.push_back(key); });
        return keys;
    }

    /// The different values of a field among the records that satisfy the condition, in order, each with the number of
    /// records that have it. A list counts for each of its elements, a field without a value for none.
    /// Throws: closed, forked, corrupt.
    template <auto Member>
    [[nodiscard]] auto distinct() const {
        detail::FacetCounter<Member> counter;
        for_each_value<detail::member_index<Member>>([&](const auto& value) { counter.add(value); });
        return counter.take();
    }

    /// The same, the most frequent `limit` values first.
    template <auto Member>
    [[nodiscard]] auto facets(std::size_t limit = 10) const {
        auto facets = distinct<Member>();
        detail::keep_most_frequent(facets, limit);
        return facets;
    }

private:
    /// A record by its place in the order.
    struct Found {
        detail::OrderPlace place;
        const detail::SegmentView* view;
        Slot slot;
    };

    template <class Take>
    void for_each_segment(Take&& take) const {
        const auto open = moment_.engine().enter();
        const auto snapshot = moment_.snapshot();
        const detail::Selection selection = detail::select_records<S>(moment_.engine(), condition_);
        for (const detail::SegmentView& view : snapshot->segments) take(view, detail::select(view, selection));
    }

    /// Calls `take` with one field of each record that satisfies the condition.
    template <std::size_t Field, class Take>
    void for_each_value(Take&& take) const {
        detail::RowReader<S> rows(moment_.engine());
        detail::FieldReader<S, Field> reader(rows);
        for_each_segment([&](const detail::SegmentView& view, const detail::SlotSet& slots) {
            slots.for_each([&](Slot slot) { take(reader.read(view, slot)); });
        });
    }

    /// Reads one field of a record as terms.
    using TermsOf = std::function<void(const detail::SegmentView&, Slot, detail::MemberTerms&)>;

    template <std::size_t Field>
    [[nodiscard]] static TermsOf terms_reader(detail::RowReader<S>& rows) {
        return [reader = detail::FieldReader<S, Field>(rows)](const detail::SegmentView& view, Slot slot,
                                                              detail::MemberTerms& terms) mutable {
            member_terms(reader.read(view, slot), terms);
        };
    }

    [[nodiscard]] Page<Record> find(std::size_t limit) const {
        if (limit == 0) raise(Errc::invalid_argument, "limit is 0; ask for at least 1 record");
        std::optional<detail::OrderPlace> begin;
        if (after_.has_value()) begin = detail::place_of(*after_, order_);
        const auto open = moment_.engine().enter();
        const auto snapshot = moment_.snapshot();
        constexpr std::size_t all = std::numeric_limits<std::size_t>::max();
        const std::size_t wanted =
            limit < all - 1 - offset_ ? offset_ + limit + 1 : all;  // one more tells of a next page
        const auto before = [&](const Found& a, const Found& b) { return order_.before(a.place, b.place); };
        std::vector<Found> found;
        detail::MemberTerms terms;
        detail::RowReader<S> rows(moment_.engine());
        const TermsOf key_of = terms_reader<S::key_position>(rows);
        const TermsOf value_of = terms_of_ == nullptr ? TermsOf() : terms_of_(rows);
        const auto place_in_order = [&](const detail::SegmentView& view, Slot slot) {
            detail::OrderPlace place;
            if (value_of) {
                value_of(view, slot, terms);
                place.null = terms.null();
                if (!place.null) place.term = terms[0];
            }
            key_of(view, slot, terms);
            place.key = terms[0];
            return place;
        };
        const detail::Selection selection = detail::select_records<S>(moment_.engine(), condition_);
        for (const detail::SegmentView& view : snapshot->segments) {
            detail::select(view, selection).for_each([&](Slot slot) {
                Found one{place_in_order(view, slot), &view, slot};
                if (begin.has_value() && !order_.before(*begin, one.place)) return;
                found.push_back(std::move(one));
                if (found.size() / 2 < wanted) return;
                std::nth_element(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(wanted), found.end(),
                                 before);
                found.resize(wanted);
            });
        }
        std::sort(found.begin(), found.end(), before);
        Page<Record> page;
        const std::size_t end = std::min(found.size(), wanted == all ? all : wanted - 1);
        for (std::size_t at = offset_; at < end; ++at) {
            page.records.push_back(detail::decode_record<S>(moment_.engine(), *found[at].view, found[at].slot));
        }
        if (found.size() > end && end > 0) page.next = detail::cursor_of(found[end - 1].place, order_);
        return page;
    }

    detail::Moment moment_;
    Condition<Record> condition_;
    detail::RecordOrder order_;
    TermsOf (*terms_of_)(detail::RowReader<S>&) = nullptr;  // reads the field of the order
    std::size_t limit_ = std::numeric_limits<std::size_t>::max();
    std::size_t offset_ = 0;
    std::optional<Cursor> after_;
};

}  // namespace kith::inline v0
