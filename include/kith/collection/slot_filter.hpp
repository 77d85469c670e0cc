// kith/collection/slot_filter.hpp — which slots of one segment may satisfy a condition, found by indexes and columns.
//
// Slots that cannot satisfy it are struck out, part by part: the part that leaves the fewest for its price goes first,
// and the others look only at what is left, by index or by column, as is cheaper. What no index and no column knows is
// left to be checked row by row, on the slots that remain.
//
// Thread safety: none; each query makes its own. The condition and the fields must outlive it.
#pragma once

#include "kith/collection/condition_way.hpp"
#include "kith/collection/scalar_field.hpp"
#include "kith/collection/slot_condition.hpp"
#include "kith/collection/term_test.hpp"
#include "kith/core/slot.hpp"
#include "kith/query/expression.hpp"
#include "kith/scalar/question.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace kith::inline v0::detail {

class SlotFilter {
public:
    /// For the first `count` slots of a segment; `fields` by their places in the record, null where nothing is kept, or
    /// none at all.
    /// Throws: Errc::corrupt. Cost: an estimate of each leaf; some microseconds each.
    SlotFilter(const SlotCondition& condition, std::span<const ScalarField* const> fields, Slot count)
        : fields_(fields), count_(count), root_(plan(condition)) {}

    /// How many slots satisfy the condition, whether or not they must be checked for it.
    [[nodiscard]] const SlotEstimate& estimate() const noexcept { return root_.estimate; }

    /// Whether the candidates are those slots that satisfy the condition, and no others.
    [[nodiscard]] bool exact() const noexcept { return root_.exact; }

    /// Whether there may be fewer candidates than slots.
    [[nodiscard]] bool narrows() const noexcept { return root_.narrows; }

    /// About how long it takes to find the candidates.
    [[nodiscard]] double nanoseconds() const noexcept { return root_.nanoseconds; }

    /// All slots that satisfy the condition, and where it is not exact some that may. Deleted ones are among them.
    /// Shape: bit s % 64 of word s / 64 for slot s. Throws: Errc::corrupt.
    [[nodiscard]] std::vector<std::uint64_t> candidates() {
        std::vector<std::uint64_t> words(words_of(count_), ~std::uint64_t{0});
        if (count_ % 64 != 0) words.back() = (std::uint64_t{1} << (count_ % 64)) - 1;
        keep(root_, words, count_);
        return words;
    }

    /// About how long it takes to find the candidates among some slots, one by one; infinite where rows must be read.
    [[nodiscard]] double nanoseconds_of(double slots) const { return nanoseconds_of(root_, slots); }

    /// Whether a slot satisfies the condition. Requires: prepare() was called, nanoseconds_of() is finite.
    /// Throws: Errc::corrupt.
    [[nodiscard]] bool holds(Slot slot) const { return holds(root_, slot); }

    /// Makes holds() ready. Throws: Errc::corrupt.
    void prepare() { prepare(root_); }

    /// What a candidate must satisfy besides; true of everything where the filter is exact.
    [[nodiscard]] Expression rest() const {
        Expression all{.op = Op::all_of};
        add_rest(root_, all);
        return all;
    }

    /// Calls visit(leaf, way) for each question to a field: in the order in which they are asked, but for rows.
    template <class Visit>
    void for_each_leaf(Visit&& visit) const {
        for_each_leaf(root_, count_, true, visit);
    }

private:
    using Kind = SlotCondition::Kind;

    struct Node {
        const SlotCondition* condition = nullptr;
        const ScalarField* field = nullptr;   // of a leaf about a field, if that can answer
        SlotEstimate asked = {};              // of a leaf with an index: slots that satisfy its question
        bool some_null = true;                // of such a leaf: a slot may have no value
        std::unique_ptr<SlotTest> test = {};  // of a leaf with columns, once it was needed
        SlotEstimate estimate = {};           // slots that satisfy the node
        double nanoseconds = 0;               // about what it takes to keep those, of all
        bool exact = true;
        bool narrows = true;              // it may strike something out
        std::vector<Node> children = {};  // in the order in which they are looked at
    };

    // ---- estimates ----

    [[nodiscard]] Node plan(const SlotCondition& condition) const {
        if (condition.kind == Kind::leaf) return plan_leaf(condition);
        Node node{.condition = &condition};
        for (const SlotCondition& child : condition.children) node.children.push_back(plan(child));
        const bool all = condition.kind == Kind::all_of;
        for (const Node& child : node.children) node.exact = node.exact && child.exact;
        const auto narrows = [](const Node& child) { return child.narrows; };
        node.narrows = all ? std::any_of(node.children.begin(), node.children.end(), narrows)
                           : std::all_of(node.children.begin(), node.children.end(), narrows);
        sort(node.children, all);
        join(node, all);
        return node;
    }

    /// What decides most slots for its price goes first.
    void sort(std::vector<Node>& children, bool all) const {
        const auto price = [&](const Node& child) {
            const double part = child.estimate.expected / std::max<double>(count_, 1);
            return child.nanoseconds / std::max(all ? 1 - part : part, 1e-6);
        };
        std::sort(children.begin(), children.end(), [&](const Node& a, const Node& b) {
            const double first = price(a);
            const double second = price(b);
            return first != second ? first < second : a.condition < b.condition;  // as they were written
        });
    }

    /// The estimate of a node from those of its children, as if they had nothing to do with each other.
    void join(Node& node, bool all) const {
        const double slots = count_;
        double part = 1;  // of the slots that is left for the next child
        double fewest = all ? slots : 0;
        double most = all ? slots : 0;
        for (const Node& child : node.children) {
            const SlotEstimate& one = child.estimate;
            const double decided = slots == 0 ? 0 : one.expected / slots;
            node.nanoseconds += std::min(child.nanoseconds, whole_words() + slot_price * part * slots);
            part *= all ? decided : 1 - decided;
            fewest = all ? fewest + one.fewest - slots : std::max<double>(fewest, one.fewest);
            most = all ? std::min<double>(most, one.most) : std::min<double>(most + one.most, slots);
        }
        node.estimate = SlotEstimate::between(static_cast<std::uint64_t>(std::max(fewest, 0.0)),
                                              slots * (all ? part : 1 - part), static_cast<std::uint64_t>(most));
    }

    [[nodiscard]] Node plan_leaf(const SlotCondition& condition) const {
        Node node{.condition = &condition};
        const ScalarField* const field =
            condition.question && condition.field < fields_.size() ? fields_[condition.field] : nullptr;
        if (const Expression& leaf = *condition.sources.front().expression; !leaf.terms.empty()) {
            node.test = TermTest::make(leaf, fields_);
        }
        if (node.test == nullptr && (field == nullptr || !(field->indexed() || field->has_column()))) {
            node.exact = false;
            node.narrows = false;
            node.estimate = SlotEstimate::between(0, count_ / 2.0, count_);
            return node;
        }
        node.field = field;
        if (field == nullptr) {
            node.estimate = sample(*node.test, condition.wanted);
        } else if (field->indexed()) {
            node.asked = field->estimate(*condition.question, count_);
            const SlotEstimate present = field->estimate(ScalarQuestion::present(), count_);
            node.some_null = present.fewest < count_;
            node.estimate = condition.wanted ? node.asked : without(present, node.asked);
        } else {
            node.test = field->test(*condition.question, count_);
            node.estimate = sample(*node.test, condition.wanted);
        }
        node.nanoseconds = std::min(by_index(node), by_column(node, count_));
        return node;
    }

    /// The slots with a value that do not satisfy a question.
    [[nodiscard]] static SlotEstimate without(const SlotEstimate& present, const SlotEstimate& asked) noexcept {
        const auto less = [](Slot a, Slot b) { return a > b ? a - b : 0; };
        return SlotEstimate::between(less(present.fewest, asked.most), present.expected - asked.expected,
                                     less(present.most, asked.fewest));
    }

    /// What a look at some slots says of all.
    [[nodiscard]] SlotEstimate sample(const SlotTest& test, bool wanted) const {
        constexpr Slot most_looks = 256;
        constexpr Slot enough = 32;  // that hold it, to know their share
        const Slot step = std::max<Slot>(count_ / most_looks, 1);
        const Slot looks = std::min(most_looks, count_);
        Slot looked = 0;
        Slot held = 0;
        for (; looked < looks && held < enough; ++looked) {
            const Slot place = looks < most_looks ? looked : looked * 97 % most_looks;  // all over the segment
            const Slot within = (place * 2'654'435'761U >> 8) % step;  // for values may come round with the step
            if (test.holds(place * step + within, wanted)) ++held;
        }
        const double part = looked == 0 ? 0 : static_cast<double>(held) / looked;
        return SlotEstimate::between(held, part * count_, count_ - (looked - held));
    }

    // ---- prices, in nanoseconds (benchmarks/scalar) ----

    static constexpr double slot_price = 10;   // a look at one slot
    static constexpr double term_price = 100;  // the same, where terms are calculated

    /// A pass over the words of an answer, and their allocation.
    [[nodiscard]] double whole_words() const noexcept { return 500 + 0.02 * count_; }

    [[nodiscard]] double by_index(const Node& leaf) const {
        if (leaf.field == nullptr || !leaf.field->indexed()) return std::numeric_limits<double>::infinity();
        return leaf.field->answer_nanoseconds(*leaf.condition->question, leaf.asked, count_) + whole_words();
    }
    [[nodiscard]] double by_column(const Node& leaf, double bits) const {
        if (leaf.field == nullptr) return term_price * bits;
        return leaf.field->has_column() ? leaf.field->test_nanoseconds(bits, count_)
                                        : std::numeric_limits<double>::infinity();
    }

    // ---- answers ----

    /// Clears the bits of slots that cannot satisfy a node; about `bits` of them are set.
    void keep(Node& node, std::span<std::uint64_t> words, double bits) const {
        if (!node.narrows) return;
        if (node.condition->kind == Kind::leaf) {
            keep_leaf(node, words, bits);
        } else if (node.condition->kind == Kind::all_of) {
            for (Node& child : node.children) {
                keep(child, words, bits);
                bits *= child.estimate.expected / std::max<double>(count_, 1);
                if (none(words)) return;
            }
        } else {
            keep_any(node, words, bits);
        }
    }

    void keep_any(Node& node, std::span<std::uint64_t> words, double bits) const {
        std::vector<std::uint64_t> kept(words.size());
        std::vector<std::uint64_t> one(words.size());
        for (Node& child : node.children) {
            std::copy(words.begin(), words.end(), one.begin());
            keep(child, one, bits);
            bits *= 1 - child.estimate.expected / std::max<double>(count_, 1);
            for (std::size_t word = 0; word < words.size(); ++word) {
                kept[word] |= one[word];
                words[word] &= ~one[word];  // what is left for the next child
            }
            if (none(words)) break;
        }
        std::copy(kept.begin(), kept.end(), words.begin());
    }

    void keep_leaf(Node& leaf, std::span<std::uint64_t> words, double bits) const {
        const SlotCondition& condition = *leaf.condition;
        if (by_column(leaf, bits) <= by_index(leaf)) {
            if (leaf.test == nullptr) leaf.test = leaf.field->test(*condition.question, count_);
            leaf.test->keep(condition.wanted, words);
            return;
        }
        std::vector<std::uint64_t> answer(words.size());
        leaf.field->answer(*condition.question, count_, answer);
        if (condition.wanted) {
            for (std::size_t word = 0; word < words.size(); ++word) words[word] &= answer[word];
            return;
        }
        for (std::size_t word = 0; word < words.size(); ++word) words[word] &= ~answer[word];
        if (!leaf.some_null) return;
        std::fill(answer.begin(), answer.end(), std::uint64_t{0});
        leaf.field->answer(ScalarQuestion::present(), count_, answer);
        for (std::size_t word = 0; word < words.size(); ++word) words[word] &= answer[word];
    }

    [[nodiscard]] double nanoseconds_of(const Node& node, double slots) const {
        if (!node.exact) return std::numeric_limits<double>::infinity();
        if (node.condition->kind == Kind::leaf) return std::max(by_column(node, slots), slot_price * slots);
        double sum = 0;
        for (const Node& child : node.children) sum += nanoseconds_of(child, slots);
        return sum;
    }

    void prepare(Node& node) const {
        if (node.condition->kind == Kind::leaf) {
            if (node.test == nullptr) node.test = node.field->test(*node.condition->question, count_);
        }
        for (Node& child : node.children) prepare(child);
    }

    [[nodiscard]] bool holds(const Node& node, Slot slot) const {
        const auto one_holds = [&](const Node& child) { return holds(child, slot); };
        switch (node.condition->kind) {
            case Kind::leaf:
                break;
            case Kind::all_of:
                return std::all_of(node.children.begin(), node.children.end(), one_holds);
            case Kind::any_of:
                return std::any_of(node.children.begin(), node.children.end(), one_holds);
        }
        return node.test->holds(slot, node.condition->wanted);
    }

    /// As keep() goes about it, where every node above narrows if `asked`.
    template <class Visit>
    void for_each_leaf(const Node& node, double bits, bool asked, Visit&& visit) const {
        asked = asked && node.narrows;
        if (node.condition->kind == Kind::leaf) {
            const bool by_columns = by_column(node, bits) <= by_index(node);
            const ConditionWay known = by_columns ? ConditionWay::column : ConditionWay::index;
            visit(*node.condition, asked ? known : ConditionWay::rows);
            return;
        }
        for (const Node& child : node.children) {
            for_each_leaf(child, bits, asked, visit);
            const double part = child.estimate.expected / std::max<double>(count_, 1);
            bits *= node.condition->kind == Kind::all_of ? part : 1 - part;
        }
    }

    static bool none(std::span<const std::uint64_t> words) noexcept {
        return std::all_of(words.begin(), words.end(), [](std::uint64_t word) { return word == 0; });
    }

    // ---- what is left ----

    static void add_rest(const Node& node, Expression& all) {
        if (node.exact) return;
        if (node.condition->kind == Kind::all_of) {
            for (const Node& child : node.children) add_rest(child, all);
            return;
        }
        for (const SlotCondition::Source& source : node.condition->sources) {
            if (source.wanted) {
                all.children.push_back(*source.expression);
            } else {
                all.children.push_back({.op = Op::negation, .children = {*source.expression}});
            }
        }
    }

    std::span<const ScalarField* const> fields_;
    Slot count_;
    Node root_;
};

}  // namespace kith::inline v0::detail
