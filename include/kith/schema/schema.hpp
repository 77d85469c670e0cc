// kith/schema/schema.hpp — a plain struct and what its user says about it, as one type.
//
// Everything a collection needs of a record comes from here: the fields, the key, the rows, the vectors, the rules.
// The checks stand first and speak in sentences, for they are what a newcomer meets.
//
// Thread safety: everything is static and without state.
#pragma once

#include "kith/schema/attributes.hpp"
#include "kith/schema/codec.hpp"
#include "kith/schema/field.hpp"
#include "kith/schema/fingerprint.hpp"
#include "kith/schema/key.hpp"
#include "kith/schema/layout.hpp"
#include "kith/schema/reflect.hpp"
#include "kith/schema/validate.hpp"

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace kith::inline v0 {

/// A record type and its attributes: one Key, any number of Field and VectorField.
/// Shape: all members of the record are fields, with an attribute or without, in the order of the struct. Vector
///        fields are numbered from 0 in that order too, however the attributes are listed.
template <class RecordType, class... Attributes>
class Schema {
    static_assert(detail::speak_up<RecordType, Attributes...>());
    using Layout = detail::LayoutOf<RecordType, Attributes...>;

public:
    using Record = RecordType;
    /// std::string, or the record's own integer type.
    using KeyType = typename Layout::KeyType;

    static constexpr std::size_t field_count = Layout::field_count;
    static constexpr std::size_t vector_count = Layout::vector_count;
    static constexpr std::size_t key_position = Layout::key_position;  ///< of the key among all fields
    static constexpr std::array<FieldInfo, field_count> fields = Layout::fields;

    /// The I-th vector field: types Metric, Index, Vector and its Element, numbers dim and field (its place among all
    /// fields), its name.
    template <std::size_t I>
    using VectorAttribute = detail::VectorAttributeAt<Layout, I>;

    /// The number of the vector field that a member pointer names.
    template <auto Member>
    static constexpr std::size_t vector_index = detail::VectorIndexOf<Layout, Member>::value;

    static const KeyType& key_of(const Record& record) noexcept {
        return std::get<Layout::key_position>(detail::members(record));
    }

    static std::string key_bytes(const KeyType& key) { return detail::key_bytes(key); }

    /// Throws: Error with corrupt when the bytes are those of no such key.
    static KeyType key_from_bytes(std::string_view bytes) { return detail::key_from_bytes<KeyType>(bytes); }

    /// The key as a person writes it: text in quotes, an integer in digits.
    static std::string show_key(std::string_view bytes) { return detail::show_key<KeyType>(bytes); }

    /// Appends all members but the vector fields, as kith/schema/codec.hpp lays them out.
    static void encode_row(const Record& record, std::string& out) {
        Layout::Row::encode(detail::members(record), out);
    }

    /// Assigns all members but the vector fields; false on any damage, and then their values are unspecified.
    [[nodiscard]] static bool decode_row(std::string_view row, Record& record) {
        return Layout::Row::decode(row, detail::members(record));
    }

    /// Calls `visit(number, elements)` for each vector field in order: the number is a std::integral_constant, the
    /// elements a std::span of what the vector is made of, const where the record is.
    template <class R, class Visit>
        requires std::same_as<std::remove_const_t<R>, Record>
    static void for_each_vector(R& record, Visit&& visit) {
        const auto members = detail::members(record);
        [&]<std::size_t... I>(std::index_sequence<I...>) {
            (visit(std::integral_constant<std::size_t, I>(),
                   detail::elements_of(std::get<Layout::vector_positions[I]>(members))),
             ...);
        }(std::make_index_sequence<vector_count>());
    }

    /// The text that is stored with a collection and must be the same whenever it is opened.
    static std::string descriptor() {
        std::array<std::string, field_count> parameters;
        [&]<std::size_t... I>(std::index_sequence<I...>) {
            ((parameters[VectorAttribute<I>::field] = detail::index_parameters<typename VectorAttribute<I>::Index>()),
             ...);
        }(std::make_index_sequence<vector_count>());
        std::string text(detail::descriptor_head);
        for (std::size_t at = 0; at < field_count; ++at) detail::append_descriptor(text, fields[at], parameters[at]);
        return text;
    }

    /// A number that changes when the descriptor does.
    static std::uint64_t fingerprint() { return detail::fingerprint(descriptor()); }

    /// The first value of a record that cannot be stored; nothing when all can.
    static std::optional<FieldProblem> validate(const Record& record) {
        const auto members = detail::members(record);
        return [&]<std::size_t... I>(std::index_sequence<I...>) {
            std::optional<FieldProblem> problem;
            static_cast<void>(((problem = member_problem<I>(std::get<I>(members))).has_value() || ...));
            return problem;
        }(std::make_index_sequence<field_count>());
    }

private:
    template <std::size_t I, class T>
    static std::optional<FieldProblem> member_problem(const T& value) {
        std::optional<std::string> problem;
        if constexpr (Layout::is_vector(I)) {
            using Metric = typename Layout::template AttributeAt<I>::Metric;
            using Element = detail::VectorElement<T>;
            problem = detail::elements_problem<Element>(value, vector_rules<Metric>(detail::array_dim<T>));
        } else {
            problem = detail::value_problem(value, I == Layout::key_position);
        }
        if (!problem.has_value()) return std::nullopt;
        return FieldProblem{fields[I].name, "field '" + std::string(fields[I].name) + "': " + *problem};
    }
};

namespace detail {

template <class>
inline constexpr bool is_schema = false;
template <class Record, class... Attributes>
inline constexpr bool is_schema<Schema<Record, Attributes...>> = true;

}  // namespace detail

/// Some Schema<Record, Attributes...>.
template <class S>
concept IsSchema = detail::is_schema<S>;

}  // namespace kith::inline v0
