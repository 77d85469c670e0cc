// src/scalar/scalar_index.cpp — answers questions from a mapped index.
#include "kith/scalar/scalar_index.hpp"

#include "kith/core/assert.hpp"
#include "kith/core/bytes.hpp"
#include "kith/core/error.hpp"
#include "kith/scalar/slot_list.hpp"
#include "scalar/scalar_index_layout.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <vector>

namespace kith::inline v0::detail {

namespace {

[[noreturn]] void raise_damaged(const std::string& what) {
    raise(Errc::corrupt, "a scalar index is damaged: " + what);
}

/// Compares texts read backwards.
bool less_reversed(std::string_view a, std::string_view b) noexcept {
    return std::lexicographical_compare(a.rbegin(), a.rend(), b.rbegin(), b.rend(), [](char left, char right) {
        return static_cast<unsigned char>(left) < static_cast<unsigned char>(right);
    });
}

}  // namespace

ScalarIndex::ScalarIndex(std::string_view image, FieldKind kind, bool list, Slot slots) : kind_(kind), list_(list) {
    ByteReader reader(image);
    std::string_view magic;
    std::string_view zeros;
    std::uint32_t version = 0;
    std::uint8_t stored_kind = 0;
    std::uint8_t flags = 0;
    std::uint16_t reserved = 0;
    std::array<std::uint64_t, 5> sizes{};
    if (!reader.bytes(scalar_index_magic.size(), magic) || magic != scalar_index_magic) {
        raise_damaged("it does not begin with " + std::string(scalar_index_magic));
    }
    if (reader.u32(version) && version != scalar_index_version) {
        raise(Errc::unsupported_version, "a scalar index has version " + std::to_string(version) +
                                             "; this build reads " + std::to_string(scalar_index_version));
    }
    bool whole = reader.u8(stored_kind) && reader.u8(flags) && reader.u16(reserved) && reader.u32(slots_) &&
                 reader.u32(present_) && reader.u32(with_term_) && reader.u32(most_terms_);
    for (std::uint64_t& size : sizes) whole = whole && reader.u64(size);
    if (!whole || !reader.bytes(scalar_index_header_bytes - reader.offset(), zeros)) {
        raise_damaged("it ends within its header");
    }
    if (stored_kind != static_cast<std::uint8_t>(kind) || ((flags & list_flag) != 0) != list) {
        raise_damaged("it is of another kind of field");
    }
    if (slots_ != slots) {
        raise_damaged("it is for " + std::to_string(slots_) + " slots, not " + std::to_string(slots));
    }
    if (present_ > slots_ || with_term_ > present_) raise_damaged("it counts more slots than there are");
    std::array<std::string_view, 5> parts;
    for (std::size_t at = 0; at < parts.size(); ++at) {
        if (sizes[at] > reader.remaining() || !reader.bytes(static_cast<std::size_t>(sizes[at]), parts[at])) {
            raise_damaged("it ends at byte " + std::to_string(image.size()) + ", before its parts do");
        }
    }
    if (reader.remaining() != 0) raise_damaged("bytes stand behind its last part");
    terms_ = TermLists(parts[0], slots_);
    nulls_ = parts[1];
    if (list_) lengths_ = TermLists(parts[2], slots_);
    reversed_ = parts[3];
    by_suffix_ = (flags & reversed_flag) != 0;
    by_substring_ = (flags & grams_flag) != 0;
    if (by_substring_) grams_ = TermLists(parts[4], terms_.size());
    const std::size_t reversed_bytes = by_suffix_ ? sizeof(Slot) * std::size_t{terms_.size()} : 0;
    if (reversed_.size() != reversed_bytes) raise_damaged("its reversed terms are not as many as its terms");
}

std::optional<std::string> ScalarIndex::least() const {
    if (terms_.size() == 0) return std::nullopt;
    return terms_.numbered(0).term();
}

std::optional<std::string> ScalarIndex::greatest() const {
    if (terms_.size() == 0) return std::nullopt;
    return terms_.numbered(terms_.size() - 1).term();
}

ScalarIndex::Range ScalarIndex::range_of(const TermLists& lists, const std::optional<TermBound>& lower,
                                         const std::optional<TermBound>& upper) {
    const TermPlace first = !lower             ? lists.begin()
                            : lower->inclusive ? lists.lower_bound(lower->term)
                                               : lists.upper_bound(lower->term);
    const TermPlace last = !upper             ? lists.end()
                           : upper->inclusive ? lists.upper_bound(upper->term)
                                              : lists.lower_bound(upper->term);
    return {first, last};
}

ScalarIndex::Range ScalarIndex::range_of(const ScalarQuestion& question) const {
    if (question.ask == Ask::range) return range_of(terms_, question.lower, question.upper);
    std::optional<TermBound> upper;
    if (const auto after = after_prefix(question.terms.front())) upper = TermBound{*after, false};
    return range_of(terms_, TermBound{question.terms.front(), true}, upper);
}

ScalarIndex::Range ScalarIndex::lengths_of(const ScalarQuestion& question) const {
    KITH_ASSERT(list_);
    return range_of(lengths_, TermBound{length_term(question.fewest), true},
                    TermBound{length_term(question.most), true});
}

void ScalarIndex::answer(const ScalarQuestion& question, std::span<std::uint64_t> words) const {
    KITH_ASSERT(words.size() == words_of(slots_));
    switch (question.ask) {
        case Ask::any_of:
            for (const std::string& term : question.terms) {
                if (const auto found = terms_.find(term)) terms_.add(*found, words);
            }
            return;
        case Ask::all_of:
            return add_all_of(question, words);
        case Ask::range:
        case Ask::prefix: {
            const Range range = range_of(question);
            if (is_most(range)) return add_all_but(range, words);
            return terms_.add_range(range.first, range.second, words);
        }
        case Ask::suffix:
        case Ask::substring:
        case Ask::matching:
            return add_matches(question, words);
        case Ask::null:
            if (!nulls_.empty()) add_slot_list(nulls_, slots_, words);
            return;
        case Ask::present:
            return add_present(words);
        case Ask::length: {
            const auto [first, last] = lengths_of(question);
            return lengths_.add_range(first, last, words);
        }
    }
}

void ScalarIndex::add_matches(const ScalarQuestion& question, std::span<std::uint64_t> words) const {
    // Neighbours go together, for a run of terms costs less than its terms.
    Range run;
    for_each_match(question, [&](const TermScan& scan) {
        if (scan.place().term != run.second.term) {
            terms_.add_range(run.first, run.second, words);
            run.first = scan.place();
        }
        run.second = scan.after();
    });
    terms_.add_range(run.first, run.second, words);
}

void ScalarIndex::add_present(std::span<std::uint64_t> words) const {
    if (!words.empty()) add_all_but({terms_.begin(), terms_.end()}, words);
}

bool ScalarIndex::is_most(const Range& range) const noexcept {
    const std::uint64_t postings =
        range.second.postings > range.first.postings ? range.second.postings - range.first.postings : 0;
    return !list_ && with_term_ == present_ && postings > with_term_ / 2;
}

void ScalarIndex::add_all_but(const Range& range, std::span<std::uint64_t> words) const {
    std::vector<std::uint64_t> others(words.size());
    terms_.add_range(terms_.begin(), range.first, others);
    terms_.add_range(range.second, terms_.end(), others);
    if (!nulls_.empty()) add_slot_list(nulls_, slots_, others);
    if (slots_ % 64 != 0) others.back() |= ~std::uint64_t{0} << (slots_ % 64);
    for (std::size_t at = 0; at < words.size(); ++at) words[at] |= ~others[at];
}

void ScalarIndex::add_all_of(const ScalarQuestion& question, std::span<std::uint64_t> words) const {
    if (question.terms.empty()) return add_present(words);
    std::vector<std::uint64_t> all(words.size());
    std::vector<std::uint64_t> one(words.size());
    for (std::size_t at = 0; at < question.terms.size(); ++at) {
        const auto found = terms_.find(question.terms[at]);
        if (!found) return;
        if (at == 0) {
            terms_.add(*found, all);
            continue;
        }
        std::fill(one.begin(), one.end(), std::uint64_t{0});
        terms_.add(*found, one);
        for (std::size_t word = 0; word < all.size(); ++word) all[word] &= one[word];
    }
    for (std::size_t word = 0; word < all.size(); ++word) words[word] |= all[word];
}

Slot ScalarIndex::reversed_at(std::uint32_t at) const {
    Slot term = 0;
    if (!ByteReader(reversed_.substr(sizeof(term) * std::size_t{at})).u32(term) || term >= terms_.size()) {
        raise_damaged("its reversed terms name one that does not exist");
    }
    return term;
}

std::pair<std::uint32_t, std::uint32_t> ScalarIndex::with_suffix(std::string_view suffix) const {
    const auto bound = [&](bool above) {
        std::uint32_t first = 0;
        for (std::uint32_t left = terms_.size(); left > 0;) {
            const std::uint32_t half = left / 2;
            const TermScan scan = terms_.numbered(reversed_at(first + half));
            const std::string& term = scan.term();
            if (less_reversed(term, suffix) || (above && term.ends_with(suffix))) {
                first += half + 1;
                left -= half + 1;
            } else {
                left = half;
            }
        }
        return first;
    };
    const std::uint32_t first = bound(false);
    return {first, std::max(first, bound(true))};
}

std::vector<std::uint64_t> ScalarIndex::terms_with_suffix(std::string_view suffix) const {
    std::vector<std::uint64_t> terms(words_of(terms_.size()));
    const auto [first, last] = with_suffix(suffix);
    for (std::uint32_t at = first; at < last; ++at) {
        const std::uint32_t number = reversed_at(at);
        terms[number / 64] |= std::uint64_t{1} << (number % 64);
    }
    return terms;
}

std::vector<std::uint64_t> ScalarIndex::terms_with_grams(std::string_view text) const {
    std::vector<std::uint64_t> candidates(words_of(terms_.size()));
    std::vector<std::string_view> wanted;
    for (std::size_t at = 0; at + gram_bytes <= text.size(); ++at) wanted.push_back(text.substr(at, gram_bytes));
    std::sort(wanted.begin(), wanted.end());
    wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
    std::vector<TermScan> found;
    for (const std::string_view gram : wanted) {
        auto one = grams_.find(gram);
        if (!one) return candidates;
        found.push_back(std::move(*one));
    }
    // The rarest first: a few of them leave hardly more candidates than all of them would.
    constexpr std::size_t most_lists = 4;
    std::sort(found.begin(), found.end(), [](const TermScan& a, const TermScan& b) {
        return a.slots() != b.slots() ? a.slots() < b.slots() : a.term() < b.term();
    });
    if (found.size() > most_lists) found.erase(found.begin() + most_lists, found.end());
    std::vector<std::uint64_t> one(candidates.size());
    grams_.add(found.front(), candidates);
    for (std::size_t at = 1; at < found.size(); ++at) {
        std::fill(one.begin(), one.end(), std::uint64_t{0});
        grams_.add(found[at], one);
        for (std::size_t word = 0; word < one.size(); ++word) candidates[word] &= one[word];
    }
    return candidates;
}

void ScalarIndex::for_each_match(const ScalarQuestion& question,
                                 const std::function<void(const TermScan&)>& take) const {
    const std::string& text = question.terms.front();
    const bool by_suffix = question.ask == Ask::suffix && !reversed_.empty();
    const bool by_grams = question.ask == Ask::substring && grams_.size() > 0 && text.size() >= gram_bytes;
    if (!by_suffix && !by_grams) {
        const auto [first, last] =
            question.ask == Ask::matching ? range_of(question) : Range(terms_.begin(), terms_.end());
        TermScan scan(terms_, first.block);
        while (scan.next() && scan.place().term < last.term) {
            if (scan.place().term >= first.term && question.accepts(scan.term())) take(scan);
        }
        return;
    }
    TermScan scan(terms_, 0);
    const std::vector<std::uint64_t> candidates = by_suffix ? terms_with_suffix(text) : terms_with_grams(text);
    for_each_bit(candidates, [&](std::uint32_t number) {
        scan.seek(number);
        if (question.accepts(scan.term())) take(scan);
    });
}

}  // namespace kith::inline v0::detail
