// kith/collection/scalar_field.hpp — what a segment can say of one field without reading rows.
//
// A sealed segment has an index and a column of a field, the writing segment others; some fields have only one of them,
// or none. Whoever plans asks what an answer costs each way, and takes the cheaper one.
//
// Thread safety: any number of readers; a test belongs to one of them.
#pragma once

#include "kith/core/assert.hpp"
#include "kith/core/slot.hpp"
#include "kith/query/scalar.hpp"
#include "kith/scalar/question.hpp"
#include "kith/schema/field.hpp"

#include <bit>
#include <cstdint>
#include <memory>
#include <span>

namespace kith::inline v0::detail {

/// A question put to some slots.
class SlotTest {
public:
    virtual ~SlotTest() = default;

    /// Clears the bits of slots for which the answer is not certainly `wanted`. Shape: words_of(count) words.
    /// Throws: Errc::corrupt.
    virtual void keep(bool wanted, std::span<std::uint64_t> words) = 0;

    /// Whether the answer for a slot is certainly `wanted`. Throws: Errc::corrupt.
    [[nodiscard]] virtual bool holds(Slot slot, bool wanted) const = 0;
};

/// Of all calls: `count` is the number of slots the caller sees; questions fit the field (see ScalarIndex).
class ScalarField {
public:
    virtual ~ScalarField() = default;

    /// Whether there is an index, which estimates and answers.
    [[nodiscard]] virtual bool indexed() const noexcept = 0;

    /// Whether there is a column, which tests slots.
    [[nodiscard]] virtual bool has_column() const noexcept = 0;

    // Require: indexed(). Throw: Errc::corrupt.

    [[nodiscard]] virtual SlotEstimate estimate(const ScalarQuestion& question, Slot count) const = 0;

    /// Sets the bits of the slots that satisfy the question. Shape: words_of(count) words.
    virtual void answer(const ScalarQuestion& question, Slot count, std::span<std::uint64_t> words) const = 0;

    /// About how long answer() takes.
    [[nodiscard]] virtual double answer_nanoseconds(const ScalarQuestion& question, const SlotEstimate& estimate,
                                                    Slot count) const = 0;

    // Require: has_column(). Throw: Errc::corrupt.

    [[nodiscard]] virtual std::unique_ptr<SlotTest> test(const ScalarQuestion& question, Slot count) const = 0;

    /// The value of a slot, or how many elements its list has; null where there is none. A text lives as long as the field.
    /// Requires: a list is asked for the latter.
    [[nodiscard]] virtual Scalar value(Slot slot, bool length) const = 0;

    /// About how long a test takes to keep some of `bits` slots.
    [[nodiscard]] virtual double test_nanoseconds(double bits, Slot count) const noexcept = 0;
};

/// What a segment can say of all its fields.
class ScalarFields {
public:
    virtual ~ScalarFields() = default;

    /// By their places in the record; null for a field of which nothing is kept.
    [[nodiscard]] virtual std::span<const ScalarField* const> fields() const noexcept = 0;
};

/// The value that an ordered number of a kind stands for: see scalar/term.hpp.
[[nodiscard]] inline Scalar scalar_of_number(FieldKind kind, std::uint64_t number) noexcept {
    constexpr std::uint64_t sign = std::uint64_t{1} << 63;
    constexpr std::uint32_t sign32 = std::uint32_t{1} << 31;
    const auto number32 = static_cast<std::uint32_t>(number);
    switch (kind) {
        case FieldKind::boolean:
            return Scalar::of_bool(number != 0);
        case FieldKind::int32:
            return Scalar::of_signed(static_cast<std::int32_t>(number32 ^ sign32));
        case FieldKind::int64:
            return Scalar::of_signed(static_cast<std::int64_t>(number ^ sign));
        case FieldKind::timestamp:
            return Scalar::of_time(static_cast<std::int64_t>(number ^ sign));
        case FieldKind::uint32:
        case FieldKind::uint64:
            return Scalar::of_unsigned(number);
        case FieldKind::float32:
            return Scalar::of_real(std::bit_cast<float>((number32 & sign32) != 0 ? number32 ^ sign32 : ~number32));
        case FieldKind::float64:
            return Scalar::of_real(std::bit_cast<double>((number & sign) != 0 ? number ^ sign : ~number));
        case FieldKind::text:
        case FieldKind::json:
        case FieldKind::vector:
            break;
    }
    KITH_ASSERT(false);
    return {};
}

}  // namespace kith::inline v0::detail
