// src/scalar/column_scan.cpp — compares columns, block by block.
#include "kith/scalar/column_scan.hpp"

#include "kith/core/assert.hpp"
#include "kith/core/bytes.hpp"
#include "kith/core/count_bits.hpp"
#include "kith/core/error.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <iterator>
#include <optional>
#include <string_view>

namespace kith::inline v0::detail {

ColumnScan::ColumnScan(const StoredColumn& column, const ScalarQuestion& question)
    : column_(&column), question_(question) {
    if (question_.about_size()) return;
    if (question_.ask == Ask::all_of) {
        for (const std::string& term : question_.terms) each_.emplace_back(column, ScalarQuestion::equal(term));
    } else if (column_->form() == ColumnForm::codes) {
        prepare_codes();
    } else if (column_->form() != ColumnForm::texts) {
        intervals_ = NumberIntervals(column_->kind(), question_);
    }
}

std::uint64_t ColumnScan::code_bound(std::string_view text, bool above) const {
    std::uint64_t first = 0;
    for (std::uint64_t left = column_->distinct(); left > 0;) {
        const std::uint64_t half = left / 2;
        const std::string_view there = column_->text(first + half);
        if (there < text || (above && there == text)) {
            first += half + 1;
            left -= half + 1;
        } else {
            left = half;
        }
    }
    return first;
}

void ColumnScan::prepare_codes() {
    const std::uint64_t all = column_->distinct();
    const auto add = [&](std::uint64_t first, std::uint64_t end) {
        if (first < end) intervals_.add(first, end - 1);
    };
    if (question_.ask == Ask::any_of) {
        for (const std::string& term : question_.terms) add(code_bound(term, false), code_bound(term, true));
    } else if (question_.ask == Ask::range) {
        const auto& lower = question_.lower;
        const auto& upper = question_.upper;
        add(lower ? code_bound(lower->term, !lower->inclusive) : 0,
            upper ? code_bound(upper->term, upper->inclusive) : all);
    } else if (question_.ask == Ask::prefix) {
        const std::optional<std::string> after = after_prefix(question_.terms.front());
        add(code_bound(question_.terms.front(), false), after ? code_bound(*after, false) : all);
    } else {
        allowed_.resize(static_cast<std::size_t>(all) / 64 + 1);
        for (std::uint64_t code = 0; code < all; ++code) {
            const std::uint64_t bit = question_.accepts(column_->text(code)) ? 1 : 0;
            allowed_[static_cast<std::size_t>(code / 64)] |= bit << (code % 64);
        }
    }
}

void ColumnScan::evaluate(Slot block, BlockWords out) {
    const Slot first = block * column_block;
    const Slot count = std::min<Slot>(column_block, column_->slots() - first);
    if (!each_.empty()) {
        each_.front().evaluate(block, out);
        std::array<std::uint64_t, column_block_words> one{};
        for (std::size_t at = 1; at < each_.size(); ++at) {
            each_[at].evaluate(block, one);
            for (std::size_t word = 0; word < column_block_words; ++word) out[word] &= one[word];
        }
        return;
    }
    if (question_.about_size()) {
        evaluate_sizes(first, count, out);
    } else if (column_->list()) {
        evaluate_lists(first, count, out);
    } else {
        match(first, count, out);
        for (std::size_t word = 0; 64 * word < count; ++word) out[word] &= ~column_->null_word(first / 64 + word);
    }
}

void ColumnScan::evaluate_sizes(Slot first, Slot count, BlockWords out) {
    std::fill(out.begin(), out.end(), std::uint64_t{0});
    for (std::size_t word = 0; 64 * word < count; ++word) {
        const std::uint64_t nulls = column_->null_word(first / 64 + word);
        out[word] = (question_.ask == Ask::null ? nulls : ~nulls) & first_bits(word, count);
    }
    if (question_.ask != Ask::length || question_.fewest > question_.most) {
        if (question_.ask == Ask::length) std::fill(out.begin(), out.end(), std::uint64_t{0});
        return;
    }
    std::array<std::uint32_t, column_block> ends;
    column_->load_ends(first, std::span(ends).first(count));
    std::uint32_t begin = 0;
    if (first > 0) column_->load_ends(first - 1, std::span(&begin, 1));
    const std::uint32_t more = question_.most - question_.fewest;
    for (Slot at = 0; at < count; ++at) {
        matches_[at] = ends[at] - (at == 0 ? begin : ends[at - 1]) - question_.fewest <= more ? 1 : 0;
    }
    std::array<std::uint64_t, column_block_words> right;
    pack(matches_, count, right);
    for (std::size_t word = 0; word < column_block_words; ++word) out[word] &= right[word];
}

void ColumnScan::evaluate_lists(Slot first, Slot count, BlockWords out) {
    std::fill(out.begin(), out.end(), std::uint64_t{0});
    std::array<std::uint64_t, column_block_words> bits{};
    Slot at = 0;  // of the block, the slot whose values are at hand
    StoredColumn::Values values = column_->values_of(first);
    const std::uint64_t end = column_->values_of(first + count - 1).end;
    for (std::uint64_t piece = values.first; piece < end; piece += column_block) {
        match(piece, static_cast<std::size_t>(std::min<std::uint64_t>(column_block, end - piece)), bits);
        for (std::size_t word = 0; word < column_block_words; ++word) {
            for (std::uint64_t left = bits[word]; left != 0; left &= left - 1) {
                const std::uint64_t value = piece + 64 * word + static_cast<std::uint64_t>(std::countr_zero(left));
                while (values.end <= value) {
                    if (++at == count) raise(Errc::corrupt, "a file of columns is damaged: its lists do not ascend");
                    values = column_->values_of(first + at);
                }
                out[at / 64] |= std::uint64_t{1} << (at % 64);
            }
        }
    }
}

void ColumnScan::match(std::uint64_t first, std::size_t count, BlockWords out) {
    switch (column_->form()) {
        case ColumnForm::bits:
            return match_bits(first, count, out);
        case ColumnForm::numbers:
        case ColumnForm::codes:
            if (column_->width() == sizeof(std::uint64_t)) {
                match_numbers<std::uint64_t>(first, count);
            } else {
                match_numbers<std::uint32_t>(first, count);
            }
            break;
        case ColumnForm::texts:
            for (std::size_t at = 0; at < count; ++at) {
                matches_[at] = question_.accepts(column_->text(first + at)) ? 1 : 0;
            }
            break;
    }
    pack(matches_, count, out);
}

void ColumnScan::match_bits(std::uint64_t first, std::size_t count, BlockWords out) const {
    const bool no = intervals_.contains(0);
    const bool yes = intervals_.contains(1);
    const std::uint64_t shift = first % 64;  // of lists; 0 otherwise
    for (std::size_t word = 0; word < column_block_words; ++word) {
        out[word] = 0;
        if (64 * word >= count) continue;
        const std::uint64_t at = first / 64 + word;
        std::uint64_t bits = column_->bits(at) >> shift;
        if (shift != 0 && 64 * (at + 1) < column_->values()) bits |= column_->bits(at + 1) << (64 - shift);
        out[word] = ((no ? ~bits : 0) | (yes ? bits : 0)) & first_bits(word, count);
    }
}

template <class T>
void ColumnScan::match_numbers(std::uint64_t first, std::size_t count) {
    std::array<T, column_block> numbers;
    column_->load(first, std::span(numbers).first(count));
    if (!allowed_.empty()) {
        const std::uint64_t all = column_->distinct();
        for (std::size_t at = 0; at < count; ++at) {
            const std::uint64_t code = numbers[at];
            const std::uint64_t word = code < all ? allowed_[static_cast<std::size_t>(code / 64)] : 0;
            matches_[at] = static_cast<std::uint8_t>((word >> (code % 64)) & 1U);
        }
    } else {
        intervals_.match(std::span<const T>(numbers).first(count), matches_);
    }
}

void ColumnScan::answer(std::span<std::uint64_t> words) {
    KITH_ASSERT(words.size() == words_of(column_->slots()));
    std::array<std::uint64_t, column_block_words> bits{};
    for (Slot block = 0; block < blocks(); ++block) {
        evaluate(block, bits);
        const std::size_t first = std::size_t{block} * column_block_words;
        for (std::size_t word = 0; word < column_block_words && first + word < words.size(); ++word) {
            words[first + word] |= bits[word];
        }
    }
}

double ColumnScan::nanoseconds(const StoredColumn& column, double bits) noexcept {
    // On one core of 3 GHz (benchmarks/scalar).
    constexpr double any_pass = 1000, a_bit = 10, a_text = 40;
    const bool texts = column.form() == ColumnForm::texts;
    const double slots = column.slots();
    const double each = texts ? 12 : column.list() ? 3 : 0.05 + 0.06 * static_cast<double>(column.width());
    return any_pass + std::min(bits * (texts || column.list() ? a_text : a_bit), each * slots);
}

void ColumnScan::keep(bool wanted, std::span<std::uint64_t> words) {
    KITH_ASSERT(words.size() == words_of(column_->slots()));
    const bool slow = column_->form() == ColumnForm::texts || column_->list();  // to compare a block of them
    const std::size_t few = slow ? column_block / 2 : few_bits;
    std::array<std::uint64_t, column_block_words> bits{};
    for (Slot block = 0; block < blocks(); ++block) {
        const std::size_t first = std::size_t{block} * column_block_words;
        const std::span<std::uint64_t> kept = words.subspan(first, std::min(column_block_words, words.size() - first));
        const std::size_t left = count_bits(kept);
        if (left == 0) continue;
        if (left < few) {
            keep_bits(kept, block * column_block, [&](Slot slot) { return wanted ? satisfies(slot) : excludes(slot); });
            continue;
        }
        evaluate(block, bits);
        for (std::size_t word = 0; word < kept.size(); ++word) {
            kept[word] &= wanted ? bits[word] : ~(bits[word] | column_->null_word(first + word));
        }
    }
}

bool ColumnScan::satisfies(Slot slot) const {
    const bool null = column_->null(slot);
    if (null || question_.ask == Ask::null) return null && question_.ask == Ask::null;
    const StoredColumn::Values values = column_->values_of(slot);
    if (question_.ask == Ask::length) {
        const std::uint64_t size = values.end - values.first;
        return size >= question_.fewest && size <= question_.most;
    }
    if (!each_.empty()) {
        return std::all_of(each_.begin(), each_.end(), [&](const ColumnScan& one) { return one.satisfies(slot); });
    }
    if (question_.about_size()) return true;
    for (std::uint64_t value = values.first; value < values.end; ++value) {
        if (value_satisfies(value)) return true;
    }
    return false;
}

bool ColumnScan::excludes(Slot slot) const {
    return !column_->null(slot) && !satisfies(slot);
}

bool ColumnScan::value_satisfies(std::uint64_t value) const {
    if (column_->form() == ColumnForm::texts) return question_.accepts(column_->text(value));
    const std::uint64_t number = column_->number(value);
    if (allowed_.empty()) return intervals_.contains(number);
    return number < column_->distinct() &&
           ((allowed_[static_cast<std::size_t>(number / 64)] >> (number % 64)) & 1U) != 0;
}

}  // namespace kith::inline v0::detail
