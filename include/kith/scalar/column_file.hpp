// kith/scalar/column_file.hpp — the scalar fields of a sealed segment, column by column, for conditions without an index.
//
//   columns := header; parts; descriptors, each at a multiple of 64 bytes, zeros between; u64 bytes of all     (on disk)
//   header  := magic "kithcols"; u32 version (1); u32 columns; u32 slots; zeros up to byte 64
//   descriptor, 64 bytes := u32 field; u8 kind; u8 flags: 1 list, 2 nulls, 4 with an index, 8 whose index was left out;
//              u8 form; u8 bytes a code; u32 distinct; u32 0; u64 values; u64 offset of nulls, of ends, of values, of text
//              ends, of texts
//   nulls   := a bit a slot, 1 where it is null, in u64 words
//   ends    := of a list, for each slot u32: the number of values up to the end of its elements
//   values  := form 1, bool: a bit a value, in u64 words
//            | form 2, numbers: as ordered numbers (scalar/term.hpp), u32 or u64 as the kind is wide
//            | form 3, texts by code: u8, u16 or u32 each, the place of the text among the distinct ones in order
//            | form 4, texts: nothing
//            | form 5, left out: nothing, and there are no other parts
//   text ends := of each distinct text (form 3) or each value (form 4) u64: where it ends in texts
//
// A scalar that is null has a value all the same, of no meaning. Offsets count from the beginning; that of a part that is
// not there is 0. Descriptors come last, so that a file is written as its columns are made. A column, or an index, is left
// out where a limit of its format would be passed: so a reader knows that it is not missing. An ordered number keeps the order of its kind as an unsigned number, so each comparison of each kind is
// one subtraction and one comparison, in loops that a compiler makes vectors of; NaN lies above what compares.
//
// Thread safety: immutable; the bytes must outlive it and what comes of it.
#pragma once

#include "kith/core/slot.hpp"
#include "kith/scalar/question.hpp"
#include "kith/scalar/term.hpp"
#include "kith/schema/field.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kith::inline v0::detail {

/// How the values of a column lie. On disk: never renumber.
enum class ColumnForm : std::uint8_t { bits = 1, numbers = 2, codes = 3, texts = 4 };

/// Whether the field of a column has an index beside it.
enum class IndexNote : std::uint8_t { none, written, left_out };

/// What is said of a field beside its column, or in its place.
struct ColumnNote {
    std::uint32_t field = 0;
    bool left_out = false;  // the column
    IndexNote index = IndexNote::none;
};

/// One column, checked as far as its parts lie within the image.
class StoredColumn {
public:
    [[nodiscard]] std::uint32_t field() const noexcept { return field_; }
    [[nodiscard]] FieldKind kind() const noexcept { return kind_; }
    [[nodiscard]] bool list() const noexcept { return list_; }
    [[nodiscard]] ColumnForm form() const noexcept { return form_; }
    [[nodiscard]] Slot slots() const noexcept { return slots_; }
    [[nodiscard]] std::uint64_t values() const noexcept { return values_; }

    /// Reads all of it: returns where everything is as it must be. Throws: Errc::corrupt, with what is wrong.
    void check() const;

    /// All bytes that it reads, as parts of the image.
    [[nodiscard]] std::array<std::string_view, 5> parts() const noexcept {
        return {nulls_, ends_, value_bytes_, text_ends_, texts_};
    }

    /// The member of a slot, as terms. Requires: slot is below slots(). Throws: Errc::corrupt.
    void member(Slot slot, MemberTerms& out) const;

    [[nodiscard]] bool null(Slot slot) const noexcept;

    /// A value as an ordered number, or the code of its text. Requires: there is that value; the form is not texts.
    [[nodiscard]] std::uint64_t number(std::uint64_t value) const noexcept;

    /// A value that is text. Throws: Errc::corrupt.
    [[nodiscard]] std::string_view text_of(std::uint64_t value) const;

    // For who compares blocks.

    /// Which of the 64 slots of a word are null. Requires: there is such a word.
    [[nodiscard]] std::uint64_t null_word(std::size_t word) const noexcept;

    /// The values of a slot, from the first to before the second; of a scalar, the one with its number.
    struct Values {
        std::uint64_t first = 0, end = 0;
    };
    [[nodiscard]] Values values_of(Slot slot) const;  // Throws: Errc::corrupt.

    /// For each slot from `first` on, as many as `out` has, the values up to its end, whatever the file says of them.
    /// Requires: it is a list, and there are that many slots.
    void load_ends(Slot first, std::span<std::uint32_t> out) const noexcept;

    /// Ordered numbers, or codes, of values from `first` on, as many as `out` has. Requires: the form is numbers or
    /// codes, of 8 bytes for the second and at most 4 for the first; there are that many values.
    void load(std::uint64_t first, std::span<std::uint32_t> out) const noexcept;
    void load(std::uint64_t first, std::span<std::uint64_t> out) const noexcept;

    /// A word of bits. Requires: the form is bits, and there is such a word.
    [[nodiscard]] std::uint64_t bits(std::uint64_t word) const noexcept;

    /// Bytes of a number or code.
    [[nodiscard]] std::size_t width() const noexcept { return width_; }

    /// The distinct texts of form codes.
    [[nodiscard]] std::uint32_t distinct() const noexcept { return distinct_; }

    /// A distinct text by its code, or a text by the number of its value. Throws: Errc::corrupt.
    [[nodiscard]] std::string_view text(std::uint64_t number) const;

private:
    friend class ColumnFile;

    StoredColumn(std::string_view image, std::string_view descriptor, Slot slots, ColumnNote& note);
    void check_form() const;
    void check_lists() const;
    void check_texts() const;
    [[noreturn]] void raise_damaged(const std::string& what) const;

    std::uint32_t field_ = 0;
    FieldKind kind_ = FieldKind::boolean;
    bool list_ = false;
    ColumnForm form_ = ColumnForm::bits;
    std::size_t width_ = 0;
    std::uint32_t distinct_ = 0;
    Slot slots_ = 0;
    std::uint64_t values_ = 0;
    std::string_view nulls_;  // words, or nothing where no slot is null
    std::string_view ends_;   // of a list
    std::string_view value_bytes_;
    std::string_view text_ends_;
    std::string_view texts_;
};

class ColumnFile {
public:
    /// Throws: Errc::corrupt when parts do not lie within the image, or it is of another number of slots;
    /// Errc::unsupported_version.
    ColumnFile(std::string_view image, Slot slots);

    [[nodiscard]] Slot slots() const noexcept { return slots_; }
    [[nodiscard]] const std::vector<StoredColumn>& columns() const noexcept { return columns_; }

    /// The column of a field, by its place in the record; null where there is none, or it was left out.
    [[nodiscard]] const StoredColumn* find(std::uint32_t field) const noexcept;

    /// One for each column, and for each that was left out.
    [[nodiscard]] const std::vector<ColumnNote>& notes() const noexcept { return notes_; }

    /// What is said of a field; nothing where there is none.
    [[nodiscard]] ColumnNote note(std::uint32_t field) const noexcept;

    /// The bytes that say what columns there are, and where: header and descriptors.
    [[nodiscard]] std::array<std::string_view, 2> directory() const noexcept { return {header_, descriptors_}; }

    /// Reads all of it: returns where everything is as it must be. Throws: Errc::corrupt, with what is wrong.
    void check() const;

private:
    Slot slots_ = 0;
    std::string_view header_;
    std::string_view descriptors_;
    std::vector<StoredColumn> columns_;  // in the order of the image
    std::vector<ColumnNote> notes_;      // the same, and those that were left out
};

}  // namespace kith::inline v0::detail
