// src/collection/stored_schema.hpp — what a collection's own descriptor says of its records, without their type.
//
// Enough to find the key in a row, to tell whether a row is one, and to know which files a segment has.
//
// Thread safety: a value; any number of threads may read one.
#pragma once

#include "kith/core/bytes.hpp"
#include "kith/schema/field.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kith::inline v0::detail {

/// A member that rows hold.
struct StoredField {
    FieldKind kind = FieldKind::boolean;  // of the element, for a list
    bool list = false;
    bool nullable = false;
    bool key = false;
    std::size_t bytes = 0;  // of a vector's elements
};

/// A member that segments hold.
struct StoredVectorField {
    std::string name;
    std::size_t dim = 0;
    std::string element;    // empty for floats
    std::size_t bytes = 0;  // of its elements
};

/// A member that columns hold, and perhaps an index.
struct StoredScalarField {
    std::string name;
    std::size_t place = 0;  // among all members
    FieldKind kind = FieldKind::boolean;
    bool list = false;
    bool indexed = false;  // by who made the collection
};

class StoredSchema {
public:
    /// Knows nothing.
    StoredSchema() = default;

    /// Reads what schema/fingerprint.hpp wrote; known() is false when it cannot.
    explicit StoredSchema(std::string_view descriptor);

    [[nodiscard]] bool known() const noexcept { return known_; }
    [[nodiscard]] const std::vector<StoredVectorField>& vectors() const noexcept { return vectors_; }
    [[nodiscard]] const std::vector<StoredScalarField>& scalars() const noexcept { return scalars_; }

    /// Bytes of the vector fields of one record in a log record.
    [[nodiscard]] std::size_t vector_bytes() const noexcept {
        std::size_t bytes = 0;
        for (const StoredVectorField& field : vectors_) bytes += field.bytes;
        return bytes;
    }

    /// The bytes of the key in a row; nothing when it is no row of this schema.
    [[nodiscard]] std::optional<std::string> key_of(std::string_view row) const;

    /// A key as a person writes it: text in quotes, an integer in digits.
    [[nodiscard]] std::string shown(std::string_view key) const;

private:
    bool known_ = false;
    std::vector<StoredField> fields_;  // of a row, in order
    std::vector<StoredVectorField> vectors_;
    std::vector<StoredScalarField> scalars_;
};

}  // namespace kith::inline v0::detail
