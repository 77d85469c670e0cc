// kith/query/expression.hpp — a condition as a tree: what is asked, of which field, with which values.
//
// However a condition was written, in C++ or one day as text, it becomes this tree; whoever answers it, by reading
// records or an index, starts from here. A tree knows fields by their place in the record and no record type.
//
// Rules:  values have the field's own type and are in its range. A null field satisfies no comparison, and neither does
//         it satisfy the negation of one: the answer is unknown, as in SQL. Only is_null is never unknown.
//
// Thread safety: a tree that nobody changes may be read by many.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace kith::inline v0 {

/// What a node of a condition asks.
enum class Op : std::uint8_t {
    equal,          ///< the field is values[0]
    not_equal,      ///< the field is not values[0]
    less,           ///< the field is less than values[0]
    less_equal,     ///< the field is values[0] or less
    greater,        ///< the field is greater than values[0]
    greater_equal,  ///< the field is values[0] or greater
    in,             ///< the field is one of the values
    contains_any,   ///< the list holds at least one of the values; never true of no values
    contains_all,   ///< the list holds every one of the values; always true of no values
    is_null,        ///< the field has no value
    all_of,         ///< every child holds; true without children
    any_of,         ///< at least one child holds; false without children
    negation,       ///< the only child does not hold
};

/// A value to compare with: signed integers and enumerations as std::int64_t, unsigned ones as std::uint64_t, float
/// and double as double.
using Value = std::variant<bool, std::int64_t, std::uint64_t, double, std::string>;

/// One node. Leaves have a field and values; all_of, any_of and negation have children.
struct Expression {
    Op op = Op::all_of;
    std::size_t field = 0;           // the place in the record
    std::vector<Value> values = {};  // in, contains_any, contains_all: ascending and distinct
    std::vector<Expression> children = {};

    friend bool operator==(const Expression&, const Expression&) = default;
};

}  // namespace kith::inline v0
