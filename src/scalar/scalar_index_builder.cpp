// src/scalar/scalar_index_builder.cpp — writes the index of one field.
#include "kith/scalar/scalar_index_builder.hpp"

#include "kith/core/assert.hpp"
#include "kith/core/bytes.hpp"
#include "kith/scalar/slot_list.hpp"
#include "scalar/scalar_index_layout.hpp"
#include "scalar/term_lists_writer.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace kith::inline v0::detail {

namespace {

constexpr unsigned byte_values = 256;

/// The numbers of the terms, in the order of the terms read backwards.
std::string reversed_order(const std::vector<std::string_view>& terms) {
    std::vector<std::uint32_t> order(terms.size());
    std::iota(order.begin(), order.end(), 0U);
    const auto below = [](char a, char b) { return static_cast<unsigned char>(a) < static_cast<unsigned char>(b); };
    std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
        return std::lexicographical_compare(terms[a].rbegin(), terms[a].rend(), terms[b].rbegin(), terms[b].rend(),
                                            below);
    });
    std::string bytes;
    ByteWriter writer(bytes);
    for (const std::uint32_t number : order) writer.u32(number);
    return bytes;
}

/// The different grams of a text as numbers, in order, which begin with a byte from `first` to before `end`.
void take_grams(std::string_view text, unsigned first, unsigned end, std::vector<std::uint32_t>& out) {
    out.clear();
    for (std::size_t at = 0; at + gram_bytes <= text.size(); ++at) {
        const auto byte = [&](std::size_t place) { return unsigned{static_cast<unsigned char>(text[at + place])}; };
        if (byte(0) >= first && byte(0) < end) out.push_back((byte(0) << 16) | (byte(1) << 8) | byte(2));
    }
    std::sort(out.begin(), out.end());
    out.erase(std::unique(out.begin(), out.end()), out.end());
}

/// Which of the terms hold a gram. Made for some first bytes at a time, for a text has as many grams as bytes.
TermListsImage grams_of(const std::vector<std::string_view>& terms) {
    constexpr std::uint64_t at_once = std::uint64_t{1} << 22;  // grams, of 8 bytes
    std::vector<std::uint32_t> grams;
    std::array<std::uint64_t, byte_values> beginning{};  // how many begin with a byte
    std::uint64_t all = 0;
    for (const std::string_view text : terms) {
        take_grams(text, 0, byte_values, grams);
        for (const std::uint32_t gram : grams) ++beginning[gram >> 16];
        all += grams.size();
    }
    TermListsWriter writer(static_cast<Slot>(terms.size()), all);
    std::array<std::array<char, gram_bytes>, 2> names{};  // of the present gram, and of the one before
    std::size_t present = 0;
    std::vector<Slot> slots;
    for (unsigned first = 0, end = 0; first < byte_values; first = end) {
        std::uint64_t wanted = beginning[end++];
        while (end < byte_values && wanted + beginning[end] <= at_once) wanted += beginning[end++];
        std::vector<std::uint64_t> found;  // gram, then number of the term
        found.reserve(static_cast<std::size_t>(wanted));
        for (std::size_t number = 0; number < terms.size() && wanted > 0; ++number) {
            take_grams(terms[number], first, end, grams);
            for (const std::uint32_t gram : grams) found.push_back((std::uint64_t{gram} << 32) | number);
        }
        std::sort(found.begin(), found.end());
        for (std::size_t at = 0; at < found.size();) {
            const std::uint64_t gram = found[at] >> 32;
            slots.clear();
            for (; at < found.size() && found[at] >> 32 == gram; ++at) slots.push_back(static_cast<Slot>(found[at]));
            present = 1 - present;
            names[present] = {static_cast<char>(gram >> 16), static_cast<char>(gram >> 8), static_cast<char>(gram)};
            writer.add({names[present].data(), gram_bytes}, slots);
        }
    }
    return writer.finish();
}

}  // namespace

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

void ScalarIndexBuilder::finish(const ByteSink& sink) {
    const TermListsImage terms = terms_.finish(slots_);
    std::string nulls;
    if (!nulls_.empty()) append_slot_list(std::span<const Slot>(nulls_), nulls);
    const TermListsImage lengths = list_ ? lengths_.finish(slots_) : TermListsImage();
    lengths_ = {};
    std::vector<std::string_view> texts;
    if (params_.suffixes || params_.substrings) {
        texts = terms_.take_terms();
    } else {
        terms_ = {};
    }
    const std::string reversed = params_.suffixes ? reversed_order(texts) : std::string();
    const TermListsImage grams = params_.substrings ? grams_of(texts) : TermListsImage();

    std::string header(scalar_index_magic);
    ByteWriter writer(header);
    writer.u32(scalar_index_version);
    writer.u8(static_cast<std::uint8_t>(kind_));
    writer.u8(static_cast<std::uint8_t>((list_ ? list_flag : 0) | (params_.suffixes ? reversed_flag : 0) |
                                        (params_.substrings ? grams_flag : 0)));
    writer.u16(0);
    writer.u32(slots_);
    writer.u32(slots_ - static_cast<Slot>(nulls_.size()));
    writer.u32(with_term_);
    writer.u32(most_terms_);
    for (const std::uint64_t bytes :
         {terms.bytes(), std::uint64_t{nulls.size()}, lengths.bytes(), std::uint64_t{reversed.size()}, grams.bytes()}) {
        writer.u64(bytes);
    }
    header.resize(scalar_index_header_bytes, '\0');
    sink(header.data(), header.size());
    terms.write(sink);
    sink(nulls.data(), nulls.size());
    lengths.write(sink);
    sink(reversed.data(), reversed.size());
    grams.write(sink);
}

}  // namespace kith::inline v0::detail
