// src/scalar/scalar_index_builder.cpp — writes the index of one field.
#include "kith/scalar/scalar_index_builder.hpp"

#include "kith/core/assert.hpp"
#include "kith/core/bytes.hpp"
#include "kith/scalar/slot_list.hpp"
#include "kith/scalar/term_lists.hpp"
#include "scalar/scalar_index_layout.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

namespace kith::inline v0::detail {

ScalarIndexBuilder::ScalarIndexBuilder(FieldKind kind, bool list, ScalarIndexParams params)
    : kind_(kind), list_(list), params_(params) {
    KITH_ASSERT(has_terms(kind));
    KITH_ASSERT(kind == FieldKind::text || (!params.suffixes && !params.substrings));
}

void ScalarIndexBuilder::append(const MemberTerms& member) {
    const Slot slot = slots_++;
    if (member.null()) {
        nulls_.push_back(slot);
        return;
    }
    KITH_ASSERT(list_ || member.size() == 1);
    if (list_) lengths_.add(length_term(static_cast<std::uint32_t>(member.size())), slot);
    distinct_.clear();
    for (std::size_t at = 0; at < member.size(); ++at) {
        if (!is_nan_term(kind_, member[at])) distinct_.push_back(member[at]);
    }
    if (distinct_.size() > 1) {
        std::sort(distinct_.begin(), distinct_.end());
        distinct_.erase(std::unique(distinct_.begin(), distinct_.end()), distinct_.end());
    }
    for (const std::string_view term : distinct_) terms_.add(term, slot);
    if (!distinct_.empty()) ++with_term_;
    most_terms_ = std::max(most_terms_, static_cast<std::uint32_t>(distinct_.size()));
}

std::string ScalarIndexBuilder::finish() {
    const std::string terms = terms_.finish(slots_);
    std::string nulls;
    if (!nulls_.empty()) append_slot_list(std::span<const Slot>(nulls_), nulls);
    const std::string lengths = list_ ? lengths_.finish(slots_) : std::string();
    const std::string reversed = params_.suffixes ? reversed_terms(terms) : std::string();
    const std::string grams_part = params_.substrings ? grams(terms) : std::string();

    std::string image(scalar_index_magic);
    ByteWriter writer(image);
    writer.u32(scalar_index_version);
    writer.u8(static_cast<std::uint8_t>(kind_));
    writer.u8(static_cast<std::uint8_t>((list_ ? list_flag : 0) | (params_.suffixes ? reversed_flag : 0) |
                                        (params_.substrings ? grams_flag : 0)));
    writer.u16(0);
    writer.u32(slots_);
    writer.u32(slots_ - static_cast<Slot>(nulls_.size()));
    writer.u32(with_term_);
    writer.u32(most_terms_);
    const std::array<std::string_view, 5> parts{terms, nulls, lengths, reversed, grams_part};
    for (const std::string_view part : parts) writer.u64(part.size());
    image.resize(scalar_index_header_bytes, '\0');
    for (const std::string_view part : parts) image += part;
    return image;
}

std::string ScalarIndexBuilder::reversed_terms(std::string_view terms) const {
    std::vector<std::pair<std::string, std::uint32_t>> backwards;
    const TermLists lists(terms, slots_);
    TermScan scan(lists, 0);
    while (scan.next()) {
        backwards.emplace_back(std::string(scan.term().rbegin(), scan.term().rend()), scan.place().term);
    }
    std::sort(backwards.begin(), backwards.end());
    std::string bytes;
    ByteWriter writer(bytes);
    for (const auto& [text, number] : backwards) writer.u32(number);
    return bytes;
}

std::string ScalarIndexBuilder::grams(std::string_view terms) const {
    TermListsBuilder builder;
    const TermLists lists(terms, slots_);
    TermScan scan(lists, 0);
    while (scan.next()) {
        const std::string_view text = scan.term();
        for (std::size_t at = 0; at + gram_bytes <= text.size(); ++at) {
            builder.add(text.substr(at, gram_bytes), scan.place().term);
        }
    }
    return builder.finish(lists.size());
}

}  // namespace kith::inline v0::detail
