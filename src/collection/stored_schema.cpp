// src/collection/stored_schema.cpp — descriptors and rows, taken apart.
#include "collection/stored_schema.hpp"

#include "kith/core/element.hpp"
#include "kith/scalar/term.hpp"
#include "kith/schema/codec.hpp"
#include "kith/schema/fingerprint.hpp"
#include "kith/schema/key.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace kith::inline v0::detail {

namespace {

std::vector<std::string_view> words_of(std::string_view text) {
    std::vector<std::string_view> words;
    while (!text.empty()) {
        const std::string_view word = text.substr(0, text.find(' '));
        if (!word.empty()) words.push_back(word);
        text.remove_prefix(std::min(text.size(), word.size() + 1));
    }
    return words;
}

std::optional<FieldKind> kind_of(std::string_view word) {
    constexpr std::array kinds{FieldKind::boolean, FieldKind::int32,     FieldKind::int64,   FieldKind::uint32,
                               FieldKind::uint64,  FieldKind::float32,   FieldKind::float64, FieldKind::text,
                               FieldKind::vector,  FieldKind::timestamp, FieldKind::json};
    const auto found = std::find_if(kinds.begin(), kinds.end(), [&](FieldKind kind) { return name(kind) == word; });
    return found == kinds.end() ? std::nullopt : std::optional(*found);
}

/// Bytes of `dim` elements of that name; nothing when there is no such element.
std::optional<std::size_t> bytes_of(std::size_t dim, std::string_view element) {
    if (element.empty()) return dim * sizeof(float);
    if (element == element_name<Half> || element == element_name<Bfloat16>) return 2 * dim;
    if (element == element_name<std::int8_t> || element == element_name<std::uint8_t>) return dim;
    if (element == element_name<Bits8>) return elements_for<Bits8>(dim);
    return std::nullopt;
}

bool read_scalar(ByteReader& reader, FieldKind kind, std::string_view& value) {
    if (kind == FieldKind::text || kind == FieldKind::json) return reader.sized(value);
    if (kind == FieldKind::vector || !reader.bytes(scalar_bytes(kind), value)) return false;
    return kind != FieldKind::boolean || static_cast<unsigned char>(value[0]) <= 1;
}

bool read_value(ByteReader& reader, const StoredField& field, std::string_view& value) {
    if (field.kind == FieldKind::vector) return reader.bytes(field.bytes, value);
    if (!field.list) return read_scalar(reader, field.kind, value);
    std::uint64_t count = 0;
    bool whole = reader.varint(count);
    for (; whole && count > 0; --count) whole = read_scalar(reader, field.kind, value);
    return whole;
}

/// The key's bytes from its value in a row: see schema/key.hpp.
std::string key_from(FieldKind kind, std::string_view value) {
    if (kind == FieldKind::text) return std::string(value);
    std::string key(value.rbegin(), value.rend());
    const bool is_signed = kind == FieldKind::int32 || kind == FieldKind::int64;
    if (is_signed && !key.empty()) key[0] = static_cast<char>(static_cast<unsigned char>(key[0]) ^ 0x80U);
    return key;
}

}  // namespace

StoredSchema::StoredSchema(std::string_view descriptor) {
    std::size_t place = 0;
    for (const DescribedField& line : read_descriptor(descriptor)) {
        std::vector<std::string_view> words = words_of(line.type);
        StoredField field;
        field.list = words.size() > 2 && words[0] == "list" && words[1] == "of";
        if (field.list) words.erase(words.begin(), words.begin() + 2);
        const std::optional<FieldKind> kind = words.empty() ? std::nullopt : kind_of(words[0]);
        if (!kind.has_value()) return;
        field.kind = *kind;
        StoredVectorField vector{std::string(line.name), 0, {}, 0};
        if (field.kind == FieldKind::vector) {
            if (words.size() < 2) return;
            std::from_chars(words[1].data(), words[1].data() + words[1].size(), vector.dim);
            if (words.size() > 3 && words[2] == "of") vector.element = words[3];
            const std::optional<std::size_t> bytes = bytes_of(vector.dim, vector.element);
            if (!bytes.has_value()) return;
            field.bytes = *bytes;
            vector.bytes = *bytes;
        }
        const auto says = [&](std::string_view word) {
            return std::find(words.begin(), words.end(), word) != words.end();
        };
        field.nullable = says("nullable");
        field.key = says("key");
        const bool in_segments =
            std::any_of(words.begin(), words.end(), [](std::string_view word) { return word.starts_with("metric="); });
        if (in_segments) {
            vectors_.push_back(std::move(vector));
        } else {
            fields_.push_back(field);
        }
        if (has_terms(field.kind)) {
            scalars_.push_back({std::string(line.name), place, field.kind, field.list, says("indexed")});
        }
        ++place;
    }
    known_ = std::any_of(fields_.begin(), fields_.end(), [](const StoredField& field) { return field.key; });
}

std::optional<std::string> StoredSchema::key_of(std::string_view row) const {
    ByteReader reader(row);
    std::uint8_t format = 0;
    std::uint8_t count = 0;
    if (!known_ || !reader.u8(format) || format != row_format || !reader.u8(count) || count != fields_.size()) {
        return std::nullopt;
    }
    const auto nullable = static_cast<std::size_t>(
        std::count_if(fields_.begin(), fields_.end(), [](const StoredField& field) { return field.nullable; }));
    std::string_view nulls;
    if (!reader.bytes((nullable + 7) / 8, nulls)) return std::nullopt;
    std::string key;
    std::size_t bit = 0;
    for (const StoredField& field : fields_) {
        if (field.nullable) {
            const bool null = ((static_cast<unsigned char>(nulls[bit / 8]) >> (bit % 8)) & 1) != 0;
            ++bit;
            if (null) continue;
        }
        std::string_view value;
        if (!read_value(reader, field, value)) return std::nullopt;
        if (field.key) key = key_from(field.kind, value);
    }
    if (reader.remaining() != 0) return std::nullopt;
    return key;
}

std::string StoredSchema::shown(std::string_view key) const {
    const auto field = std::find_if(fields_.begin(), fields_.end(), [](const StoredField& each) { return each.key; });
    const FieldKind kind = field == fields_.end() ? FieldKind::text : field->kind;
    if (kind == FieldKind::int32 && key.size() == 4) return show_key<std::int32_t>(key);
    if (kind == FieldKind::uint32 && key.size() == 4) return show_key<std::uint32_t>(key);
    if (kind == FieldKind::int64 && key.size() == 8) return show_key<long long>(key);
    if (kind == FieldKind::uint64 && key.size() == 8) return show_key<unsigned long long>(key);
    return show_key<std::string>(key);
}

}  // namespace kith::inline v0::detail
