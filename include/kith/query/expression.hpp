// kith/query/expression.hpp — a condition as a tree: what is asked, of which field, with which values.
//
// However a condition was written, in C++ or as text, it becomes this tree; whoever answers it, by reading records or
// an index, starts from here. A tree knows fields by their place in the record and no record type.
//
// A leaf asks something of a field, or of the length of a list, with values: that is what an index can answer. Only
// where numbers are calculated, JSON is looked into, or two columns meet, does it hold terms: one in the place of the
// field, or two and no values.
//
// Rules:  values have the field's own type and are in its range; those beside a term have a type of their own. A null
//         field satisfies no comparison, and neither does it satisfy the negation of one: the answer is unknown, as in
//         SQL. Only is_null is never unknown. What JSON holds is null to a comparison with values of another type.
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
    equal,          ///< the field, or the only term, is values[0]; or terms[0] is terms[1], and so below
    not_equal,      ///< the field is not values[0]
    less,           ///< the field is less than values[0]
    less_equal,     ///< the field is values[0] or less
    greater,        ///< the field is greater than values[0]
    greater_equal,  ///< the field is values[0] or greater
    in,             ///< the field is one of the values
    contains_any,   ///< the list holds at least one of the values; never true of no values
    contains_all,   ///< the list holds every one of the values; always true of no values
    has_prefix,     ///< the text begins with values[0]
    has_suffix,     ///< the text ends with values[0]
    has_substring,  ///< the text has values[0] in it
    like,           ///< the text matches the pattern values[0]; see kith/query/pattern.hpp
    ilike,          ///< the same, where the case of ASCII letters does not matter; the pattern has none in upper case
    is_null,        ///< the field has no value
    all_of,         ///< every child holds; true without children
    any_of,         ///< at least one child holds; false without children
    negation,       ///< the only child does not hold
};

/// What of a field is compared.
enum class Aspect : std::uint8_t {
    value,   ///< what it holds
    length,  ///< how many elements its list has, as std::uint64_t
};

/// A value to compare with: signed integers, enumerations and timestamps as std::int64_t, unsigned integers as
/// std::uint64_t, float and double as double.
using Value = std::variant<bool, std::int64_t, std::uint64_t, double, std::string>;

/// What a node of a term is.
enum class TermOp : std::uint8_t {
    column,     ///< the value of the field
    length,     ///< the number of elements of the field's list
    path,       ///< what the field's JSON holds where the parts lead, constants: texts are names, integers positions
    size,       ///< the number of elements of the JSON list where the parts lead
    constant,   ///< the value
    negate,     ///< the only part with its sign changed
    add,        ///< the sum of both parts, and so below
    subtract,   ///< the first part less the second
    multiply,   ///< the product
    divide,     ///< the quotient; of two integers without its fraction
    remainder,  ///< what the division of two integers leaves; has the sign of the first
};

/// One side of a comparison that is more than a field. A term is null where a part of it is or has the wrong type, where
/// integers leave 64 bits, and where an integer is divided by zero.
struct Term {
    TermOp op = TermOp::constant;
    std::size_t field = 0;  // the place in the record
    Value value = {};
    std::vector<Term> parts = {};

    friend bool operator==(const Term&, const Term&) = default;
};

/// One node. Leaves have a field and values, a term and values, or two terms; all_of, any_of and negation have children.
struct Expression {
    Op op = Op::all_of;
    std::size_t field = 0;           // the place in the record
    std::vector<Value> values = {};  // in, contains_any, contains_all: ascending and distinct, numbers by what they are
    std::vector<Expression> children = {};
    Aspect aspect = Aspect::value;
    std::vector<Term> terms = {};  // what is asked about, or both sides of a comparison; none for a field

    friend bool operator==(const Expression&, const Expression&) = default;
};

}  // namespace kith::inline v0
