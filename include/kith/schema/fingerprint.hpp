// kith/schema/fingerprint.hpp — a schema as a text that is stored, its hash, and what differs between two of them.
//
//   descriptor := "kith schema 1\n", then one line a field, in the order of the struct            (on disk)
//   line       := name " " ["list of "] kind [" " dim [" of " element]] [" nullable"] [" key"]
//                 [" indexed" [" suffixes"] [" substrings"]] [" metric=" name " index=" name ["(" parameters ")"]] "\n"
//
// A collection is opened only by a program whose descriptor is the stored one, letter for letter but for the indexes of
// vectors, which can be made again from them: rows are read by position, so even the order of the fields counts. The text
// is kept beside the hash to say what changed.
//
// Thread safety: functions without state.
// Source: the hash is FNV-1a, 64 bits (Fowler, Noll & Vo).
#pragma once

#include "kith/schema/field.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace kith::inline v0 {

namespace detail {

inline constexpr std::string_view descriptor_head = "kith schema 1\n";  // on disk

/// Appends the line of one field. `parameters` are those of its index, where it has one.
inline void append_descriptor(std::string& out, const FieldInfo& field, std::string_view parameters) {
    out.append(field.name).append(field.list ? " list of " : " ").append(name(field.kind));
    if (field.dim > 0) out.append(" ").append(std::to_string(field.dim));
    if (!field.element.empty()) out.append(" of ").append(field.element);
    if (field.nullable) out.append(" nullable");
    if (field.key) out.append(" key");
    if (field.indexed) out.append(" indexed");
    if (field.suffixes) out.append(" suffixes");
    if (field.substrings) out.append(" substrings");
    if (!field.metric.empty()) {
        out.append(" metric=").append(field.metric).append(" index=").append(field.index);
        if (!parameters.empty()) out.append("(").append(parameters).append(")");
    }
    out.push_back('\n');
}

/// FNV-1a. On disk: never change.
constexpr std::uint64_t fingerprint(std::string_view descriptor) noexcept {
    std::uint64_t hash = 0xcbf29ce484222325ULL;
    for (const char letter : descriptor) {
        hash ^= static_cast<unsigned char>(letter);
        hash *= 0x100000001b3ULL;
    }
    return hash;
}

/// One line of a descriptor.
struct DescribedField {
    std::string_view name;
    std::string_view type;  // all that follows the name

    friend bool operator==(const DescribedField&, const DescribedField&) noexcept = default;
};

/// The fields of a descriptor; none when it does not begin as this version writes it.
inline std::vector<DescribedField> read_descriptor(std::string_view text) {
    std::vector<DescribedField> fields;
    if (!text.starts_with(descriptor_head)) return fields;
    text.remove_prefix(descriptor_head.size());
    while (!text.empty()) {
        const std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(line.size() < text.size() ? line.size() + 1 : line.size());
        const std::size_t space = line.find(' ');
        if (space == std::string_view::npos) continue;
        fields.push_back({line.substr(0, space), line.substr(space + 1)});
    }
    return fields;
}

inline const DescribedField* find_field(const std::vector<DescribedField>& fields, std::string_view name) noexcept {
    for (const DescribedField& field : fields) {
        if (field.name == name) return &field;
    }
    return nullptr;
}

/// The descriptor without what says how vectors and values are found: what is left is how records are stored.
inline std::string without_indexes(std::string_view descriptor) {
    std::string text;
    while (!descriptor.empty()) {
        const std::string_view line = descriptor.substr(0, descriptor.find('\n'));
        text.append(line.substr(0, line.find(" index"))).append("\n");
        descriptor.remove_prefix(std::min(descriptor.size(), line.size() + 1));
    }
    return text;
}

/// "a, b, c"
inline std::string list_names(const std::vector<DescribedField>& fields) {
    std::string names;
    for (const DescribedField& field : fields) names.append(names.empty() ? "" : ", ").append(field.name);
    return names;
}

}  // namespace detail

/// What differs between the schema a collection was made with and the program's, one line a difference, the lines
/// separated by '\n'; empty when the descriptors are equal.
inline std::string describe_difference(std::string_view stored, std::string_view current) {
    if (stored == current) return {};
    const std::vector<detail::DescribedField> before = detail::read_descriptor(stored);
    const std::vector<detail::DescribedField> now = detail::read_descriptor(current);
    if (before.empty() || now.empty()) return "one of the two schemas is written in a form this version cannot read";

    std::string lines;
    const auto add = [&lines](std::string_view name, const std::string& what) {
        lines.append(lines.empty() ? "" : "\n").append("field '").append(name).append("': ").append(what);
    };
    for (const detail::DescribedField& field : before) {
        const detail::DescribedField* other = detail::find_field(now, field.name);
        if (other == nullptr) {
            add(field.name, "only in the stored schema, as " + std::string(field.type));
        } else if (other->type != field.type) {
            add(field.name, "stored " + std::string(field.type) + ", now " + std::string(other->type));
        }
    }
    for (const detail::DescribedField& field : now) {
        if (detail::find_field(before, field.name) == nullptr) {
            add(field.name, "only in the program's schema, as " + std::string(field.type));
        }
    }
    if (lines.empty()) {
        lines = "the fields stand in another order: stored " + detail::list_names(before) + "; now " +
                detail::list_names(now);
    }
    return lines;
}

/// The same, but for how vectors and values are found.
inline std::string describe_record_difference(std::string_view stored, std::string_view current) {
    return describe_difference(detail::without_indexes(stored), detail::without_indexes(current));
}

}  // namespace kith::inline v0
