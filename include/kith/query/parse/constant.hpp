// kith/query/parse/constant.hpp — a constant beside a column: whether it is a value of the column's type.
//
// The rules and the sentences are those of kith/query/literal.hpp, for values whose type only the text tells.
//
// Thread safety: functions without state.
#pragma once

#include "kith/query/column.hpp"
#include "kith/query/literal.hpp"
#include "kith/query/parse/sentence.hpp"
#include "kith/query/parse/time_reader.hpp"
#include "kith/query/scalar.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <type_traits>

namespace kith::inline v0::detail {

/// A value in the text of a condition, or one bound to a placeholder.
struct Constant {
    Scalar value{};
    bool known = true;     // false while compiling, for a placeholder: only its kind counts
    bool written = true;   // in the text; a quote in it stands twice
    bool natural = false;  // for a column of unsigned integers
    std::size_t begin = 0;
    std::size_t end = 0;
};

/// What is bound to a placeholder: one value, or all of a list.
struct Argument {
    Constant one{};  // of a list: any element, not known
    bool is_list = false;
    std::span<const Constant> many{};  // the values of a list that are known
};

/// A value for a message.
constexpr void show(Sentence& out, std::string_view text, const Constant& constant) {
    if (constant.written) {
        out.add_quoted(text.substr(constant.begin, constant.end - constant.begin));
        return;
    }
    const Scalar& value = constant.value;
    if (!constant.known) {
        out.add(value.kind == ScalarKind::boolean   ? "a bool"
                : value.kind == ScalarKind::integer ? "an integer"
                : value.kind == ScalarKind::real    ? "a number"
                : value.kind == ScalarKind::time    ? "a timestamp"
                                                    : "text");
    } else if (value.kind == ScalarKind::boolean) {
        out.add(value.boolean ? "true" : "false");
    } else if (value.kind == ScalarKind::integer) {
        out.add_number(value.magnitude, value.negative);
    } else if (value.kind == ScalarKind::real) {
        if (!std::is_constant_evaluated()) out.add(show_number(value.real));
    } else if (value.kind == ScalarKind::time) {
        out.add("a timestamp");
    } else {
        out.add("'").add_quoted(value.text).add("'");
    }
}

/// Decides whether a constant can be compared with a column, or with the length of its lists.
class Fitting {
public:
    constexpr Fitting(std::string_view text, const Column& column, Aspect aspect, Fault& fault) noexcept
        : text_(text), column_(column), aspect_(aspect), fault_(fault) {}

    /// Makes the constant a value of the column's type; a fault when it is none.
    constexpr void fit(Constant& constant) {
        constant.natural =
            aspect_ == Aspect::length || column_.kind == FieldKind::uint32 || column_.kind == FieldKind::uint64;
        if (aspect_ == Aspect::length) return fit_integer(constant, 0, std::numeric_limits<std::uint64_t>::max());
        switch (column_.kind) {
            case FieldKind::boolean:
                return want(constant, ScalarKind::boolean, "TRUE or FALSE");
            case FieldKind::text:
                return want(constant, ScalarKind::text, "text in single quotes");
            case FieldKind::float32:
                return fit_real<float>(constant);
            case FieldKind::float64:
                return fit_real<double>(constant);
            case FieldKind::int32:
            case FieldKind::int64:
            case FieldKind::uint32:
            case FieldKind::uint64:
                if (column_.enumeration && constant.value.kind == ScalarKind::text) return fit_name(constant);
                return fit_integer(constant, column_.least, column_.most);
            case FieldKind::timestamp:
                return fit_time(constant);
            case FieldKind::json:
            case FieldKind::vector:
                break;
        }
    }

private:
    /// The beginning of a sentence about the constant.
    constexpr Sentence& fail(FaultKind kind, const Constant& constant) {
        fault_ = {kind, constant.begin, constant.end, {}};
        const bool length = aspect_ == Aspect::length;
        return fault_.sentence.add(length ? "array_length(" : "field '").add(column_.name).add(length ? "): " : "': ");
    }

    constexpr void want(const Constant& constant, ScalarKind kind, std::string_view words) {
        if (constant.value.kind == kind) return;
        Sentence& sentence = fail(FaultKind::wrong_type, constant).add("got ");
        show(sentence, text_, constant);
        sentence.add(", expected ").add(words);
    }

    constexpr void fit_integer(const Constant& constant, std::int64_t least, std::uint64_t most) {
        want(constant, ScalarKind::integer, column_.enumeration ? "a name or number of the enum" : "an integer");
        if (fault_.kind != FaultKind::none || !constant.known) return;
        const Scalar low = Scalar::of_signed(least);
        const Scalar high = Scalar::of_unsigned(most);
        if (compare(constant.value, low) != Order::less && compare(constant.value, high) != Order::greater) return;
        Sentence& sentence = fail(FaultKind::out_of_range, constant);
        sentence.add_number(constant.value.magnitude, constant.value.negative).add(" does not fit ");
        sentence.add(column_.enumeration ? "the enum" : aspect_ == Aspect::length ? "a length" : name(column_.kind));
        sentence.add(", expected ").add_number(low.magnitude, low.negative).add(" to ").add_number(most);
    }

    /// A time is written as text and bound as one.
    constexpr void fit_time(Constant& constant) {
        if (constant.value.kind != ScalarKind::text || !constant.known) {
            if (constant.value.kind == ScalarKind::text) return;
            return want(constant, ScalarKind::time, "a time such as '2026-01-31T12:00:00Z'");
        }
        const TimeReader reader(constant.value.text);
        if (reader.ok()) {
            constant.value = Scalar::of_time(reader.count());
            return;
        }
        Sentence& sentence = fail(FaultKind::wrong_type, constant);
        show(sentence, text_, constant);
        sentence.add(" is no time, expected one such as '2026-01-31' or '2026-01-31T12:00:00.5Z'");
    }

    constexpr void fit_name(Constant& constant) {
        if (!constant.known) return;
        NearestName nearest(constant.value.text);
        for (const EnumName& one : column_.names) {
            if (one.name == constant.value.text) {
                constant.value = Scalar::of_signed(one.value);
                return;
            }
            nearest.meet(one.name);
        }
        Sentence& sentence = fail(FaultKind::wrong_type, constant);
        show(sentence, text_, constant);
        sentence.add(" is no name of the enum");
        if (!nearest.found().empty()) sentence.add("; did you mean '").add(nearest.found()).add("'?");
    }

    template <class T>
    constexpr void fit_real(Constant& constant) {
        if (constant.value.kind == ScalarKind::integer) {
            if (constant.known && !is_exact<T>(constant.value.magnitude)) {
                fail(FaultKind::out_of_range, constant)
                    .add_number(constant.value.magnitude, constant.value.negative)
                    .add(" is between two values of ")
                    .add(name(column_.kind))
                    .add("; write the one that is meant");
                return;
            }
            constant.value = Scalar::of_real(constant.value.as_real());
        }
        want(constant, ScalarKind::real, "a number");
        if (fault_.kind != FaultKind::none || !constant.known) return;
        const double real = constant.value.real;
        constexpr double infinity = std::numeric_limits<double>::infinity();
        constexpr auto most = static_cast<double>(std::numeric_limits<T>::max());
        if (real != real) {
            fail(FaultKind::out_of_range, constant).add("NaN compares with nothing, expected a number");
        } else if (real != infinity && real != -infinity) {
            if (real > most || real < -most) {
                Sentence& sentence = fail(FaultKind::out_of_range, constant);
                show(sentence, text_, constant);
                sentence.add(" does not fit ").add(name(column_.kind));
            } else {
                constant.value.real = static_cast<double>(static_cast<T>(real));
            }
        }
    }

    std::string_view text_;
    const Column& column_;
    Aspect aspect_;
    Fault& fault_;
};

}  // namespace kith::inline v0::detail
