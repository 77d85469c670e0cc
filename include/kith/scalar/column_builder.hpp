// kith/scalar/column_builder.hpp — makes the columns of a segment that is sealed.
//
// Thread safety: none; one thread fills one.
#pragma once

#include "kith/core/slot.hpp"
#include "kith/scalar/term.hpp"
#include "kith/schema/field.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace kith::inline v0::detail {

/// What a column is of.
struct ColumnInfo {
    std::uint32_t field = 0;  // the place in the record
    FieldKind kind = FieldKind::boolean;
    bool list = false;
};

class ColumnFileBuilder {
public:
    /// Requires: no kind is vector; fields are distinct.
    explicit ColumnFileBuilder(const std::vector<ColumnInfo>& columns);

    /// Adds the next slot of a column. Requires: the terms are of its kind.
    void append(std::size_t column, const MemberTerms& member);

    /// The image that ColumnFile reads. Requires: every column has as many slots. The builder is used up.
    /// Throws: Errc::limit_exceeded when the lists of a column have 2^32 elements together.
    [[nodiscard]] std::string finish();

private:
    struct Pending {
        ColumnInfo info;
        Slot slots = 0;
        bool nulls = false;
        std::uint64_t values = 0;
        std::vector<std::uint64_t> null_words;
        std::string ends;                      // as they are stored
        std::string bytes;                     // bits as words to be, numbers as they are stored, texts
        std::vector<std::uint64_t> text_ends;  // of each value
    };

    static void add_value(Pending& column, std::string_view term);
    [[nodiscard]] static std::size_t most_bytes(const Pending& column) noexcept;
    static void write(const Pending& column, std::string& descriptors, std::string& image);

    std::vector<Pending> columns_;
};

}  // namespace kith::inline v0::detail
