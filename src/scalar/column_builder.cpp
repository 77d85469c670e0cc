// src/scalar/column_builder.cpp — writes columns.
#include "kith/scalar/column_builder.hpp"

#include "kith/core/assert.hpp"
#include "kith/core/bytes.hpp"
#include "kith/core/error.hpp"
#include "kith/scalar/column_file.hpp"
#include "scalar/column_layout.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>
#include <utility>

namespace kith::inline v0::detail {

namespace {

constexpr std::size_t most_distinct = std::size_t{1} << 20;  // texts that are stored by code

/// The distinct texts of a column in order, and the place of each value among them.
struct Dictionary {
    std::vector<std::string_view> texts;
    std::vector<std::uint32_t> codes;
};

/// Requires: there are fewer than 2^32 values.
Dictionary dictionary_of(const std::vector<std::string_view>& values) {
    std::vector<std::uint32_t> order(values.size());
    std::iota(order.begin(), order.end(), 0U);
    std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) { return values[a] < values[b]; });
    Dictionary made;
    made.codes.resize(values.size());
    for (const std::uint32_t value : order) {
        if (made.texts.empty() || made.texts.back() != values[value]) made.texts.push_back(values[value]);
        made.codes[value] = static_cast<std::uint32_t>(made.texts.size() - 1);
    }
    return made;
}

/// Appends a part at a multiple of 64 bytes, and says where it begins.
std::uint64_t add_part(std::string_view part, std::string& image) {
    image.resize((image.size() + column_part_alignment - 1) / column_part_alignment * column_part_alignment, '\0');
    const std::size_t offset = image.size();
    image += part;
    return offset;
}

std::string stored(const std::vector<std::uint64_t>& numbers) {
    std::string bytes;
    ByteWriter writer(bytes);
    for (const std::uint64_t number : numbers) writer.u64(number);
    return bytes;
}

/// What a column's texts become: as they are, or codes and the distinct ones.
struct Texts {
    ColumnForm form = ColumnForm::texts;
    std::uint8_t code_bytes = 0;
    std::uint32_t distinct = 0;
    std::string codes = {};
    std::string ends = {};
    std::string bytes = {};
};

Texts texts_by_code(const Dictionary& dictionary) {
    Texts made;
    made.form = ColumnForm::codes;
    made.distinct = static_cast<std::uint32_t>(dictionary.texts.size());
    made.code_bytes = made.distinct <= 0x100 ? 1 : made.distinct <= 0x10000 ? 2 : 4;
    ByteWriter codes(made.codes);
    for (const std::uint32_t code : dictionary.codes) {
        if (made.code_bytes == 1) {
            codes.u8(static_cast<std::uint8_t>(code));
        } else if (made.code_bytes == 2) {
            codes.u16(static_cast<std::uint16_t>(code));
        } else {
            codes.u32(code);
        }
    }
    ByteWriter ends(made.ends);
    for (const std::string_view text : dictionary.texts) {
        made.bytes += text;
        ends.u64(made.bytes.size());
    }
    return made;
}

Texts texts_of(std::string_view bytes, const std::vector<std::uint64_t>& ends) {
    if (ends.size() < std::numeric_limits<std::uint32_t>::max()) {
        std::vector<std::string_view> values;
        std::uint64_t begin = 0;
        for (const std::uint64_t end : ends) {
            values.push_back(bytes.substr(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin)));
            begin = end;
        }
        const Dictionary dictionary = dictionary_of(values);
        if (dictionary.texts.size() <= std::min(most_distinct, values.size() / 2)) return texts_by_code(dictionary);
    }
    return {};
}

}  // namespace

ColumnFileBuilder::ColumnFileBuilder(const std::vector<ColumnInfo>& columns) {
    for (const ColumnInfo& info : columns) {
        KITH_ASSERT(has_terms(info.kind));
        columns_.emplace_back().info = info;
    }
}

void ColumnFileBuilder::add_value(Pending& column, std::string_view term) {
    const std::uint64_t number = column.values++;
    if (holds_text(column.info.kind)) {
        column.bytes += term;
        column.text_ends.push_back(column.bytes.size());
        return;
    }
    ByteWriter writer(column.bytes);
    if (column.info.kind == FieldKind::boolean) {
        if (number % 8 == 0) column.bytes.push_back('\0');
        const auto bit = static_cast<unsigned>(number_of_term(term) & 1U) << (number % 8);
        column.bytes.back() = static_cast<char>(static_cast<unsigned char>(column.bytes.back()) | bit);
    } else if (term_bytes(column.info.kind) == sizeof(std::uint32_t)) {
        writer.u32(static_cast<std::uint32_t>(number_of_term(term)));
    } else {
        writer.u64(number_of_term(term));
    }
}

void ColumnFileBuilder::append(std::size_t at, const MemberTerms& member) {
    Pending& column = columns_[at];
    const Slot slot = column.slots++;
    if (slot % 64 == 0) column.null_words.push_back(0);
    if (member.null()) {
        column.nulls = true;
        column.null_words.back() |= std::uint64_t{1} << (slot % 64);
        if (!column.info.list) add_value(column, {});
    }
    for (std::size_t element = 0; element < member.size(); ++element) add_value(column, member[element]);
    if (!column.info.list) return;
    if (column.values > std::numeric_limits<std::uint32_t>::max()) {
        raise(Errc::limit_exceeded, "the lists of one field of a segment have more than 4294967295 elements together");
    }
    ByteWriter(column.ends).u32(static_cast<std::uint32_t>(column.values));
}

void ColumnFileBuilder::write(const Pending& column, std::string& descriptors, std::string& image) {
    const ColumnInfo& info = column.info;
    Texts texts;
    if (holds_text(info.kind)) texts = texts_of(column.bytes, column.text_ends);
    const ColumnForm form = holds_text(info.kind)             ? texts.form
                            : info.kind == FieldKind::boolean ? ColumnForm::bits
                                                              : ColumnForm::numbers;
    ByteWriter writer(descriptors);
    writer.u32(info.field);
    writer.u8(static_cast<std::uint8_t>(info.kind));
    writer.u8(static_cast<std::uint8_t>((info.list ? column_list_flag : 0) | (column.nulls ? column_nulls_flag : 0)));
    writer.u8(static_cast<std::uint8_t>(form));
    writer.u8(texts.code_bytes);
    writer.u32(texts.distinct);
    writer.u32(0);
    writer.u64(column.values);
    writer.u64(column.nulls ? add_part(stored(column.null_words), image) : 0);
    writer.u64(info.list ? add_part(column.ends, image) : 0);
    if (holds_text(info.kind)) {
        const bool codes = form == ColumnForm::codes;
        writer.u64(codes ? add_part(texts.codes, image) : 0);
        writer.u64(add_part(codes ? texts.ends : stored(column.text_ends), image));
        writer.u64(add_part(codes ? texts.bytes : column.bytes, image));
        return;
    }
    std::string bytes = column.bytes;
    if (form == ColumnForm::bits) bytes.resize((bytes.size() + 7) / 8 * 8, '\0');
    writer.u64(add_part(bytes, image));
    writer.u64(0);
    writer.u64(0);
}

/// What write() adds at most. A code takes no more than the end of its text.
std::size_t ColumnFileBuilder::most_bytes(const Pending& column) noexcept {
    constexpr std::size_t parts = 5, word = sizeof(std::uint64_t);
    return parts * column_part_alignment + word * column.null_words.size() + column.ends.size() +
           2 * word * column.text_ends.size() + column.bytes.size() + word;
}

std::string ColumnFileBuilder::finish() {
    std::string image(columns_magic);
    ByteWriter writer(image);
    writer.u32(columns_version);
    writer.u32(static_cast<std::uint32_t>(columns_.size()));
    writer.u32(columns_.empty() ? 0 : columns_.front().slots);
    const std::size_t first_part = columns_header_bytes + columns_.size() * column_descriptor_bytes;
    std::size_t most = first_part;
    for (const Pending& column : columns_) {
        KITH_ASSERT(column.slots == columns_.front().slots);
        most += most_bytes(column);
    }
    image.reserve(most);  // texts may take most of the memory there is: no second copy while it grows
    image.resize(first_part, '\0');
    std::string descriptors;
    for (Pending& column : columns_) {
        write(column, descriptors, image);
        column = Pending();
    }
    image.replace(columns_header_bytes, descriptors.size(), descriptors);
    columns_.clear();
    return image;
}

}  // namespace kith::inline v0::detail
