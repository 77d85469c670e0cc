// kith/schema/attributes.hpp — what a user says about the members of a record.
//
// An attribute names a member by its pointer, so the compiler checks the name and no string is written twice. The types
// here hold nothing: a Schema reads them from its argument list. They know neither metrics nor indexes, which are
// columns of their own; anything with a `name` will do.
#pragma once

#include <concepts>
#include <string>
#include <string_view>
#include <type_traits>

namespace kith::inline v0 {

/// Anything with a stored name: a metric, or the tag of an index.
template <class T>
concept Named = requires {
    { T::name } -> std::convertible_to<std::string_view>;
};

/// How a field is to be found without reading every record: `Field<&Record::member, Indexed{.suffixes = true}>`.
/// A text is found by its value and by its beginning in any case.
struct Indexed {
    bool suffixes = false;    ///< a text by its end, too, for four bytes a distinct text
    bool substrings = false;  ///< a text by three letters or more within it, for some two bytes a byte of distinct text

    friend constexpr bool operator==(Indexed, Indexed) noexcept = default;
};

/// Asks for a field to be found without reading every record: `Field<&Record::member, indexed>`.
inline constexpr Indexed indexed{};

/// The index a VectorField gets when it names none; the collection picks one.
struct DefaultIndex {
    static constexpr std::string_view name = "default";
};

/// The member that tells records apart: a std::string or an integer of 32 or 64 bits.
template <auto Member>
struct Key {};

/// Says more about a member than its type does. Members without an attribute are stored all the same.
template <auto Member, auto... Settings>
struct Field {};

/// A member of type std::array<float, N> whose nearest neighbours will be asked for.
/// `Metric` has a `name`. `IndexTag` has a `name` and, where it has settings, `static std::string parameters()`; both
/// are part of the stored schema.
template <auto Member, class Metric, class IndexTag = DefaultIndex>
struct VectorField {};

namespace detail {

/// What an attribute says of the member it names.
enum class Role : unsigned char { none, key, field, vector };

/// All that some settings ask for; what is no setting asks for nothing.
template <class... Settings>
constexpr Indexed joined_parts(const Settings&... settings) noexcept {
    Indexed all;
    [[maybe_unused]] const auto add = [&all]<class Setting>(const Setting& setting) {
        if constexpr (std::is_same_v<Setting, Indexed>) {
            all.suffixes = all.suffixes || setting.suffixes;
            all.substrings = all.substrings || setting.substrings;
        }
    };
    (add(settings), ...);
    return all;
}

/// An attribute taken apart; anything else is no attribute.
template <class>
struct Attribute {
    static constexpr Role role = Role::none;
};

template <auto Member>
struct Attribute<Key<Member>> {
    static constexpr Role role = Role::key;
    static constexpr auto member = Member;
    static constexpr bool settings_known = true;
    static constexpr bool is_indexed = false;
};

template <auto Member, auto... Settings>
struct Attribute<Field<Member, Settings...>> {
    static constexpr Role role = Role::field;
    static constexpr auto member = Member;
    static constexpr bool settings_known = (std::is_same_v<std::remove_const_t<decltype(Settings)>, Indexed> && ...);
    static constexpr bool is_indexed = sizeof...(Settings) > 0;
    static constexpr Indexed parts = joined_parts(Settings...);
};

template <auto Member, class MetricType, class IndexTag>
struct Attribute<VectorField<Member, MetricType, IndexTag>> {
    static constexpr Role role = Role::vector;
    static constexpr auto member = Member;
    static constexpr bool settings_known = true;
    static constexpr bool is_indexed = false;
    using Metric = MetricType;
    using Index = IndexTag;
};

/// The settings of an index as they are stored; none when it has none.
template <class IndexTag>
std::string index_parameters() {
    if constexpr (requires {
                      { IndexTag::parameters() } -> std::convertible_to<std::string>;
                  }) {
        return IndexTag::parameters();
    } else {
        return {};
    }
}

}  // namespace detail

}  // namespace kith::inline v0
