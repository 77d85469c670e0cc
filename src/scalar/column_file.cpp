// src/scalar/column_file.cpp — reads columns where they lie.
#include "kith/scalar/column_file.hpp"

#include "kith/core/assert.hpp"
#include "kith/core/bytes.hpp"
#include "kith/core/error.hpp"
#include "scalar/column_layout.hpp"

#include <array>
#include <cstring>

namespace kith::inline v0::detail {

namespace {

[[noreturn]] void raise_file(const std::string& what) {
    raise(Errc::corrupt, "a file of columns is damaged: " + what);
}

/// A number at a place. Requires: it is there.
template <class T>
T number_at(std::string_view bytes, std::uint64_t at) noexcept {
    T number = 0;
    std::memcpy(&number, bytes.data() + sizeof(T) * static_cast<std::size_t>(at), sizeof(T));
    return little_endian(number);
}

/// Numbers from a place on, widened. Requires: they are there.
template <class Stored, class T>
void widen(std::string_view bytes, std::uint64_t first, std::span<T> out) noexcept {
    const char* from = bytes.data() + sizeof(Stored) * static_cast<std::size_t>(first);
    for (std::size_t at = 0; at < out.size(); ++at) {
        Stored number = 0;
        std::memcpy(&number, from + sizeof(Stored) * at, sizeof(Stored));
        out[at] = little_endian(number);
    }
}

constexpr std::uint64_t bit_words(std::uint64_t bits) noexcept {
    return bits / 64 + (bits % 64 != 0 ? 1 : 0);
}

}  // namespace

void StoredColumn::raise_damaged(const std::string& what) const {
    raise_file("column " + std::to_string(field_) + " " + what);
}

StoredColumn::StoredColumn(std::string_view image, std::string_view descriptor, Slot slots, ColumnNote& note)
    : slots_(slots) {
    ByteReader reader(descriptor);
    std::uint8_t kind = 0;
    std::uint8_t flags = 0;
    std::uint8_t form = 0;
    std::uint8_t code_bytes = 0;
    std::uint32_t zero = 0;
    std::array<std::uint64_t, 5> offsets{};
    bool whole = reader.u32(field_) && reader.u8(kind) && reader.u8(flags) && reader.u8(form) &&
                 reader.u8(code_bytes) && reader.u32(distinct_) && reader.u32(zero) && reader.u64(values_);
    for (std::uint64_t& offset : offsets) whole = whole && reader.u64(offset);
    if (!whole) raise_file("it ends within its descriptors");
    if (!has_terms(static_cast<FieldKind>(kind))) {
        raise_damaged("is of no kind that exists");
    }
    note.left_out = form == column_left_out_form;
    const bool known = form >= static_cast<std::uint8_t>(ColumnForm::bits) &&
                       (form <= static_cast<std::uint8_t>(ColumnForm::texts) || note.left_out);
    if (!known) raise_damaged("has no form that exists");
    note.field = field_;
    note.index = (flags & column_index_flag) != 0            ? IndexNote::written
                 : (flags & column_index_left_out_flag) != 0 ? IndexNote::left_out
                                                             : IndexNote::none;
    if (note.left_out) return;
    kind_ = static_cast<FieldKind>(kind);
    form_ = static_cast<ColumnForm>(form);
    list_ = (flags & column_list_flag) != 0;
    const auto part = [&](std::size_t which, std::uint64_t count, std::uint64_t each) {
        const std::uint64_t offset = offsets[which];
        if (offset > image.size() || count > (image.size() - offset) / each)
            raise_damaged("does not lie within the file");
        return image.substr(static_cast<std::size_t>(offset), static_cast<std::size_t>(count * each));
    };
    const bool of_bits = form_ == ColumnForm::bits;
    const bool of_texts = form_ == ColumnForm::texts;
    width_ = form_ == ColumnForm::numbers ? scalar_bytes(kind_) : form_ == ColumnForm::codes ? code_bytes : 0;
    if ((flags & column_nulls_flag) != 0) nulls_ = part(0, bit_words(slots_), sizeof(std::uint64_t));
    if (list_) ends_ = part(1, slots_, sizeof(std::uint32_t));
    check_form();
    if (of_bits) {
        value_bytes_ = part(2, bit_words(values_), sizeof(std::uint64_t));
    } else if (!of_texts) {
        value_bytes_ = part(2, values_, width_);
    }
    if (!holds_text(kind_)) return;
    const std::uint64_t texts = of_texts ? values_ : distinct_;
    text_ends_ = part(3, texts, sizeof(std::uint64_t));
    texts_ = part(4, texts == 0 ? 0 : number_at<std::uint64_t>(text_ends_, texts - 1), 1);
}

void StoredColumn::check_form() const {
    const bool text = holds_text(kind_);
    const bool right = form_ == ColumnForm::bits      ? kind_ == FieldKind::boolean
                       : form_ == ColumnForm::numbers ? !text && kind_ != FieldKind::boolean
                       : form_ == ColumnForm::codes   ? text && (width_ == 1 || width_ == 2 || width_ == 4)
                                                      : text;
    if (!right) raise_damaged("has a form that its kind has not");
    if (!list_ && values_ != slots_) raise_damaged("has another number of values than of slots");
    if (list_ && slots_ > 0 && number_at<std::uint32_t>(ends_, slots_ - 1) != values_) {
        raise_damaged("has another number of values than its lists");
    }
    if (list_ && slots_ == 0 && values_ != 0) raise_damaged("has values and no slots");
}

std::uint64_t StoredColumn::null_word(std::size_t word) const noexcept {
    return nulls_.empty() ? 0 : number_at<std::uint64_t>(nulls_, word);
}

StoredColumn::Values StoredColumn::values_of(Slot slot) const {
    if (!list_) return {slot, std::uint64_t{slot} + 1};
    const std::uint64_t first = slot == 0 ? 0 : number_at<std::uint32_t>(ends_, slot - 1);
    const std::uint64_t end = number_at<std::uint32_t>(ends_, slot);
    if (first > end || end > values_)
        raise_damaged("has a list that ends elsewhere, that of slot " + std::to_string(slot));
    return {first, end};
}

void StoredColumn::load_ends(Slot first, std::span<std::uint32_t> out) const noexcept {
    KITH_ASSERT(list_ && first <= slots_ && out.size() <= slots_ - first);
    widen<std::uint32_t>(ends_, first, out);
}

void StoredColumn::load(std::uint64_t first, std::span<std::uint32_t> out) const noexcept {
    KITH_ASSERT(first <= values_ && out.size() <= values_ - first);
    if (width_ == 1) return widen<std::uint8_t>(value_bytes_, first, out);
    if (width_ == 2) return widen<std::uint16_t>(value_bytes_, first, out);
    widen<std::uint32_t>(value_bytes_, first, out);
}

void StoredColumn::load(std::uint64_t first, std::span<std::uint64_t> out) const noexcept {
    KITH_ASSERT(width_ == sizeof(std::uint64_t) && first <= values_ && out.size() <= values_ - first);
    widen<std::uint64_t>(value_bytes_, first, out);
}

std::uint64_t StoredColumn::bits(std::uint64_t word) const noexcept {
    return number_at<std::uint64_t>(value_bytes_, word);
}

std::string_view StoredColumn::text(std::uint64_t number) const {
    const std::uint64_t texts = text_ends_.size() / sizeof(std::uint64_t);
    if (number >= texts) raise_damaged("names a text that does not exist, number " + std::to_string(number));
    const std::uint64_t first = number == 0 ? 0 : number_at<std::uint64_t>(text_ends_, number - 1);
    const std::uint64_t end = number_at<std::uint64_t>(text_ends_, number);
    if (first > end || end > texts_.size())
        raise_damaged("has a text that ends elsewhere, number " + std::to_string(number));
    return texts_.substr(static_cast<std::size_t>(first), static_cast<std::size_t>(end - first));
}

std::uint64_t StoredColumn::number(std::uint64_t value) const noexcept {
    KITH_ASSERT(form_ != ColumnForm::texts && value < values_);
    if (form_ == ColumnForm::bits) return (bits(value / 64) >> (value % 64)) & 1U;
    if (width_ == sizeof(std::uint64_t)) return number_at<std::uint64_t>(value_bytes_, value);
    std::uint32_t number = 0;
    load(value, std::span(&number, 1));
    return number;
}

std::string_view StoredColumn::text_of(std::uint64_t value) const {
    return text(form_ == ColumnForm::codes ? number(value) : value);
}

bool StoredColumn::null(Slot slot) const noexcept {
    return ((null_word(slot / 64) >> (slot % 64)) & 1U) != 0;
}

void StoredColumn::member(Slot slot, MemberTerms& out) const {
    KITH_ASSERT(slot < slots_);
    out.clear();
    if (null(slot)) return out.set_null();
    const Values values = values_of(slot);
    std::string term;
    for (std::uint64_t at = values.first; at < values.end; ++at) {
        if (holds_text(kind_)) {
            out.add_term(text_of(at));
        } else {
            term.clear();
            append_number_term(kind_, number(at), term);
            out.add_term(term);
        }
    }
}

ColumnFile::ColumnFile(std::string_view image, Slot slots) {
    ByteReader reader(image);
    std::string_view magic;
    std::uint32_t version = 0;
    std::uint32_t count = 0;
    if (!reader.bytes(columns_magic.size(), magic) || magic != columns_magic) {
        raise_file("it does not begin with " + std::string(columns_magic));
    }
    if (reader.u32(version) && version != columns_version) {
        raise(Errc::unsupported_version, "a file of columns has version " + std::to_string(version) +
                                             "; this build reads " + std::to_string(columns_version));
    }
    if (!reader.u32(count) || !reader.u32(slots_) || image.size() < columns_header_bytes) {
        raise_file("it ends within its header");
    }
    header_ = image.substr(0, columns_header_bytes);
    if (slots_ != slots) raise_file("it is for " + std::to_string(slots_) + " slots, not " + std::to_string(slots));
    const std::size_t most = image.size() - columns_header_bytes;
    if (most < columns_end_bytes ||
        number_at<std::uint64_t>(image.substr(image.size() - columns_end_bytes), 0) != image.size()) {
        raise_file("it does not end where it says");
    }
    if (count > (most - columns_end_bytes) / column_descriptor_bytes) raise_file("it has no room for its descriptors");
    const std::size_t descriptor_bytes = std::size_t{count} * column_descriptor_bytes;
    descriptors_ = image.substr(image.size() - columns_end_bytes - descriptor_bytes, descriptor_bytes);
    for (std::size_t at = 0; at < descriptors_.size(); at += column_descriptor_bytes) {
        ColumnNote note;
        StoredColumn column(image, descriptors_.substr(at, column_descriptor_bytes), slots_, note);
        if (!note.left_out) columns_.push_back(column);
        notes_.push_back(note);
    }
}

ColumnNote ColumnFile::note(std::uint32_t field) const noexcept {
    for (const ColumnNote& one : notes_) {
        if (one.field == field) return one;
    }
    return {field, false, IndexNote::none};
}

const StoredColumn* ColumnFile::find(std::uint32_t field) const noexcept {
    for (const StoredColumn& column : columns_) {
        if (column.field() == field) return &column;
    }
    return nullptr;
}

}  // namespace kith::inline v0::detail
