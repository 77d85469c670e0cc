// kith/schema/checks.hpp — the sentences a compiler says about records and attributes that cannot be meant.
//
// What holds is found out by the types named Facts, which never fail; what is said stands in the types named Check.
// They are apart because a compiler has more and worse to say of anything computed in a type whose assertion failed.
// Each Check is given what its sentence is about, so that the note beside it names the record, the place and the type.
//
// Thread safety: everything happens while compiling.
#pragma once

#include "kith/schema/attributes.hpp"
#include "kith/schema/field.hpp"
#include "kith/schema/key.hpp"
#include "kith/schema/reflect.hpp"

#include <array>
#include <cstddef>
#include <type_traits>
#include <utility>

namespace kith::inline v0::detail {

template <class T>
struct MemberFacts {
    static constexpr bool ok = Storable<T>;
    static constexpr bool small_integer = !ok && std::is_integral_v<ScalarOf<T>>;
    static constexpr bool loose_enum = !ok && std::is_enum_v<ScalarOf<T>>;
    static constexpr bool bad_array = !ok && is_element_array<T>;
};

template <class Record, std::size_t Position, class T, class Facts = MemberFacts<T>>
struct MemberCheck {
    static_assert(!Facts::small_integer,
                  "kith: this member is a character or a small integer, which cannot be stored; write std::int32_t, "
                  "std::uint32_t, std::int64_t or std::uint64_t");
    static_assert(!Facts::loose_enum,
                  "kith: this enumeration has no written underlying type; write enum class Name : std::int32_t");
    static_assert(!Facts::bad_array,
                  "kith: a vector has 1 to 20,000 elements; write std::array<float, N> with such an N");
    static_assert(Facts::ok || Facts::small_integer || Facts::loose_enum || Facts::bad_array,
                  "kith: this member's type cannot be stored; use bool, a 32- or 64-bit integer, float, double, "
                  "std::string, an enum, kith::Timestamp, std::optional or std::vector of one of those, kith::Json, or "
                  "std::array<float, N>, where float may also be kith::Half, kith::Bfloat16, std::int8_t, std::uint8_t "
                  "or kith::Bits8");
};

/// Each fact is asked only of what the facts before it hold for.
template <class Record>
struct RecordFacts {
    static constexpr bool plain = std::is_class_v<Record> && std::is_aggregate_v<Record>;

    static constexpr bool flat = [] {
        if constexpr (plain) return !has_base<Record>;
        return false;
    }();

    static constexpr bool without_c_arrays = [] {
        if constexpr (flat) return !has_c_array<Record>;
        return false;
    }();

    static constexpr std::size_t count = [] {
        if constexpr (without_c_arrays) return member_count<Record>;
        return std::size_t{0};
    }();

    static constexpr bool ok = [] {
        if constexpr (count > 0 && count <= max_members) {
            return []<std::size_t... I>(std::index_sequence<I...>) {
                return (MemberFacts<MemberType<Record, I>>::ok && ...);
            }(std::make_index_sequence<count>());
        }
        return false;
    }();
};

template <class Record, class Facts = RecordFacts<Record>>
struct RecordCheck {
    static_assert(Facts::plain,
                  "kith: a record is a plain struct; remove its constructors, private members and virtual functions");
    static_assert(!Facts::plain || Facts::flat,
                  "kith: a record has no base class; write the members of the base into the struct itself");
    static_assert(!Facts::flat || Facts::without_c_arrays,
                  "kith: a member is a C array; write std::array<float, N>, std::string or std::vector");
    static_assert(!Facts::without_c_arrays || Facts::count > 0,
                  "kith: no member of this record can be seen; it is empty, or a member has no default value");
    static_assert(Facts::count <= max_members,
                  "kith: a record has at most 64 members; put some of them into another record");

    template <std::size_t... I>
    static consteval bool say_members(std::index_sequence<I...>) {
        return ((sizeof(MemberCheck<Record, I, MemberType<Record, I>>) > 0) && ...);
    }
};

/// `A` is an Attribute taken apart.
template <class Record, class A>
struct AttributeFacts {
    static constexpr bool known = A::role != Role::none;

    static constexpr bool names_member = [] {
        if constexpr (known) return std::is_member_object_pointer_v<std::remove_const_t<decltype(A::member)>>;
        return false;
    }();

    static constexpr bool own = [] {
        if constexpr (names_member) return is_member_of<Record, A::member>();
        return false;
    }();

    static constexpr bool fits = [] {
        if constexpr (own && A::role == Role::key) return KeyValue<TypeOf<A::member>>;
        if constexpr (own && A::role == Role::field) return !StoredVector<TypeOf<A::member>>;
        if constexpr (own && A::role == Role::vector) return StoredVector<TypeOf<A::member>>;
        return false;
    }();

    static constexpr bool set_well = [] {
        if constexpr (A::role == Role::field) return A::settings_known;
        if constexpr (A::role == Role::vector) return Named<typename A::Metric> && Named<typename A::Index>;
        return true;
    }();

    static constexpr bool can_be_indexed = [] {
        if constexpr (own && A::role == Role::field && set_well) return !(A::is_indexed && is_json<TypeOf<A::member>>);
        return true;
    }();

    static constexpr bool index_fits = [] {
        if constexpr (own && fits && set_well && A::role == Role::vector) {
            constexpr std::size_t dim = array_dim<TypeOf<A::member>>;
            if constexpr (requires { A::Index::fits(dim); }) return A::Index::fits(dim);
        }
        return true;
    }();

    static constexpr bool parts_fit = [] {
        if constexpr (own && fits && set_well && A::role == Role::field) {
            return A::parts == indexed || std::is_same_v<ScalarOf<TypeOf<A::member>>, std::string>;
        }
        return true;
    }();

    static constexpr bool ok = fits && set_well && can_be_indexed && index_fits && parts_fit;
};

template <class Record, class A, class Facts = AttributeFacts<Record, A>>
struct AttributeCheck {
    static_assert(Facts::known, "kith: after the record a Schema takes kith::Key, kith::Field and kith::VectorField");
    static_assert(!Facts::known || Facts::names_member,
                  "kith: an attribute takes a pointer to a data member; write &Record::member");
    static_assert(!Facts::names_member || Facts::own,
                  "kith: this attribute names a member of another struct; write &Record::member with the Schema's own "
                  "record");
    static_assert(!Facts::own || Facts::fits || A::role != Role::key,
                  "kith: a key is a std::string or an integer of 32 or 64 bits; write kith::Key<&Record::member> for "
                  "such a member");
    static_assert(!Facts::own || Facts::fits || A::role != Role::field,
                  "kith: this member is a vector; write kith::VectorField<&Record::member, kith::Cosine> to search it");
    static_assert(!Facts::own || Facts::fits || A::role != Role::vector,
                  "kith: a VectorField names a member of type std::array<float, N> with N from 1 to 20,000");
    static_assert(Facts::set_well || A::role != Role::field,
                  "kith: this setting of a Field is not known; write kith::Field<&Record::member, kith::indexed>");
    static_assert(Facts::set_well || A::role != Role::vector,
                  "kith: a VectorField takes a metric and then an index, each a type with a static name; write "
                  "kith::VectorField<&Record::member, kith::Cosine>");
    static_assert(Facts::parts_fit,
                  "kith: only texts have suffixes and substrings; write kith::Field<&Record::member, kith::indexed>");
    static_assert(Facts::can_be_indexed, "kith: a JSON member has no index; leave kith::indexed out");
    static_assert(Facts::index_fits,
                  "kith: the sub-vectors that this VectorField's index cuts its vectors into must divide their "
                  "dimension (behind a rotation: their dimension rounded up to a multiple of 16)");
};

template <class Record, class... Attributes>
struct SchemaFacts {
    static constexpr bool attributes_ok = [] {
        if constexpr (RecordFacts<Record>::ok)
            return (AttributeFacts<Record, Attribute<Attributes>>::ok && ... && true);
        return false;
    }();

    static constexpr std::size_t keys = (std::size_t{0} + ... + (Attribute<Attributes>::role == Role::key ? 1 : 0));

    static constexpr bool distinct = [] {
        if constexpr (attributes_ok) {
            std::array<bool, max_members> seen{};
            return (!std::exchange(seen[member_index<Attribute<Attributes>::member>], true) && ... && true);
        }
        return true;
    }();

    static constexpr bool ok = attributes_ok && keys == 1 && distinct;
};

template <class Record, class... Attributes>
struct SchemaCheck {
    using Facts = SchemaFacts<Record, Attributes...>;

    static_assert(Facts::keys == 1, "kith: a Schema has exactly one key; write kith::Key<&Record::member> once");
    static_assert(Facts::distinct, "kith: two attributes name the same member; one says all there is to say");
};

/// Instantiates every check, which is what makes a compiler speak. The answer itself says nothing.
template <class Record, class... Attributes>
consteval bool speak_up() {
    using OfRecord = RecordCheck<Record>;
    constexpr std::size_t count = RecordFacts<Record>::count;
    bool said = sizeof(OfRecord) > 0 && sizeof(SchemaCheck<Record, Attributes...>) > 0;
    if constexpr (RecordFacts<Record>::ok) {
        said = said && ((sizeof(AttributeCheck<Record, Attribute<Attributes>>) > 0) && ... && true);
    } else if constexpr (count > 0 && count <= max_members) {
        said = said && OfRecord::say_members(std::make_index_sequence<count>());
    }
    return said;
}

}  // namespace kith::inline v0::detail
