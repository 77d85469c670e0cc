// kith/scalar/growing_index.hpp — the index of a field in the segment that is being written: ScalarIndex's answers.
//
// It grows beside the rows. A reader passes the count of its snapshot and gets the slots below it, whatever is appended
// or taken back meanwhile, and no lock is held for it.
//
// Thread safety: one writer; any number of readers of slots that were published to them (see Snapshot).
#pragma once

#include "kith/core/assert.hpp"
#include "kith/core/slot.hpp"
#include "kith/scalar/growing_blocks.hpp"
#include "kith/scalar/growing_terms.hpp"
#include "kith/scalar/number_intervals.hpp"
#include "kith/scalar/question.hpp"
#include "kith/scalar/slot_chain.hpp"
#include "kith/scalar/term.hpp"
#include "kith/schema/field.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kith::inline v0::detail {

class GrowingScalarIndex {
public:
    /// Requires: the kind is no vector.
    GrowingScalarIndex(FieldKind kind, bool list, Slot capacity)
        : kind_(kind), list_(list), sizes_(list ? capacity : 0) {}

    [[nodiscard]] Slot size() const noexcept { return size_; }

    /// Memory of the terms and their slots, of nulls, and of the numbers of elements.
    [[nodiscard]] std::size_t bytes() const noexcept {
        return terms_.bytes() + null_memory_.bytes() + (list_ ? sizes_.bytes(size_) : 0);
    }

    /// Adds the next slot. Requires: size() is below the capacity; the terms are of the field's kind.
    /// Throws: std::bad_alloc; nothing was added then.
    void append(const MemberTerms& member) {
        KITH_ASSERT(list_ || member.null() || member.size() == 1);
        Undo undo{this};
        if (list_) sizes_.of(size_)[size_ % column_block] = static_cast<std::uint32_t>(member.size());
        if (member.null()) nulls_.append(size_, null_memory_);
        for (std::size_t at = 0; at < member.size(); ++at) {
            if (!is_nan_term(kind_, member[at])) terms_.add(member[at], size_);
        }
        undo.index = nullptr;
        ++size_;
    }

    /// Forgets the slots from `size` on. Requires: none of them was published.
    void truncate(Slot size) noexcept {
        if (size >= size_) return;
        take_back(size);
        size_ = size;
    }

    /// Sets the bits of the slots below `count` that satisfy a question.
    /// Requires: they were published to the caller; the question fits the field, as for ScalarIndex.
    /// Shape: `words` holds words_of(count) words.
    /// Cost: a visit of each term of the answer; of every term for a suffix, substring or pattern; a pass over four bytes
    /// a slot for length.
    void answer(const ScalarQuestion& question, Slot count, std::span<std::uint64_t> words) const {
        KITH_ASSERT(words.size() == words_of(count));
        if (question.about_size()) return add_sizes(question, count, words);
        if (question.ask == Ask::all_of) return add_all_of(question, count, words);
        for_each_match(question, [&](const Node& node) { add(node, count, words); });
    }

    /// How many of the slots below `count` satisfy it.
    /// Cost: of a range, some hundred visits; of a suffix or substring too.
    [[nodiscard]] SlotEstimate estimate(const ScalarQuestion& question, Slot count) const {
        switch (question.ask) {
            case Ask::null:
                return SlotEstimate::exactly(nulls_.count_below(count));
            case Ask::present:
                return SlotEstimate::exactly(count - nulls_.count_below(count));
            case Ask::length:
                return SlotEstimate::exactly(count_lengths(question, count));
            case Ask::all_of:
                if (question.terms.empty()) return estimate(ScalarQuestion::present(), count);
                [[fallthrough]];
            case Ask::any_of:
                return estimate_terms(question, count);
            case Ask::range:
            case Ask::prefix:
            case Ask::suffix:
            case Ask::substring:
            case Ask::matching:
                break;
        }
        return estimate_sample(question, count);
    }

    /// About how long an answer takes, whose estimate is given: what a planner weighs.
    [[nodiscard]] double nanoseconds(const ScalarQuestion& question, const SlotEstimate& estimate, Slot count) const {
        // On one core of 3 GHz (benchmarks/scalar). Terms lie where they came, so each step is a miss of the cache.
        constexpr double any_answer = 1000, visited_term = 220, found_term = 1000, listed_slot = 0.8, passed_slot = 1.5;
        if (question.about_size()) return any_answer + (question.ask == Ask::length ? passed_slot : 0.1) * count;
        const double slots = any_answer + listed_slot * estimate.expected;
        if (question.ask == Ask::any_of || question.ask == Ask::all_of) {
            return slots + found_term * static_cast<double>(question.terms.size());
        }
        const double part = estimate.expected / std::max<double>(count, 1);
        const bool in_order = question.ask == Ask::range || question.ask == Ask::prefix;
        return slots + visited_term * terms_.size() * (in_order ? part : 1);
    }

private:
    using Node = GrowingTerms::Node;
    using Sizes = std::array<std::uint32_t, column_block>;
    static constexpr std::size_t least_sample = 32;

    /// Takes a slot back that was not added whole.
    struct Undo {
        GrowingScalarIndex* index;

        ~Undo() {
            if (index != nullptr) index->take_back(index->size_);
        }
    };

    void take_back(Slot size) noexcept {
        terms_.truncate(size);
        nulls_.truncate(size);
    }

    /// Calls `take` with each slot whose list has as many elements as the question wants; null is as a list of none.
    template <class Take>
    void for_each_length(const ScalarQuestion& question, Slot count, Take&& take) const {
        for (Slot slot = 0; slot < count; ++slot) {
            const std::uint32_t size = sizes_[slot / column_block][slot % column_block];
            if (size >= question.fewest && size <= question.most) take(slot);
        }
    }

    [[nodiscard]] Slot count_lengths(const ScalarQuestion& question, Slot count) const {
        Slot found = 0;
        for_each_length(question, count, [&](Slot) { ++found; });
        return question.fewest == 0 ? found - nulls_.count_below(count) : found;
    }

    void add_sizes(const ScalarQuestion& question, Slot count, std::span<std::uint64_t> words) const {
        if (question.ask == Ask::null) {
            nulls_.for_each_below(count, [&](Slot slot) { set(slot, words); });
            return;
        }
        std::vector<std::uint64_t> found(words.size());
        if (question.ask == Ask::length) {
            for_each_length(question, count, [&](Slot slot) { set(slot, found); });
        } else if (count > 0) {
            std::fill(found.begin(), found.end(), ~std::uint64_t{0});
            found.back() >>= 64 * found.size() - count;
        }
        nulls_.for_each_below(count, [&](Slot slot) { found[slot / 64] &= ~(std::uint64_t{1} << (slot % 64)); });
        for (std::size_t word = 0; word < words.size(); ++word) words[word] |= found[word];
    }

    static void set(Slot slot, std::span<std::uint64_t> words) noexcept {
        words[slot / 64] |= std::uint64_t{1} << (slot % 64);
    }

    static void add(const Node& node, Slot count, std::span<std::uint64_t> words) noexcept {
        node.slots().for_each_below(count, [&](Slot slot) { set(slot, words); });
    }

    void add_all_of(const ScalarQuestion& question, Slot count, std::span<std::uint64_t> words) const {
        std::vector<std::uint64_t> all(words.size());
        std::vector<std::uint64_t> one(words.size());
        for (std::size_t at = 0; at < question.terms.size(); ++at) {
            const Node* const node = terms_.find(question.terms[at]);
            if (node == nullptr) return;
            std::fill(one.begin(), one.end(), std::uint64_t{0});
            add(*node, count, one);
            for (std::size_t word = 0; word < all.size(); ++word)
                all[word] = at == 0 ? one[word] : all[word] & one[word];
        }
        for (std::size_t word = 0; word < all.size(); ++word) words[word] |= all[word];
    }

    /// The terms that a question may be true of: from behind `before` on, up to where `reaches` is false.
    class Bounds {
    public:
        Bounds(const GrowingTerms& terms, const ScalarQuestion& question, std::size_t level) : question_(question) {
            before_ = terms.head();
            if (question.ask == Ask::prefix || question.ask == Ask::matching) {
                before_ = terms.before(question.terms.front(), level);
                after_ = after_prefix(question.terms.front());
            } else if (question.ask == Ask::range && question.lower) {
                before_ = terms.before(question.lower->term, level);
                const Node* const next = before_->next(level);
                if (!question.lower->inclusive && next != nullptr && next->term() == question.lower->term)
                    before_ = next;
            }
        }

        [[nodiscard]] const Node* before() const noexcept { return before_; }

        [[nodiscard]] bool reaches(std::string_view term) const noexcept {
            if (question_.ask == Ask::prefix || question_.ask == Ask::matching) return !after_ || term < *after_;
            if (question_.ask != Ask::range || !question_.upper) return true;
            return question_.upper->inclusive ? term <= question_.upper->term : term < question_.upper->term;
        }

    private:
        const ScalarQuestion& question_;
        const Node* before_;
        std::optional<std::string> after_;  // of a prefix
    };

    /// Whether a term within the bounds satisfies a question.
    static bool satisfies(const ScalarQuestion& question, std::string_view term) noexcept {
        return question.ask == Ask::range || question.ask == Ask::prefix || question.accepts(term);
    }

    template <class Take>
    void for_each_match(const ScalarQuestion& question, Take&& take) const {
        if (question.ask == Ask::any_of) {
            for (const std::string& term : question.terms) {
                if (const Node* const node = terms_.find(term)) take(*node);
            }
            return;
        }
        const Bounds bounds(terms_, question, 0);
        for (const Node* node = bounds.before()->next(); node != nullptr && bounds.reaches(node->term());
             node = node->next()) {
            if (satisfies(question, node->term())) take(*node);
        }
    }

    [[nodiscard]] SlotEstimate estimate_terms(const ScalarQuestion& question, Slot count) const {
        std::uint64_t sum = 0;
        std::uint64_t fewest = count;
        std::uint64_t most = 0;
        double without_any = 1;
        double with_all = 1;
        const double slots = std::max<double>(count, 1);
        for (const std::string& term : question.terms) {
            const Node* const node = terms_.find(term);
            const std::uint64_t found = node == nullptr ? 0 : node->slots().count_below(count);
            sum += found;
            fewest = std::min(fewest, found);
            most = std::max(most, found);
            without_any *= 1 - static_cast<double>(found) / slots;
            with_all *= static_cast<double>(found) / slots;
        }
        const std::uint64_t left_out =
            (question.terms.size() - std::min<std::size_t>(question.terms.size(), 1)) * count;
        if (question.ask == Ask::all_of) {
            return SlotEstimate::between(sum > left_out ? std::min(sum - left_out, fewest) : 0, slots * with_all,
                                         fewest);
        }
        if (!list_) return SlotEstimate::exactly(sum);
        return SlotEstimate::between(most, slots * (1 - without_any), std::min<std::uint64_t>(sum, count));
    }

    /// Looks at the terms of the highest level that has enough of them; each stands for as many as are below it.
    [[nodiscard]] SlotEstimate estimate_sample(const ScalarQuestion& question, Slot count) const {
        double scale = 1;
        for (std::size_t level = 1; level < GrowingTerms::levels; ++level) scale *= GrowingTerms::branching;
        for (std::size_t level = GrowingTerms::levels; level-- > 0; scale /= GrowingTerms::branching) {
            const Bounds bounds(terms_, question, level);
            std::size_t seen = 0;
            std::uint64_t sum = 0;
            std::uint64_t most = 0;
            const Node* node = bounds.before()->next(level);
            for (; node != nullptr && bounds.reaches(node->term()); node = node->next(level), ++seen) {
                if (!satisfies(question, node->term())) continue;
                const std::uint64_t found = node->slots().count_below(count);
                sum += found;
                most = std::max(most, found);
            }
            if (level > 0 && seen < least_sample) continue;
            const std::uint64_t fewest = list_ ? most : sum;
            const std::uint64_t upper = level == 0 ? std::min<std::uint64_t>(sum, count) : count;
            return SlotEstimate::between(std::min<std::uint64_t>(fewest, count), static_cast<double>(sum) * scale,
                                         upper);
        }
        return {};
    }

    FieldKind kind_;
    bool list_;
    GrowingTerms terms_;
    PieceMemory null_memory_;
    SlotChain nulls_;             // the slots without a value
    GrowingBlocks<Sizes> sizes_;  // of a list, how many elements each slot has
    Slot size_ = 0;               // the writer's count; readers use their snapshot's
};

}  // namespace kith::inline v0::detail
