// kith/schema/layout.hpp — where each part of a record goes: which member is the key, a vector, part of the row.
//
// Thread safety: everything happens while compiling.
#pragma once

#include "kith/schema/checks.hpp"
#include "kith/schema/codec.hpp"
#include "kith/schema/field.hpp"
#include "kith/schema/reflect.hpp"
#include "kith/schema/validate.hpp"

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace kith::inline v0::detail {

/// Adds to a field what an attribute says of it.
template <class A>
constexpr void describe_attribute(FieldInfo& field) noexcept {
    field.key = A::role == Role::key;
    field.indexed = A::is_indexed;
    if constexpr (A::role == Role::field) {
        field.suffixes = A::parts.suffixes;
        field.substrings = A::parts.substrings;
    }
    if constexpr (A::role == Role::vector) {
        field.metric = A::Metric::name;
        field.index = A::Index::name;
    }
}

/// Stands in when a check has failed and said so, so that the compiler has little to add.
template <bool Sound, class RecordType, class... Attributes>
struct Layout {
    using Record = RecordType;
    using KeyType = std::string;
    static constexpr std::size_t field_count = 0;
    static constexpr std::size_t vector_count = 0;
    static constexpr std::array<FieldInfo, 0> fields{};
};

/// Shape: positions count members of the record from 0; `roles` and `named` follow the attributes as they are listed.
template <class RecordType, class... Attributes>
struct Layout<true, RecordType, Attributes...> {
    using Record = RecordType;

    static constexpr std::size_t field_count = member_count<Record>;
    static constexpr std::size_t vector_count =
        (std::size_t{0} + ... + (Attribute<Attributes>::role == Role::vector ? 1 : 0));

    static constexpr std::array<Role, sizeof...(Attributes)> roles{Attribute<Attributes>::role...};
    static constexpr std::array<std::size_t, sizeof...(Attributes)> named{
        member_index<Attribute<Attributes>::member>...};

    static constexpr bool is_vector(std::size_t position) noexcept {
        for (std::size_t at = 0; at < roles.size(); ++at) {
            if (named[at] == position) return roles[at] == Role::vector;
        }
        return false;
    }

    /// The positions of all members that are vector fields, or of all that are not, in order.
    template <std::size_t Count>
    static constexpr std::array<std::size_t, Count> positions(bool of_vectors) noexcept {
        std::array<std::size_t, Count> found{};
        std::size_t place = 0;
        for (std::size_t at = 0; at < field_count; ++at) {
            if (is_vector(at) == of_vectors) found[place++] = at;
        }
        return found;
    }

    static constexpr std::size_t find_key() noexcept {
        std::size_t at = 0;
        while (roles[at] != Role::key) ++at;
        return named[at];
    }

    template <std::size_t... I>
    static constexpr std::array<FieldInfo, field_count> describe(std::index_sequence<I...>) {
        std::array<FieldInfo, field_count> infos{describe_member<MemberType<Record, I>>(member_name<Record, I>)...};
        (describe_attribute<Attribute<Attributes>>(infos[member_index<Attribute<Attributes>::member>]), ...);
        return infos;
    }

    static constexpr std::size_t key_position = find_key();
    using KeyType = MemberType<Record, key_position>;

    static constexpr auto vector_positions = positions<vector_count>(true);
    static constexpr auto row_positions = positions<field_count - vector_count>(false);
    static constexpr auto fields = describe(std::make_index_sequence<field_count>());

    template <class>
    struct RowOf;
    template <std::size_t... I>
    struct RowOf<std::index_sequence<I...>> {
        using Type = RowCodec<row_positions[I]...>;
    };
    using Row = typename RowOf<std::make_index_sequence<row_positions.size()>>::Type;

    /// The attribute of the vector field at a position.
    template <std::size_t Position>
    static constexpr std::size_t find_attribute() noexcept {
        std::size_t at = 0;
        while (named[at] != Position) ++at;
        return at;
    }
    template <std::size_t Position>
    using AttributeAt = Attribute<std::tuple_element_t<find_attribute<Position>(), std::tuple<Attributes...>>>;
};

template <class RecordType, class... Attributes>
using LayoutOf = Layout<SchemaFacts<RecordType, Attributes...>::ok, RecordType, Attributes...>;

/// A vector of a record as a span of what it is made of, const where the vector is.
template <class Vector>
constexpr auto elements_of(Vector& vector) noexcept {
    return std::span(vector.data(), vector.size());
}

/// What a collection needs of the I-th vector field of a schema.
template <class SchemaLayout, std::size_t I>
struct VectorAttributeAt {
    static_assert(I < SchemaLayout::vector_count, "kith: the schema has fewer vector fields than that");
    static constexpr std::size_t field = SchemaLayout::vector_positions[I];
    using Metric = typename SchemaLayout::template AttributeAt<field>::Metric;
    using Index = typename SchemaLayout::template AttributeAt<field>::Index;
    using Vector = MemberType<typename SchemaLayout::Record, field>;
    using Element = VectorElement<Vector>;
    static constexpr std::size_t dim = SchemaLayout::fields[field].dim;
    static constexpr std::string_view name = SchemaLayout::fields[field].name;
    static constexpr VectorRules rules = vector_rules<Metric>(dim);
};

/// The number of the vector field that a member pointer names.
template <class SchemaLayout, auto Member>
struct VectorIndexOf {
    static constexpr bool own = is_member_of<typename SchemaLayout::Record, Member>();
    static_assert(own, "kith: this is no member of the schema's record; write nearest<&Record::member>");

    static constexpr std::size_t find() noexcept {
        std::size_t index = 0;
        if constexpr (own && SchemaLayout::vector_count > 0) {
            while (index < SchemaLayout::vector_count &&
                   SchemaLayout::vector_positions[index] != member_index<Member>) {
                ++index;
            }
        }
        return index;
    }

    static constexpr std::size_t value = find();
    static_assert(!own || value < SchemaLayout::vector_count,
                  "kith: this member is no vector field; write kith::VectorField<&Record::member, kith::Cosine> in the "
                  "Schema");
};

}  // namespace kith::inline v0::detail
