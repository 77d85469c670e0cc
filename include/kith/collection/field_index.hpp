// kith/collection/field_index.hpp — the index of a vector field, whether or not its schema names one.
#pragma once

#include "kith/index/tags.hpp"
#include "kith/schema/attributes.hpp"

#include <type_traits>

namespace kith::inline v0::detail {

/// The tag of the index; Attribute is what a schema knows of a vector field.
template <class Attribute>
using FieldIndex =
    std::conditional_t<std::is_same_v<typename Attribute::Index, DefaultIndex>,
                       AutoIndex<Attribute::dim, typename Attribute::Element>, typename Attribute::Index>;

/// Whether it is asked for a number of lists.
template <class Attribute>
inline constexpr bool reads_lists = requires { requires FieldIndex<Attribute>::reads_lists; };

/// Whether it is asked for a number of codes to compare again by their vectors.
template <class Attribute>
inline constexpr bool rescores = requires { requires FieldIndex<Attribute>::rescores; };

/// Whether a number of them is all there is to its effort.
template <class Attribute>
inline constexpr bool only_rescores = rescores<Attribute> && FieldIndex<Attribute>::reads_all;

}  // namespace kith::inline v0::detail
