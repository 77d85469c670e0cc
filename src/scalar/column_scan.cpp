// src/scalar/column_scan.cpp — compares columns, block by block.
#include "kith/scalar/column_scan.hpp"

#include "kith/core/assert.hpp"
#include "kith/core/bytes.hpp"
#include "kith/core/error.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <iterator>
#include <optional>
#include <string_view>

namespace kith::inline v0::detail {

namespace {

constexpr std::size_t most_passes = 8;  // intervals that are compared one after the other; more are searched

/// Eight bytes of 0 or 1 as eight bits, the first the lowest: each byte is moved to its bit of the highest byte.
std::uint64_t packed_eight(const std::uint8_t* matches) noexcept {
    std::uint64_t bytes = 0;
    std::memcpy(&bytes, matches, sizeof(bytes));
    return (little_endian(bytes) * 0x0102040810204080U) >> 56;
}

void pack(const std::array<std::uint8_t, column_block>& matches, ColumnScan::Block out) noexcept {
    for (std::size_t word = 0; word < column_block_words; ++word) {
        std::uint64_t bits = 0;
        for (std::size_t eight = 0; eight < 8; ++eight)
            bits |= packed_eight(&matches[64 * word + 8 * eight]) << (8 * eight);
        out[word] = bits;
    }
}

/// The bits of the first `count` slots of a block.
std::uint64_t there(std::size_t word, std::size_t count) noexcept {
    const std::size_t before = 64 * word;
    if (count >= before + 64) return ~std::uint64_t{0};
    return count <= before ? 0 : (std::uint64_t{1} << (count - before)) - 1;
}

}  // namespace

ColumnScan::ColumnScan(const Column& column, const ScalarQuestion& question) : column_(&column), question_(question) {
    if (question_.ask == Ask::null || question_.ask == Ask::present || question_.ask == Ask::length) return;
    if (question_.ask == Ask::all_of) {
        for (const std::string& term : question_.terms) each_.emplace_back(column, ScalarQuestion::equal(term));
    } else if (column_->form() == ColumnForm::codes) {
        prepare_codes();
    } else if (column_->form() != ColumnForm::texts) {
        prepare_intervals();
    }
}

void ColumnScan::add_interval(std::uint64_t low, std::uint64_t high) {
    if (low <= high) intervals_.push_back({low, high - low});
}

void ColumnScan::prepare_intervals() {
    if (question_.ask == Ask::any_of) {
        for (const std::string& term : question_.terms) {
            if (!is_nan_term(column_->kind(), term)) add_interval(number_of_term(term), number_of_term(term));
        }
        return;
    }
    KITH_ASSERT(question_.ask == Ask::range);
    std::uint64_t low = 0;
    std::uint64_t high = greatest_number(column_->kind());
    if (question_.upper) {
        const std::uint64_t bound = number_of_term(question_.upper->term);
        if (bound == 0 && !question_.upper->inclusive) return;
        high = std::min(high, bound - (question_.upper->inclusive ? 0U : 1U));
    }
    if (question_.lower) {
        low = number_of_term(question_.lower->term);
        if (!question_.lower->inclusive && low++ >= high) return;
    }
    add_interval(low, high);
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
        if (first < end) add_interval(first, end - 1);
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
            const std::uint64_t bit = text_satisfies(column_->text(code)) ? 1 : 0;
            allowed_[static_cast<std::size_t>(code / 64)] |= bit << (code % 64);
        }
    }
}

bool ColumnScan::text_satisfies(std::string_view text) const noexcept {
    if (question_.ask == Ask::any_of) return std::binary_search(question_.terms.begin(), question_.terms.end(), text);
    if (question_.ask != Ask::range) return matches_text(question_.ask, text, question_.terms.front());
    const auto& lower = question_.lower;
    const auto& upper = question_.upper;
    return (!lower || (lower->inclusive ? text >= lower->term : text > lower->term)) &&
           (!upper || (upper->inclusive ? text <= upper->term : text < upper->term));
}

void ColumnScan::evaluate(Slot block, Block out) {
    const Slot first = block * column_block;
    const Slot count = std::min<Slot>(column_block, column_->slots() - first);
    if (question_.ask == Ask::all_of && !each_.empty()) {
        each_.front().evaluate(block, out);
        std::array<std::uint64_t, column_block_words> one{};
        for (std::size_t at = 1; at < each_.size(); ++at) {
            each_[at].evaluate(block, one);
            for (std::size_t word = 0; word < column_block_words; ++word) out[word] &= one[word];
        }
        return;
    }
    if (question_.ask == Ask::null || question_.ask == Ask::present || question_.ask == Ask::length ||
        question_.ask == Ask::all_of) {
        evaluate_sizes(first, count, out);
    } else if (column_->list()) {
        evaluate_lists(first, count, out);
    } else {
        match(first, count, out);
        for (std::size_t word = 0; 64 * word < count; ++word) out[word] &= ~column_->null_word(first / 64 + word);
    }
}

void ColumnScan::evaluate_sizes(Slot first, Slot count, Block out) const {
    std::fill(out.begin(), out.end(), std::uint64_t{0});
    for (std::size_t word = 0; 64 * word < count; ++word) {
        const std::uint64_t nulls = column_->null_word(first / 64 + word);
        out[word] = (question_.ask == Ask::null ? nulls : ~nulls) & there(word, count);
    }
    if (question_.ask != Ask::length) return;
    for (Slot at = 0; at < count; ++at) {
        const Column::Values values = column_->values_of(first + at);
        const std::uint64_t size = values.end - values.first;
        const bool right = size >= question_.fewest && size <= question_.most;
        out[at / 64] &= ~(std::uint64_t{right ? 0U : 1U} << (at % 64));
    }
}

void ColumnScan::evaluate_lists(Slot first, Slot count, Block out) {
    std::fill(out.begin(), out.end(), std::uint64_t{0});
    std::array<std::uint64_t, column_block_words> bits{};
    Slot at = 0;  // of the block, the slot whose values are at hand
    Column::Values values = column_->values_of(first);
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

void ColumnScan::match(std::uint64_t first, std::size_t count, Block out) {
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
            for (std::size_t at = 0; at < count; ++at) matches_[at] = text_satisfies(column_->text(first + at)) ? 1 : 0;
            break;
    }
    std::fill(matches_.begin() + static_cast<std::ptrdiff_t>(count), matches_.end(), std::uint8_t{0});
    pack(matches_, out);
}

void ColumnScan::match_bits(std::uint64_t first, std::size_t count, Block out) const {
    bool no = false;
    bool yes = false;
    for (const Interval& one : intervals_) {
        no = no || one.low == 0;
        yes = yes || (one.low <= 1 && one.low + one.span >= 1);
    }
    const std::uint64_t shift = first % 64;  // of lists; 0 otherwise
    for (std::size_t word = 0; word < column_block_words; ++word) {
        out[word] = 0;
        if (64 * word >= count) continue;
        const std::uint64_t at = first / 64 + word;
        std::uint64_t bits = column_->bits(at) >> shift;
        if (shift != 0 && 64 * (at + 1) < column_->values()) bits |= column_->bits(at + 1) << (64 - shift);
        out[word] = ((no ? ~bits : 0) | (yes ? bits : 0)) & there(word, count);
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
    } else if (intervals_.size() <= most_passes) {
        std::fill(matches_.begin(), matches_.end(), std::uint8_t{0});
        for (const Interval& one : intervals_) {
            const T low = static_cast<T>(one.low);
            const T span = static_cast<T>(one.span);
            for (std::size_t at = 0; at < count; ++at) {
                matches_[at] =
                    static_cast<std::uint8_t>(matches_[at] | (static_cast<T>(numbers[at] - low) <= span ? 1 : 0));
            }
        }
    } else {
        for (std::size_t at = 0; at < count; ++at) {
            const auto above =
                std::upper_bound(intervals_.begin(), intervals_.end(), std::uint64_t{numbers[at]},
                                 [](std::uint64_t number, const Interval& one) { return number < one.low; });
            const bool within =
                above != intervals_.begin() && numbers[at] - std::prev(above)->low <= std::prev(above)->span;
            matches_[at] = within ? 1 : 0;
        }
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

}  // namespace kith::inline v0::detail
