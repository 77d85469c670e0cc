// kith/scalar/column_builder.hpp — makes the columns of a segment that is sealed, one after the other.
//
// A column is held until it is finished, its texts once each, so several small ones are made in one pass over the rows.
// What would take too much memory so is made alone, in a pass of its own, and its values go to the file as they come.
//
// Thread safety: none; one thread fills one.
#pragma once

#include "kith/core/byte_sink.hpp"
#include "kith/core/slot.hpp"
#include "kith/scalar/column_file.hpp"
#include "kith/scalar/term.hpp"
#include "kith/scalar/text_dictionary.hpp"
#include "kith/schema/field.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
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

/// The image that ColumnFile reads, while it is written.
class ColumnFileWriter {
public:
    /// Of these columns, of so many slots each. The sink must outlive it.
    /// Requires: no kind is vector; fields are distinct.
    /// Ensures: a column of which nothing more is said is left out.
    ColumnFileWriter(const ByteSink& sink, const std::vector<ColumnInfo>& columns, Slot slots);

    /// Begins a part, and says where.
    std::uint64_t begin_part();

    /// Adds to the part that was begun last.
    void write(std::string_view bytes);

    /// What is stored of a column. Offsets are those of nulls, ends, values, text ends and texts.
    struct Description {
        bool nulls = false;
        std::optional<ColumnForm> form = {};  // none: it is left out
        std::uint8_t code_bytes = 0;
        std::uint32_t distinct = 0;
        std::uint64_t values = 0;
        std::array<std::uint64_t, 5> offsets{};
    };

    /// By the place among the columns.
    void describe(std::size_t column, const Description& description) { descriptions_[column] = description; }

    /// Notes that the field of a column has an index beside it, or that it was left out.
    void note_index(std::size_t column, IndexNote note) { indexes_[column] = note; }

    [[nodiscard]] const std::vector<ColumnInfo>& columns() const noexcept { return columns_; }

    /// Writes what is left. Called last.
    void finish();

private:
    const ByteSink& sink_;
    std::vector<ColumnInfo> columns_;
    std::vector<Description> descriptions_;
    std::vector<IndexNote> indexes_;
    std::uint64_t written_ = 0;
};

/// One column.
class ColumnBuilder {
public:
    /// Holds the values until finish().
    explicit ColumnBuilder(const ColumnInfo& info) : info_(info) {}

    /// Values go to `file` as they come: nothing else is written there until finish(). What stays in memory is a bit of
    /// each slot, 4 bytes of each list and 8 of each text. Texts are then not stored by code.
    ColumnBuilder(const ColumnInfo& info, ColumnFileWriter& file) : info_(info), file_(&file) {
        values_at_ = file.begin_part();
    }

    /// Adds the next slot. Requires: the terms are of its kind.
    /// Throws: Errc::limit_exceeded when the lists have 2^32 elements together; it is of no use then.
    void append(const MemberTerms& member);

    /// Memory that it holds.
    [[nodiscard]] std::size_t bytes() const noexcept;

    /// Writes the column. The builder is used up.
    /// Cost: where texts are few, a sort of the distinct ones.
    void finish(ColumnFileWriter& file, std::size_t column);

private:
    void add_value(std::string_view term);
    void add_text(std::string_view text);
    void flush();
    void finish_texts(ColumnFileWriter& file, ColumnFileWriter::Description& made);
    void write_by_code(ColumnFileWriter& file, ColumnFileWriter::Description& made) const;
    void write_as_they_are(ColumnFileWriter& file, ColumnFileWriter::Description& made) const;

    ColumnInfo info_;
    ColumnFileWriter* file_ = nullptr;  // that values go to as they come
    std::uint64_t values_at_ = 0;       // where they begin there
    Slot slots_ = 0;
    bool nulls_ = false;
    std::uint64_t values_ = 0;
    std::vector<std::uint64_t> null_words_;
    std::string ends_;   // as they are stored
    std::string bytes_;  // bits as words to be, numbers as they are stored; with file_, what it has not got yet
    // Of texts:
    TextDictionary distinct_;
    std::vector<std::uint32_t> codes_;      // the number of each value's text
    std::vector<std::uint64_t> text_ends_;  // with file_: of each value
};

}  // namespace kith::inline v0::detail
