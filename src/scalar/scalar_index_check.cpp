// src/scalar/scalar_index_check.cpp — reads an index whole, and says what of it is not as its writer leaves it.
#include "kith/core/bytes.hpp"
#include "kith/core/count_bits.hpp"
#include "kith/core/error.hpp"
#include "kith/scalar/scalar_index.hpp"
#include "kith/scalar/slot_list.hpp"
#include "kith/scalar/term.hpp"
#include "kith/scalar/term_lists.hpp"
#include "scalar/scalar_index_layout.hpp"
#include "scalar/term_lists_layout.hpp"

#include <algorithm>
#include <string>
#include <vector>

namespace kith::inline v0::detail {

namespace {

[[noreturn]] void raise_wrong(const std::string& what) {
    raise(Errc::corrupt, "a scalar index is damaged: " + what);
}

/// Calls `take` with each term and its slots.
template <class Take>
void for_each_list(const TermLists& lists, Take&& take) {
    TermScan scan(lists, 0);
    while (scan.next()) take(scan, lists.slots(scan));
}

std::vector<std::string_view> distinct_grams(std::string_view text) {
    std::vector<std::string_view> grams;
    for (std::size_t at = 0; at + gram_bytes <= text.size(); ++at) grams.push_back(text.substr(at, gram_bytes));
    std::sort(grams.begin(), grams.end());
    grams.erase(std::unique(grams.begin(), grams.end()), grams.end());
    return grams;
}

}  // namespace

void TermLists::check() const {
    std::string before;
    TermPlace last;
    for_each_list(*this, [&](const TermScan& scan, const std::vector<Slot>&) {
        if (scan.place().term > 0 && scan.term() <= before) {
            raise_damaged("term " + std::to_string(scan.place().term) + " is not above the one before");
        }
        before = scan.term();
        last = scan.after();
    });
    if (last.shorts != shorts_.size() / sizeof(Slot) || last.longs != longs_.size() / long_entry_bytes) {
        raise_damaged("it has lists of no term");
    }
    std::vector<std::uint64_t> plain(words_of(universe_));
    std::vector<std::uint64_t> stored(plain.size());
    for (std::uint32_t number = 0; number < union_count_; ++number) {
        const Union one = union_at(number);
        const auto wrong = [&](const char* what) { raise_damaged("union " + std::to_string(number) + what); };
        if (one.first >= one.end || one.end > blocks_) wrong(" is of no block");
        if (number > 0 && union_at(number - 1).first > one.first) wrong(" is not in order");
        std::fill(plain.begin(), plain.end(), std::uint64_t{0});
        std::fill(stored.begin(), stored.end(), std::uint64_t{0});
        add_lists(start(one.first), start(one.end), plain);
        add_list(one.offset, one.bytes, stored);
        if (plain != stored || count_bits(stored) != one.slots) wrong(" is not that of its lists");
    }
}

void ScalarIndex::check() const {
    terms_.check();
    lengths_.check();
    grams_.check();
    check_counts();
    if (!reversed_.empty()) check_reversed();
    check_grams();
}

void ScalarIndex::check_counts() const {
    std::vector<std::uint64_t> nulls(words_of(slots_));
    if (!nulls_.empty()) add_slot_list(nulls_, slots_, nulls);
    if (count_bits(nulls) != slots_ - present_) raise_wrong("its list of nulls has other slots than it counts");
    const auto null = [&](Slot slot) { return ((nulls[slot / 64] >> (slot % 64)) & 1U) != 0; };

    std::vector<std::uint32_t> terms_of(slots_);
    for_each_list(terms_, [&](const TermScan& scan, const std::vector<Slot>& slots) {
        const bool right_size = kind_ == FieldKind::text || scan.term().size() == scalar_bytes(kind_);
        if (!right_size || is_nan_term(kind_, scan.term())) raise_wrong("a term is not of its kind of field");
        for (const Slot slot : slots) {
            if (null(slot)) raise_wrong("slot " + std::to_string(slot) + " is null and has a term");
            ++terms_of[slot];
        }
    });
    const auto with_term = slots_ - std::count(terms_of.begin(), terms_of.end(), 0U);
    const std::uint32_t most = slots_ == 0 ? 0 : *std::max_element(terms_of.begin(), terms_of.end());
    if (with_term != with_term_ || most != most_terms_) raise_wrong("its terms are of other slots than it counts");
    if (!list_ && most > 1) raise_wrong("a slot has several terms, and its field is no list");
    if (!list_) return;

    std::vector<std::uint64_t> seen = nulls;
    std::size_t lengths = 0;
    for_each_list(lengths_, [&](const TermScan& scan, const std::vector<Slot>& slots) {
        if (scan.term().size() != sizeof(std::uint32_t)) raise_wrong("a number of elements is not of four bytes");
        for (const Slot slot : slots) {
            seen[slot / 64] |= std::uint64_t{1} << (slot % 64);
            if (terms_of[slot] > number_of_term(scan.term())) {
                raise_wrong("slot " + std::to_string(slot) + " has more terms than elements");
            }
        }
        lengths += slots.size();
    });
    if (count_bits(seen) != slots_ || lengths != present_) raise_wrong("its numbers of elements are not one a slot");
}

void ScalarIndex::check_reversed() const {
    std::vector<bool> seen(terms_.size());
    std::string before;
    for (std::uint32_t at = 0; at < terms_.size(); ++at) {
        const std::uint32_t number = reversed_at(at);
        const TermScan scan = terms_.numbered(number);
        std::string reversed(scan.term().rbegin(), scan.term().rend());
        if (seen[number] || (at > 0 && reversed <= before)) {
            raise_wrong("its reversed terms are not in order at " + std::to_string(at));
        }
        seen[number] = true;
        before = std::move(reversed);
    }
}

void ScalarIndex::check_grams() const {
    if (grams_.size() == 0) return;
    std::uint64_t expected = 0;
    TermScan scan(terms_, 0);
    while (scan.next()) expected += distinct_grams(scan.term()).size();
    if (expected != grams_.postings()) raise_wrong("its texts have other parts than it counts");
    for_each_list(grams_, [&](const TermScan& gram, const std::vector<Slot>& terms) {
        TermScan text(terms_, 0);
        for (const std::uint32_t number : terms) {
            text.seek(number);
            if (gram.term().size() != gram_bytes || text.term().find(gram.term()) == std::string::npos) {
                raise_wrong("a part of texts is not in term " + std::to_string(number));
            }
        }
    });
}

}  // namespace kith::inline v0::detail
