// src/scalar/scalar_index_estimate.cpp — how many slots a question will find, from counts that the index keeps.
#include "kith/core/assert.hpp"
#include "kith/scalar/scalar_index.hpp"
#include "scalar/scalar_index_layout.hpp"

#include <algorithm>
#include <cmath>

namespace kith::inline v0::detail {

namespace {

constexpr std::uint32_t most_counted = 64;    // terms that are looked up one by one
constexpr std::uint32_t sampled_blocks = 64;  // of terms, where nothing but looking at them helps

std::uint64_t between(const TermPlace& first, const TermPlace& last) noexcept {
    return last.postings > first.postings ? last.postings - first.postings : 0;
}

// What an answer takes on one core of 3 GHz, in nanoseconds (benchmarks/scalar).
constexpr double any_answer = 1000;
constexpr double found_term = 400;   // that is searched for
constexpr double passed_term = 20;   // that is looked at on the way
constexpr double listed_slot = 0.8;  // of a list
constexpr double united_slot = 0.2;  // of the segment, where unions are at hand

}  // namespace

double ScalarIndex::nanoseconds(const ScalarQuestion& question, const SlotEstimate& estimate) const {
    const bool ranges = question.ask == Ask::range || question.ask == Ask::prefix;
    const double others = ranges && !list_ && with_term_ == present_ ? with_term_ - estimate.expected : slots_;
    const double slots = std::min(listed_slot * std::min(estimate.expected, others), united_slot * slots_);
    const double all = terms_.size();
    const auto passed = [&](bool few) {
        return few ? estimate.expected * all / std::max(static_cast<double>(terms_.postings()), 1.0) : all;
    };
    switch (question.ask) {
        case Ask::any_of:
        case Ask::all_of:
            return any_answer + slots + found_term * static_cast<double>(question.terms.size());
        case Ask::suffix:
            return any_answer + slots + passed_term * passed(!reversed_.empty());
        case Ask::substring:
            return any_answer + slots +
                   passed_term * passed(grams_.size() > 0 && question.terms[0].size() >= gram_bytes);
        case Ask::matching: {
            const auto [first, last] = range_of(question);
            return any_answer + slots + passed_term * (last.term > first.term ? last.term - first.term : 0);
        }
        case Ask::range:
        case Ask::prefix:
        case Ask::null:
        case Ask::present:
        case Ask::length:
            break;
    }
    return any_answer + slots;
}

SlotEstimate ScalarIndex::estimate(const ScalarQuestion& question) const {
    switch (question.ask) {
        case Ask::any_of:
        case Ask::all_of:
            return estimate_terms(question);
        case Ask::range:
        case Ask::prefix: {
            const auto [first, last] = range_of(question);
            return estimate_postings(between(first, last));
        }
        case Ask::suffix:
        case Ask::substring:
        case Ask::matching:
            return estimate_matches(question);
        case Ask::null:
            return SlotEstimate::exactly(slots_ - present_);
        case Ask::present:
            return SlotEstimate::exactly(present_);
        case Ask::length: {
            const auto [first, last] = lengths_of(question);
            return SlotEstimate::exactly(std::min<std::uint64_t>(between(first, last), slots_));
        }
    }
    KITH_ASSERT(false);
    return {};
}

SlotEstimate ScalarIndex::estimate_postings(std::uint64_t postings) const noexcept {
    const std::uint64_t most = std::min<std::uint64_t>(postings, with_term_);
    if (!list_ || postings == 0) return SlotEstimate::exactly(most);
    // As if each posting chose its slot by lot.
    const double slots = with_term_;
    const double expected = slots * -std::expm1(-static_cast<double>(postings) / std::max(slots, 1.0));
    const std::uint64_t each = std::max<std::uint32_t>(most_terms_, 1);
    return SlotEstimate::between(std::min(most, (postings + each - 1) / each), expected, most);
}

SlotEstimate ScalarIndex::estimate_terms(const ScalarQuestion& question) const {
    if (question.ask == Ask::all_of && question.terms.empty()) return SlotEstimate::exactly(present_);
    const double slots = std::max<double>(with_term_, 1);
    std::uint64_t sum = 0;
    std::uint64_t fewest = with_term_;
    std::uint64_t most = 0;
    double without_any = 1;  // the part of the slots that has none of the terms, were they independent
    double with_all = 1;
    for (const std::string& term : question.terms) {
        const auto found = terms_.find(term);
        const std::uint64_t count = found ? found->slots() : 0;
        sum += count;
        fewest = std::min(fewest, count);
        most = std::max(most, count);
        without_any *= 1 - static_cast<double>(count) / slots;
        with_all *= static_cast<double>(count) / slots;
    }
    const std::uint64_t terms = question.terms.size();
    if (question.ask == Ask::all_of) {
        if (terms == 1) return SlotEstimate::exactly(fewest);
        const std::uint64_t left_out = (terms - 1) * with_term_;
        return SlotEstimate::between(sum > left_out ? std::min(sum - left_out, fewest) : 0, slots * with_all, fewest);
    }
    const std::uint64_t together = std::min<std::uint64_t>(sum, with_term_);
    if (!list_ || terms <= 1) return SlotEstimate::exactly(together);
    return SlotEstimate::between(most, slots * (1 - without_any), together);
}

SlotEstimate ScalarIndex::estimate_matches(const ScalarQuestion& question) const {
    const std::string& text = question.terms.front();
    const std::uint32_t all = terms_.size();
    if (all == 0) return {};
    const double each = static_cast<double>(terms_.postings()) / all;
    const auto of_terms = [&](std::uint64_t fewest, double expected, std::uint64_t most) {
        // A term has a slot at least, and of a scalar no other term has it.
        const std::uint64_t slots =
            list_ ? (fewest + most_terms_ - 1) / std::max<std::uint32_t>(most_terms_, 1) : fewest;
        const std::uint64_t others = all - std::min<std::uint64_t>(most, all);
        const std::uint64_t room = list_ || others > with_term_ ? with_term_ : with_term_ - others;
        return SlotEstimate::between(std::min<std::uint64_t>(slots, with_term_), expected * each, most == 0 ? 0 : room);
    };
    const auto counted = [&] {
        std::uint64_t postings = 0;
        for_each_match(question, [&](const TermScan& term) { postings += term.slots(); });
        return estimate_postings(postings);
    };
    if (question.ask == Ask::suffix && !reversed_.empty()) {
        const auto [first, last] = with_suffix(text);
        const std::uint32_t matches = last - first;
        return matches <= most_counted ? counted() : of_terms(matches, matches, matches);
    }
    if (question.ask == Ask::substring && grams_.size() > 0 && text.size() >= gram_bytes) {
        std::uint32_t candidates = all;
        for (std::size_t at = 0; at + gram_bytes <= text.size(); ++at) {
            const auto found = grams_.find(std::string_view(text).substr(at, gram_bytes));
            candidates = std::min(candidates, found ? found->slots() : 0);
        }
        return candidates <= most_counted ? counted() : of_terms(0, candidates, candidates);
    }
    const auto [first, last] = question.ask == Ask::matching ? range_of(question) : Range(terms_.begin(), terms_.end());
    const std::uint32_t reached = last.term > first.term ? last.term - first.term : 0;
    const std::uint32_t step = reached == 0 ? 0 : (last.block - first.block) / sampled_blocks;
    if (step <= 1) return counted();
    std::uint32_t seen = 0;
    std::uint32_t matching = 0;
    for (std::uint32_t block = first.block + 1; block < last.block; block += step) {
        TermScan scan(terms_, block);
        while (scan.next() && scan.place().block == block) {
            ++seen;
            if (question.accepts(scan.term())) ++matching;
        }
    }
    return of_terms(matching, static_cast<double>(matching) / std::max<std::uint32_t>(seen, 1) * reached,
                    reached - (seen - matching));
}

}  // namespace kith::inline v0::detail
