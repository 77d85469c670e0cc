// kith/query/wanted.hpp — what a caller gives to where(), count() and the like, as a condition.
//
// A verb that takes conditions takes them in C++ or as text with the values of its placeholders; it declares
//
//     template <class... Wanted>
//     void verb(const Wanted&... wanted) { …detail::wanted<Record>(cache, wanted...)… }
//
// and, for a text that the compiler reads, `template <FixedText Text, class... L>`, which calls condition<Record, Text>.
//
// Thread safety: functions without state of their own.
#pragma once

#include "kith/query/condition.hpp"
#include "kith/query/condition_cache.hpp"
#include "kith/query/parse.hpp"

#include <concepts>
#include <string_view>
#include <type_traits>

namespace kith::inline v0::detail {

/// Says what to write for a condition. The first thing that is given decides.
template <class R, class... Given>
struct WantedCheck {
    static constexpr bool text = false;
    static constexpr bool ok = false;
};
template <class R, class First, class... Values>
struct WantedCheck<R, First, Values...> {
    static constexpr bool text = std::is_convertible_v<const First&, std::string_view>;
    static constexpr bool typed = std::same_as<First, Condition<R>> && sizeof...(Values) == 0;
    static constexpr bool ok = text || typed;
};

template <class R, class... Given>
struct WantedSaid {
    static_assert(
        WantedCheck<R, Given...>::ok,
        "kith: a condition on this collection's records is written as kith::field<&Record::member> >= 2020, or "
        "as text and the values of its placeholders: \"year >= ?\", 2020");
};

/// The condition that was given. Text without values is kept in `cache`, and not read each time.
/// Throws: as parse_condition.
template <class R, class... Given>
[[nodiscard]] Condition<R> wanted(ConditionCache& cache, const Given&... given) {
    static_cast<void>(sizeof(WantedSaid<R, Given...>));
    if constexpr (!WantedCheck<R, Given...>::ok) {
        return Condition<R>();
    } else if constexpr (!WantedCheck<R, Given...>::text) {
        return (given, ...);
    } else if constexpr (sizeof...(Given) == 1) {
        const std::string_view text(given...);
        return Condition<R>(cache.get(text, [text] { return parse_expression(text, columns_of<R>, {}); }));
    } else {
        return parse_condition<R>(given...);
    }
}

}  // namespace kith::inline v0::detail
