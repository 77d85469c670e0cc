// kith/collection/facets.hpp — which values a field has among some records, and how often.
//
// Thread safety: functions without state of their own.
#pragma once

#include "kith/collection/moment.hpp"
#include "kith/collection/record_codec.hpp"
#include "kith/scalar/term.hpp"
#include "kith/schema/field.hpp"
#include "kith/schema/reflect.hpp"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace kith::inline v0 {

/// A value, and how many records have it.
template <class T>
struct Facet {
    T value{};
    std::size_t count = 0;

    friend bool operator==(const Facet&, const Facet&) = default;
};

namespace detail {

/// Counts the values of one member, record by record.
template <auto Member>
class FacetCounter {
    using Stored = TypeOf<Member>;
    static_assert(!StoredVector<Stored>, "kith: a vector field has no facets; they count equal values");

public:
    using Value = ScalarOf<Stored>;

    /// A list counts once for each different element; a field without a value counts for none.
    void add(const Stored& member) {
        member_terms(member, terms_);
        for (std::size_t at = 0; at < terms_.size(); ++at) {
            bool before = false;
            for (std::size_t earlier = 0; earlier < at; ++earlier) before = before || terms_[earlier] == terms_[at];
            if (before) continue;
            Facet<Value>& facet = facets_[std::string(terms_[at])];
            if (facet.count++ == 0) facet.value = value_at(member, at);
        }
    }

    /// The values in their order.
    [[nodiscard]] std::vector<Facet<Value>> take() {
        std::vector<Facet<Value>> all;
        all.reserve(facets_.size());
        for (auto& [term, facet] : facets_) all.push_back(std::move(facet));
        facets_.clear();
        return all;
    }

private:
    template <class T>
    static Value value_at(const T& member, std::size_t at) {
        if constexpr (is_optional<T>) {
            return value_at(*member, at);
        } else if constexpr (is_list<T>) {
            return member[at];
        } else {
            return member;
        }
    }

    std::map<std::string, Facet<Value>> facets_;  // by term, so in the order of the values
    MemberTerms terms_;
};

/// The most frequent first, equally frequent ones in the order of their values.
template <class T>
void keep_most_frequent(std::vector<Facet<T>>& facets, std::size_t limit) {
    std::vector<std::pair<std::size_t, std::size_t>>
        order;  // so that the greatest stands first, and the earlier of equals
    for (std::size_t at = 0; at < facets.size(); ++at) order.emplace_back(facets[at].count, facets.size() - at);
    std::sort(order.begin(), order.end(), std::greater<>());
    if (order.size() > limit) order.resize(limit);
    std::vector<Facet<T>> kept;
    for (const auto& [count, from_end] : order) kept.push_back(std::move(facets[facets.size() - from_end]));
    facets = std::move(kept);
}

}  // namespace detail

}  // namespace kith::inline v0
