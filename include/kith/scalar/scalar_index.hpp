// kith/scalar/scalar_index.hpp — which slots of a sealed segment satisfy a question about one field, without its rows.
//
//   index  := header; terms; nulls; lengths; reversed; grams                                               (on disk)
//   header := magic "kithscal"; u32 version (1); u8 kind of field; u8 flags: 1 list, 2 reversed, 4 grams; u16 0;
//             u32 slots; u32 slots with a value; u32 slots with a term; u32 the most distinct terms a slot has;
//             u64 bytes of each of the five parts; zeros up to byte 128
//   terms, lengths, grams := scalar/term_lists.hpp: term → slots; number of elements (u32, highest byte first) → slots;
//             three bytes of a text → numbers of the terms that hold them
//   nulls  := scalar/slot_list.hpp; nothing where no slot is null
//   reversed := for each term u32 its number, in the order of the terms read backwards
//
// A part that is not there has no bytes. Whoever wants texts by their end or by what is in them asks for the last two;
// without them such a question is answered by a pass over the terms.
//
// Thread safety: immutable; the bytes must outlive it.
#pragma once

#include "kith/core/slot.hpp"
#include "kith/scalar/question.hpp"
#include "kith/scalar/term_lists.hpp"
#include "kith/schema/field.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kith::inline v0::detail {

class ScalarIndex {
public:
    /// Throws: Errc::corrupt when it is not whole, or of another kind of field or number of slots than that;
    /// Errc::unsupported_version.
    ScalarIndex(std::string_view image, FieldKind kind, bool list, Slot slots);

    [[nodiscard]] Slot slots() const noexcept { return slots_; }

    /// Slots with a value; the others are null.
    [[nodiscard]] Slot present() const noexcept { return present_; }

    /// Whether it was made to find texts by their end, and by what is in them.
    [[nodiscard]] bool by_suffix() const noexcept { return by_suffix_; }
    [[nodiscard]] bool by_substring() const noexcept { return by_substring_; }

    /// The terms and their slots: counts by value, values in order. NaN is not among them.
    [[nodiscard]] const TermLists& terms() const noexcept { return terms_; }

    /// The least term, and the greatest; nothing where there is none. Throws: Errc::corrupt.
    [[nodiscard]] std::optional<std::string> least() const;
    [[nodiscard]] std::optional<std::string> greatest() const;

    /// Sets the bits of the slots that satisfy a question.
    /// Requires: terms are of the field's kind; prefix, suffix, substring and matching are asked of text, length of a list.
    /// Shape: `words` holds words_of(slots()) words.
    /// Throws: Errc::corrupt; some bits may then be set.
    /// Cost: as the answer. A range: at most 1/8 of its slots one by one, and ten compressed lists; of a scalar, the same
    /// of the slots outside where those are fewer.
    void answer(const ScalarQuestion& question, std::span<std::uint64_t> words) const;

    /// How many slots satisfy it. Of a scalar, exactly but for suffix and substring.
    /// Throws: Errc::corrupt. Cost: a few binary searches.
    [[nodiscard]] SlotEstimate estimate(const ScalarQuestion& question) const;

    /// About how long an answer takes, whose estimate is given: what a planner weighs. Throws: Errc::corrupt.
    [[nodiscard]] double nanoseconds(const ScalarQuestion& question, const SlotEstimate& estimate) const;

    /// Reads all of it: returns where everything is as it must be. Throws: Errc::corrupt, with what is wrong.
    /// Cost: a few passes over terms, lists and unions; four bytes of memory a slot.
    void check() const;

private:
    using Range = std::pair<TermPlace, TermPlace>;

    [[nodiscard]] Range range_of(const ScalarQuestion& question) const;
    [[nodiscard]] static Range range_of(const TermLists& lists, const std::optional<TermBound>& lower,
                                        const std::optional<TermBound>& upper);
    [[nodiscard]] Range lengths_of(const ScalarQuestion& question) const;
    [[nodiscard]] Slot reversed_at(std::uint32_t at) const;

    /// The part of the reversed order that holds the terms with an end.
    [[nodiscard]] std::pair<std::uint32_t, std::uint32_t> with_suffix(std::string_view suffix) const;

    // Terms by their numbers, as bits: all that have a suffix, and all that may hold a text of three bytes or more.
    [[nodiscard]] std::vector<std::uint64_t> terms_with_suffix(std::string_view suffix) const;
    [[nodiscard]] std::vector<std::uint64_t> terms_with_grams(std::string_view text) const;

    /// Calls `take` with each term that satisfies a question for a suffix, a substring or a pattern, in order.
    void for_each_match(const ScalarQuestion& question, const std::function<void(const TermScan&)>& take) const;

    void add_matches(const ScalarQuestion& question, std::span<std::uint64_t> words) const;
    void check_counts() const;
    void check_reversed() const;
    void check_grams() const;
    void add_all_of(const ScalarQuestion& question, std::span<std::uint64_t> words) const;
    void add_present(std::span<std::uint64_t> words) const;

    /// Whether it is quicker to tell which slots have no term of a range; each has one, or is null.
    [[nodiscard]] bool is_most(const Range& range) const noexcept;

    /// Sets the bits of all slots with a value but those with a term outside of a range.
    void add_all_but(const Range& range, std::span<std::uint64_t> words) const;

    [[nodiscard]] SlotEstimate estimate_terms(const ScalarQuestion& question) const;
    [[nodiscard]] SlotEstimate estimate_matches(const ScalarQuestion& question) const;
    [[nodiscard]] SlotEstimate estimate_postings(std::uint64_t postings) const noexcept;

    FieldKind kind_ = FieldKind::boolean;
    bool list_ = false;
    bool by_suffix_ = false;     // reversed_ names every term
    bool by_substring_ = false;  // grams_ is of every term
    Slot slots_ = 0;
    Slot present_ = 0;
    Slot with_term_ = 0;            // slots with a term; present_ less those of empty lists and NaN
    std::uint32_t most_terms_ = 0;  // the most distinct terms of a slot
    TermLists terms_;
    TermLists lengths_;
    TermLists grams_;
    std::string_view nulls_;
    std::string_view reversed_;
};

}  // namespace kith::inline v0::detail
