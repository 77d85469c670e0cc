// kith/collection/field_reader.hpp — one field of many records: from its column where there is one, else from their rows.
//
// A row of a sealed segment costs a look into the environment and is taken apart whole; a column costs a few
// nanoseconds.
//
// Thread safety: none; each thread owns its own. Engine and snapshot must outlive them.
#pragma once

#include "kith/collection/record_codec.hpp"
#include "kith/collection/scalar_field.hpp"
#include "kith/collection/snapshot.hpp"
#include "kith/core/slot.hpp"
#include "kith/query/scalar.hpp"
#include "kith/schema/field.hpp"
#include "kith/schema/reflect.hpp"

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <type_traits>
#include <utility>

namespace kith::inline v0::detail {

/// The value of type T that a column holds. Requires: it is of that kind, and not null.
template <StoredScalar T>
[[nodiscard]] T value_of_scalar(const Scalar& scalar) {
    if constexpr (std::same_as<T, bool>) {
        return scalar.boolean;
    } else if constexpr (std::same_as<T, std::string>) {
        return std::string(scalar.text);
    } else if constexpr (std::floating_point<T>) {
        return static_cast<T>(scalar.real);
    } else if constexpr (std::same_as<T, Timestamp>) {
        return Timestamp(std::chrono::microseconds(static_cast<std::int64_t>(scalar.bits())));
    } else {
        return static_cast<T>(static_cast<typename Underlying<T>::Type>(scalar.bits()));
    }
}

/// Reads all of a record but its vectors, once for all who ask for it.
template <class S>
class RowReader {
public:
    explicit RowReader(const Engine& engine) noexcept : engine_(engine) {}

    /// The record is good until the next one is read. Throws: Errc::corrupt, Errc::io.
    [[nodiscard]] const typename S::Record& read(const SegmentView& view, Slot slot) {
        if (segment_ != view.segment.get() || slot_ != slot) {
            segment_ = nullptr;  // should it throw, nothing is read
            decode_row<S>(engine_, view, slot, record_);
            segment_ = view.segment.get();
            slot_ = slot;
        }
        return record_;
    }

private:
    const Engine& engine_;
    const Segment* segment_ = nullptr;  // of the record; null where there is none
    Slot slot_ = 0;
    typename S::Record record_{};
};

/// Reads the field at a place in the record. `rows` must outlive it.
template <class S, std::size_t Field>
class FieldReader {
public:
    using Value = MemberType<typename S::Record, Field>;

    explicit FieldReader(RowReader<S>& rows) noexcept : rows_(rows) {}

    /// The value is good until the next one is read. Throws: Errc::corrupt, Errc::io.
    [[nodiscard]] const Value& read(const SegmentView& view, Slot slot) {
        if constexpr (StoredScalar<Present<Value>>) {
            if (const ScalarField* const column = column_of(view)) {
                const Scalar scalar = column->value(slot, false);
                if constexpr (is_optional<Value>) {
                    value_.reset();
                    if (scalar.kind != ScalarKind::null) value_ = value_of_scalar<Present<Value>>(scalar);
                } else {
                    value_ = value_of_scalar<Value>(scalar);
                }
                return value_;
            }
        }
        return std::get<Field>(members(rows_.read(view, slot)));
    }

private:
    /// The column of a segment; null where there is none.
    [[nodiscard]] const ScalarField* column_of(const SegmentView& view) {
        if (segment_ != view.segment.get()) {
            const std::span<const ScalarField* const> fields = view.segment->scalars();
            const ScalarField* const field = Field < fields.size() ? fields[Field] : nullptr;
            column_ = field != nullptr && field->has_column() ? field : nullptr;
            segment_ = view.segment.get();
        }
        return column_;
    }

    RowReader<S>& rows_;
    const Segment* segment_ = nullptr;     // the one that was read last
    const ScalarField* column_ = nullptr;  // its column
    Value value_{};                        // what a column held
};

}  // namespace kith::inline v0::detail
