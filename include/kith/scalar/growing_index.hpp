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
    GrowingScalarIndex(FieldKind kind, bool list, Slot capacity) : kind_(kind), list_(list), sizes_(capacity) {}

    [[nodiscard]] Slot size() const noexcept { return size_; }

    /// Memory of the terms and their slots, and of the numbers of elements.
    [[nodiscard]] std::size_t bytes() const noexcept { return terms_.bytes() + sizes_.bytes(size_); }

    /// Adds the next slot. Requires: size() is below the capacity; the terms are of the field's kind.
    /// Throws: std::bad_alloc; nothing was added then.
    void append(const MemberTerms& member) {
        KITH_ASSERT(list_ || member.null() || member.size() == 1);
        Sizes& sizes = sizes_.of(size_);
        Undo undo{this};
        for (std::size_t at = 0; at < member.size(); ++at) {
            if (!is_nan_term(kind_, member[at])) terms_.add(member[at], size_);
        }
        undo.index = nullptr;
        sizes[size_ % column_block] = member.null() ? null_size : static_cast<std::uint32_t>(member.size());
        ++size_;
    }

    /// Forgets the slots from `size` on. Requires: none of them was published.
    void truncate(Slot size) noexcept {
        if (size >= size_) return;
        terms_.truncate(size);
        size_ = size;
    }

    /// Sets the bits of the slots below `count` that satisfy a question.
    /// Requires: they were published to the caller; the question fits the field, as for ScalarIndex.
    /// Shape: `words` holds words_of(count) words.
    /// Cost: a visit of each term of the answer; of every term for a suffix or substring; a pass over four bytes a slot
    /// for null, present and length.
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
            case Ask::present:
            case Ask::length:
                return SlotEstimate::exactly(count_sizes(question, count));
            case Ask::all_of:
                if (question.terms.empty()) return SlotEstimate::exactly(count_sizes(ScalarQuestion::present(), count));
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
        if (question.about_size()) return any_answer + passed_slot * count;
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
    static constexpr std::uint32_t null_size = 0xffffffff;
    static constexpr std::size_t least_sample = 32;

    /// Takes a slot back that was not added whole.
    struct Undo {
        GrowingScalarIndex* index;

        ~Undo() {
            if (index != nullptr) index->terms_.truncate(index->size_);
        }
    };

    [[nodiscard]] std::uint32_t size_of(Slot slot) const noexcept {
        return sizes_[slot / column_block][slot % column_block];
    }

    static bool size_satisfies(const ScalarQuestion& question, std::uint32_t size) noexcept {
        if (question.ask == Ask::null) return size == null_size;
        if (question.ask == Ask::length) return size != null_size && size >= question.fewest && size <= question.most;
        return size != null_size;
    }

    void add_sizes(const ScalarQuestion& question, Slot count, std::span<std::uint64_t> words) const noexcept {
        for (Slot slot = 0; slot < count; ++slot) {
            const std::uint64_t bit = size_satisfies(question, size_of(slot)) ? 1 : 0;
            words[slot / 64] |= bit << (slot % 64);
        }
    }

    [[nodiscard]] Slot count_sizes(const ScalarQuestion& question, Slot count) const noexcept {
        Slot found = 0;
        for (Slot slot = 0; slot < count; ++slot) {
            if (size_satisfies(question, size_of(slot))) ++found;
        }
        return found;
    }

    static void add(const Node& node, Slot count, std::span<std::uint64_t> words) noexcept {
        node.slots().for_each_below(count, [&](Slot slot) { words[slot / 64] |= std::uint64_t{1} << (slot % 64); });
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
    GrowingBlocks<Sizes> sizes_;  // of each slot, the number of its elements, or null_size
    Slot size_ = 0;               // the writer's count; readers use their snapshot's
};

}  // namespace kith::inline v0::detail
