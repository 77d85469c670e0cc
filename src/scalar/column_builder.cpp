// src/scalar/column_builder.cpp — writes columns.
#include "kith/scalar/column_builder.hpp"

#include "kith/core/assert.hpp"
#include "kith/core/bytes.hpp"
#include "kith/core/error.hpp"
#include "scalar/column_layout.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

namespace kith::inline v0::detail {

namespace {

constexpr std::size_t most_distinct = std::size_t{1} << 20;  // texts that are stored by code
constexpr std::size_t piece_bytes = std::size_t{1} << 20;    // that are handed on at once

/// A part of numbers that are made one by one.
class NumberPart {
public:
    explicit NumberPart(ColumnFileWriter& file) : file_(&file), begin_(file.begin_part()) {}

    [[nodiscard]] std::uint64_t begin() const noexcept { return begin_; }

    void add(std::uint64_t number, std::size_t bytes) {
        ByteWriter writer(piece_);
        if (bytes == 1) {
            writer.u8(static_cast<std::uint8_t>(number));
        } else if (bytes == 2) {
            writer.u16(static_cast<std::uint16_t>(number));
        } else if (bytes == 4) {
            writer.u32(static_cast<std::uint32_t>(number));
        } else {
            writer.u64(number);
        }
        if (piece_.size() >= piece_bytes) end();
    }

    /// Hands on what is left.
    void end() {
        file_->write(piece_);
        piece_.clear();
    }

private:
    ColumnFileWriter* file_;
    std::uint64_t begin_;
    std::string piece_;
};

/// A part of numbers of 8 bytes, and where it begins.
std::uint64_t add_words(ColumnFileWriter& file, const std::vector<std::uint64_t>& words) {
    NumberPart part(file);
    for (const std::uint64_t word : words) part.add(word, sizeof(word));
    part.end();
    return part.begin();
}

std::uint64_t add_part(ColumnFileWriter& file, std::string_view bytes) {
    const std::uint64_t begin = file.begin_part();
    file.write(bytes);
    return begin;
}

}  // namespace

ColumnFileWriter::ColumnFileWriter(const ByteSink& sink, const std::vector<ColumnInfo>& columns, Slot slots)
    : sink_(sink), columns_(columns), descriptions_(columns.size()), indexes_(columns.size(), IndexNote::none) {
    std::string header(columns_magic);
    ByteWriter writer(header);
    writer.u32(columns_version);
    writer.u32(static_cast<std::uint32_t>(columns_.size()));
    writer.u32(slots);
    header.resize(columns_header_bytes, '\0');
    write(header);
}

void ColumnFileWriter::write(std::string_view bytes) {
    if (bytes.empty()) return;
    sink_(bytes.data(), bytes.size());
    written_ += bytes.size();
}

std::uint64_t ColumnFileWriter::begin_part() {
    write(std::string((column_part_alignment - written_ % column_part_alignment) % column_part_alignment, '\0'));
    return written_;
}

void ColumnFileWriter::finish() {
    static_cast<void>(begin_part());
    std::string descriptors;
    ByteWriter writer(descriptors);
    for (std::size_t at = 0; at < columns_.size(); ++at) {
        const ColumnInfo& info = columns_[at];
        const Description& made = descriptions_[at];
        KITH_ASSERT(has_terms(info.kind));
        unsigned flags = (info.list ? column_list_flag : 0U) | (made.nulls ? column_nulls_flag : 0U);
        if (indexes_[at] == IndexNote::written) flags |= column_index_flag;
        if (indexes_[at] == IndexNote::left_out) flags |= column_index_left_out_flag;
        writer.u32(info.field);
        writer.u8(static_cast<std::uint8_t>(info.kind));
        writer.u8(static_cast<std::uint8_t>(flags));
        writer.u8(made.form.has_value() ? static_cast<std::uint8_t>(*made.form) : column_left_out_form);
        writer.u8(made.code_bytes);
        writer.u32(made.distinct);
        writer.u32(0);
        writer.u64(made.values);
        for (const std::uint64_t offset : made.offsets) writer.u64(offset);
    }
    writer.u64(written_ + descriptors.size() + columns_end_bytes);
    write(descriptors);
}

void ColumnBuilder::flush() {
    file_->write(bytes_);
    bytes_.clear();
}

void ColumnBuilder::add_text(std::string_view text) {
    if (file_ == nullptr) {
        codes_.push_back(distinct_.number_of(text));
        return;
    }
    bytes_ += text;
    text_ends_.push_back((text_ends_.empty() ? 0 : text_ends_.back()) + text.size());
}

void ColumnBuilder::add_value(std::string_view term) {
    const std::uint64_t number = values_++;
    const bool whole_byte = info_.kind != FieldKind::boolean || number % 8 == 0;
    if (file_ != nullptr && whole_byte && bytes_.size() >= piece_bytes) flush();
    if (holds_text(info_.kind)) return add_text(term);
    ByteWriter writer(bytes_);
    if (info_.kind == FieldKind::boolean) {
        if (number % 8 == 0) bytes_.push_back('\0');
        const auto bit = static_cast<unsigned>(number_of_term(term) & 1U) << (number % 8);
        bytes_.back() = static_cast<char>(static_cast<unsigned char>(bytes_.back()) | bit);
    } else if (scalar_bytes(info_.kind) == sizeof(std::uint32_t)) {
        writer.u32(static_cast<std::uint32_t>(number_of_term(term)));
    } else {
        writer.u64(number_of_term(term));
    }
}

void ColumnBuilder::append(const MemberTerms& member) {
    constexpr std::uint64_t most_values = std::numeric_limits<std::uint32_t>::max();
    if (info_.list && member.size() > most_values - values_) {
        raise(Errc::limit_exceeded, "the lists of one field of a segment have more than 4294967295 elements together");
    }
    const Slot slot = slots_++;
    if (slot % 64 == 0) null_words_.push_back(0);
    if (member.null()) {
        nulls_ = true;
        null_words_.back() |= std::uint64_t{1} << (slot % 64);
        if (!info_.list) add_value({});
    }
    for (std::size_t element = 0; element < member.size(); ++element) add_value(member[element]);
    if (info_.list) ByteWriter(ends_).u32(static_cast<std::uint32_t>(values_));
}

std::size_t ColumnBuilder::bytes() const noexcept {
    constexpr std::size_t word = sizeof(std::uint64_t);
    return word * null_words_.size() + ends_.size() + bytes_.size() + distinct_.bytes() +
           codes_.size() * sizeof(std::uint32_t) + word * text_ends_.size();
}

void ColumnBuilder::write_by_code(ColumnFileWriter& file, ColumnFileWriter::Description& made) const {
    std::vector<std::uint32_t> order(distinct_.size());
    std::iota(order.begin(), order.end(), 0U);
    std::sort(order.begin(), order.end(),
              [&](std::uint32_t a, std::uint32_t b) { return distinct_[a] < distinct_[b]; });
    std::vector<std::uint32_t> code_of(order.size());
    for (std::size_t code = 0; code < order.size(); ++code) code_of[order[code]] = static_cast<std::uint32_t>(code);
    made.form = ColumnForm::codes;
    made.distinct = static_cast<std::uint32_t>(order.size());
    made.code_bytes = made.distinct <= 0x100 ? 1 : made.distinct <= 0x10000 ? 2 : 4;
    NumberPart codes(file);
    for (const std::uint32_t number : codes_) codes.add(code_of[number], made.code_bytes);
    codes.end();
    made.offsets[2] = codes.begin();
    NumberPart ends(file);
    std::uint64_t end = 0;
    for (const std::uint32_t number : order) ends.add(end += distinct_[number].size(), sizeof(end));
    ends.end();
    made.offsets[3] = ends.begin();
    made.offsets[4] = file.begin_part();
    for (const std::uint32_t number : order) file.write(distinct_[number]);
}

void ColumnBuilder::write_as_they_are(ColumnFileWriter& file, ColumnFileWriter::Description& made) const {
    made.form = ColumnForm::texts;
    NumberPart ends(file);
    std::uint64_t end = 0;
    for (const std::uint32_t number : codes_) ends.add(end += distinct_[number].size(), sizeof(end));
    ends.end();
    made.offsets[3] = ends.begin();
    made.offsets[4] = file.begin_part();
    for (const std::uint32_t number : codes_) file.write(distinct_[number]);
}

void ColumnBuilder::finish_texts(ColumnFileWriter& file, ColumnFileWriter::Description& made) {
    if (file_ != nullptr) {
        made.form = ColumnForm::texts;
        made.offsets[3] = add_words(file, text_ends_);
        made.offsets[4] = values_at_;
    } else if (distinct_.size() <= std::min(most_distinct, codes_.size() / 2)) {
        write_by_code(file, made);
    } else {
        write_as_they_are(file, made);
    }
}

void ColumnBuilder::finish(ColumnFileWriter& file, std::size_t column) {
    KITH_ASSERT(file_ == nullptr || file_ == &file);
    if (info_.kind == FieldKind::boolean) {  // whole words
        const std::uint64_t bytes = (values_ + 7) / 8;
        bytes_.append(static_cast<std::size_t>((8 - bytes % 8) % 8), '\0');
    }
    if (file_ != nullptr) flush();
    ColumnFileWriter::Description made{.nulls = nulls_, .values = values_};
    if (nulls_) made.offsets[0] = add_words(file, null_words_);
    if (info_.list) made.offsets[1] = add_part(file, ends_);
    if (holds_text(info_.kind)) {
        finish_texts(file, made);
    } else {
        made.form = info_.kind == FieldKind::boolean ? ColumnForm::bits : ColumnForm::numbers;
        made.offsets[2] = file_ != nullptr ? values_at_ : add_part(file, bytes_);
    }
    file.describe(column, made);
}

}  // namespace kith::inline v0::detail
