// kith/query/parse/arguments.hpp — values of C++ types on their way to the placeholders of a condition.
//
// Thread safety: values.
#pragma once

#include "kith/query/literal.hpp"
#include "kith/query/parse/constant.hpp"

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace kith::inline v0::detail {

template <class L>
concept TextLiteral = std::is_convertible_v<const L&, std::string_view> && !std::same_as<L, std::nullptr_t>;

template <class L>
concept TimeLiteral = std::is_convertible_v<const L&, Timestamp>;

template <class L>
concept OneArgument = std::same_as<L, bool> || NumberLiteral<L> || StoredEnum<L> || TextLiteral<L> || TimeLiteral<L>;

/// Anything with a beginning and an end that holds such values; std::vector<bool> too.
template <class L>
concept ListArgument = !OneArgument<L> && requires(const L& list) {
    list.begin();
    list.end();
    requires OneArgument<std::remove_cvref_t<typename L::value_type>>;
};

template <class L>
concept BindableArgument = OneArgument<L> || ListArgument<L>;

/// Says what can stand for a placeholder.
template <class L>
struct ArgumentCheck {
    static constexpr bool ok = BindableArgument<L>;
    static constexpr bool null = std::same_as<L, std::nullopt_t> || std::same_as<L, std::nullptr_t>;
    static_assert(!null, "kith: nothing equals null; write IS NULL in the condition instead of a placeholder");
    static_assert(
        ok || null,
        "kith: a placeholder takes a bool, a number, text, a value of an enum, a std::chrono::sys_time of microseconds "
        "or coarser, or a std::vector of those");
};

template <OneArgument L>
constexpr Scalar scalar_of(const L& literal) {
    if constexpr (std::same_as<L, bool>) {
        return Scalar::of_bool(literal);
    } else if constexpr (std::floating_point<L>) {
        return Scalar::of_real(static_cast<double>(literal));
    } else if constexpr (StoredEnum<L>) {
        return scalar_of(
            static_cast<std::conditional_t<std::is_signed_v<std::underlying_type_t<L>>, std::int64_t, std::uint64_t>>(
                literal));
    } else if constexpr (IntegerLiteral<L>) {
        if constexpr (std::is_signed_v<L>) return Scalar::of_signed(literal);
        return Scalar::of_unsigned(static_cast<std::uint64_t>(literal));
    } else if constexpr (TimeLiteral<L>) {
        return Scalar::of_time(Timestamp(literal).time_since_epoch().count());
    } else {
        return Scalar::of_text(std::string_view(literal));
    }
}

template <OneArgument L>
consteval ScalarKind scalar_kind_of_literal() {
    if constexpr (TextLiteral<L>) return ScalarKind::text;
    if constexpr (TimeLiteral<L>) return ScalarKind::time;
    if constexpr (std::same_as<L, bool>) return ScalarKind::boolean;
    if constexpr (std::floating_point<L>) return ScalarKind::real;
    return ScalarKind::integer;
}

/// What a type says of an argument before there is a value.
template <class L>
consteval Argument argument_kind() {
    Argument argument;
    argument.one.known = false;
    argument.one.written = false;
    if constexpr (OneArgument<L>) {
        argument.one.value.kind = scalar_kind_of_literal<L>();
    } else if constexpr (ListArgument<L>) {
        argument.is_list = true;
        argument.one.value.kind = scalar_kind_of_literal<std::remove_cvref_t<typename L::value_type>>();
    }
    return argument;
}

/// Values bound in order. Texts are viewed, not copied: they must live until the condition is made.
template <std::size_t Count>
class Arguments {
public:
    template <BindableArgument... L>
    explicit Arguments(const L&... values) {
        [[maybe_unused]] std::size_t at = 0;
        (bind(at++, values), ...);
    }
    Arguments(const Arguments&) = delete;  // bound_ views lists_
    Arguments& operator=(const Arguments&) = delete;

    [[nodiscard]] const std::array<Argument, Count>& bound() const noexcept { return bound_; }

private:
    template <class L>
    void bind(std::size_t at, const L& value) {
        bound_[at] = argument_kind<L>();
        if constexpr (OneArgument<L>) {
            bound_[at].one.value = scalar_of(value);
            bound_[at].one.known = true;
        } else {
            using Element = std::remove_cvref_t<typename L::value_type>;
            for (const Element& element : value) {
                Constant constant{.written = false};
                constant.value = scalar_of(element);
                lists_[at].push_back(constant);
            }
            bound_[at].many = lists_[at];
        }
    }

    std::array<Argument, Count> bound_{};
    std::array<std::vector<Constant>, Count> lists_{};
};

}  // namespace kith::inline v0::detail
