// kith/scalar/row_terms.hpp — the fields of a stored row as terms, without the type of the record.
//
// The engine moves rows as bytes. Here one is taken apart by what a schema says of its fields at run time, in one pass,
// so that a segment can be indexed by who seals or merges it.
//
// Thread safety: none; each owner uses its own.
#pragma once

#include "kith/core/bytes.hpp"
#include "kith/core/element.hpp"
#include "kith/scalar/term.hpp"
#include "kith/schema/codec.hpp"
#include "kith/schema/field.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace kith::inline v0::detail {

class RowTerms {
public:
    /// Takes rows of these fields apart, which are those of a schema in their order.
    explicit RowTerms(std::span<const FieldInfo> fields) {
        for (std::size_t at = 0; at < fields.size(); ++at) {
            const FieldInfo& field = fields[at];
            if (!field.metric.empty()) continue;  // its vectors are no part of the row
            fields_.push_back({at, field.kind, field.nullable, field.list, true, vector_bytes(field)});
            nullable_ += field.nullable ? 1 : 0;
        }
    }

    /// From now on only the fields that are true in `wanted`, by their places in the schema, are taken.
    void want(const std::vector<bool>& wanted) {
        for (RowField& field : fields_) field.wanted = wanted[field.place];
    }

    /// Calls take(place of the field, its terms) for each wanted field of a row but those of vectors, in order.
    /// False on any damage; some fields may have been taken then.
    template <class Take>
    [[nodiscard]] bool read(std::string_view row, Take&& take) {
        ByteReader reader(row);
        std::uint8_t format = 0;
        std::uint8_t count = 0;
        if (!reader.u8(format) || format != row_format || !reader.u8(count) || count != fields_.size()) return false;
        std::uint64_t nulls = 0;
        for (std::size_t bit = 0; bit < nullable_; bit += 8) {
            std::uint8_t eight = 0;
            if (!reader.u8(eight)) return false;
            nulls |= std::uint64_t{eight} << bit;
        }
        for (const RowField& field : fields_) {
            if (field.kind == FieldKind::vector) {
                std::string_view skipped;
                if (!reader.bytes(field.vector_bytes, skipped)) return false;
                continue;
            }
            terms_.clear();
            kept_ = field.wanted;
            const bool null = field.nullable && (nulls & 1U) != 0;
            if (field.nullable) nulls >>= 1;
            if (null) {
                terms_.set_null();
            } else if (!read_value(reader, field)) {
                return false;
            }
            if (kept_) take(field.place, static_cast<const MemberTerms&>(terms_));
        }
        return nulls == 0 && reader.remaining() == 0;
    }

private:
    struct RowField {
        std::size_t place = 0;  // among the fields of the schema
        FieldKind kind = FieldKind::boolean;
        bool nullable = false;
        bool list = false;
        bool wanted = true;
        std::size_t vector_bytes = 0;  // of an array that is no vector field
    };

    static std::size_t vector_bytes(const FieldInfo& field) noexcept {
        if (field.kind != FieldKind::vector) return 0;
        if (field.element.empty()) return sizeof(float) * std::size_t{field.dim};
        if (field.element == element_name<Half> || field.element == element_name<Bfloat16>)
            return 2 * std::size_t{field.dim};
        return field.element == "bits" ? field.dim / 8 : field.dim;
    }

    bool read_value(ByteReader& reader, const RowField& field) {
        if (!field.list) return read_scalar(reader, field.kind);
        std::uint64_t count = 0;
        if (!reader.varint(count) || count > reader.remaining()) return false;
        for (; count > 0; --count) {
            if (!read_scalar(reader, field.kind)) return false;
        }
        return true;
    }

    template <class Stored>
    bool read_as(ByteReader& reader) {
        Stored value{};
        if (!decode_scalar(reader, value)) return false;
        if (kept_) terms_.add(value);
        return true;
    }

    bool read_scalar(ByteReader& reader, FieldKind kind) {
        switch (kind) {
            case FieldKind::boolean:
                return read_as<bool>(reader);
            case FieldKind::int32:
                return read_as<std::int32_t>(reader);
            case FieldKind::int64:
                return read_as<std::int64_t>(reader);
            case FieldKind::uint32:
                return read_as<std::uint32_t>(reader);
            case FieldKind::uint64:
                return read_as<std::uint64_t>(reader);
            case FieldKind::float32:
                return read_as<float>(reader);
            case FieldKind::float64:
                return read_as<double>(reader);
            case FieldKind::timestamp:
                return read_as<Timestamp>(reader);
            case FieldKind::text:
            case FieldKind::json: {
                std::string_view text;
                if (!reader.sized(text)) return false;
                if (kept_) terms_.add_term(text);
                return true;
            }
            case FieldKind::vector:
                break;
        }
        return false;
    }

    std::vector<RowField> fields_;
    std::size_t nullable_ = 0;  // fields that may be null
    MemberTerms terms_;         // of the field that is read
    bool kept_ = true;          // it is wanted
};

}  // namespace kith::inline v0::detail
