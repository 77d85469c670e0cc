// kith/collection/slot_condition.hpp — a condition as questions about single fields, joined by "and" and "or".
//
// Negations are pushed down to the leaves, each of which says then which certain answer it wants: yes, or no. So a slot
// satisfies a condition certainly exactly where it satisfies this one, and no third value is ever computed: NOT (a AND b)
// is certainly true where a is certainly false or b is. Bounds of the same field become one range; alternatives and
// exceptions of the same field become one list of values, for each question takes a pass over the slots.
//
// Thread safety: what nobody changes may be read by many.
#pragma once

#include "kith/core/assert.hpp"
#include "kith/query/expression.hpp"
#include "kith/query/pattern.hpp"
#include "kith/scalar/question.hpp"
#include "kith/scalar/term.hpp"
#include "kith/schema/field.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace kith::inline v0::detail {

/// A node. An all_of without children is true, an any_of false.
struct SlotCondition {
    enum class Kind : std::uint8_t { all_of, any_of, leaf };

    /// Of a tree that must outlive this: holds where `expression` is certainly `wanted`.
    struct Source {
        const Expression* expression = nullptr;
        bool wanted = true;
    };

    Kind kind = Kind::leaf;
    std::size_t field = 0;                        // of a leaf: the place in the record
    bool wanted = true;                           // of a leaf: the answer
    std::optional<ScalarQuestion> question = {};  // of a leaf, if a question can ask it
    std::vector<SlotCondition> children = {};
    std::vector<Source> sources = {};  // holds where all of these do; of joined alternatives: the first
};

/// Makes a SlotCondition of a tree.
class SlotConditionMaker {
public:
    /// For records of these fields, which are those of a schema in their order.
    explicit SlotConditionMaker(std::span<const FieldInfo> fields) noexcept : fields_(fields) {}

    /// What holds where the tree is certainly `wanted`. It refers to the tree.
    [[nodiscard]] SlotCondition make(const Expression& node, bool wanted = true) const {
        if (node.op == Op::negation) return make(node.children.front(), !wanted);
        if (node.op != Op::all_of && node.op != Op::any_of) return leaf(node, wanted);
        const bool all = (node.op == Op::all_of) == wanted;
        SlotCondition made{.kind = all ? SlotCondition::Kind::all_of : SlotCondition::Kind::any_of,
                           .sources = {{&node, wanted}}};
        for (const Expression& child : node.children) add(make(child, wanted), made);
        for (SlotCondition& child : made.children) {
            if (is_joinable(child, made.kind)) {
                *child.question = ScalarQuestion::any_of(std::move(child.question->terms));
            }
        }
        return made;
    }

private:
    /// Adds a child. Those of its own kind are taken up, bounds of the same field are joined, and so are values, which are
    /// left in no order.
    void add(SlotCondition child, SlotCondition& parent) const {
        if (child.kind == parent.kind) {
            for (SlotCondition& one : child.children) add(std::move(one), parent);
            return;
        }
        if (parent.kind == SlotCondition::Kind::all_of && is_bound(child)) {
            for (SlotCondition& other : parent.children) {
                if (other.field != child.field || !is_bound(other) || other.question->ask != child.question->ask)
                    continue;
                narrow(*other.question, *child.question);
                other.sources.insert(other.sources.end(), child.sources.begin(), child.sources.end());
                return;
            }
        }
        if (is_joinable(child, parent.kind)) {
            for (SlotCondition& other : parent.children) {
                if (other.field != child.field || !is_joinable(other, parent.kind)) continue;
                std::vector<std::string>& terms = other.question->terms;
                std::move(child.question->terms.begin(), child.question->terms.end(), std::back_inserter(terms));
                if (!child.wanted)
                    other.sources.insert(other.sources.end(), child.sources.begin(), child.sources.end());
                return;
            }
        }
        parent.children.push_back(std::move(child));
    }

    /// Whether values may be added to it: is one of some, among alternatives; is none of some, where all must hold.
    [[nodiscard]] static bool is_joinable(const SlotCondition& node, SlotCondition::Kind parent) noexcept {
        return node.question && node.question->ask == Ask::any_of &&
               node.wanted == (parent == SlotCondition::Kind::any_of);
    }

    /// Whether it is a range of which there is one value a slot.
    [[nodiscard]] bool is_bound(const SlotCondition& node) const {
        if (!node.question || !node.wanted) return false;
        return node.question->ask == Ask::length || (node.question->ask == Ask::range && !fields_[node.field].list);
    }

    static void narrow(ScalarQuestion& range, const ScalarQuestion& other) {
        range.fewest = std::max(range.fewest, other.fewest);
        range.most = std::min(range.most, other.most);
        const auto tighter = [](std::optional<TermBound>& bound, const std::optional<TermBound>& candidate,
                                bool lower) {
            if (!candidate) return;
            const bool further = bound && (lower ? candidate->term < bound->term : candidate->term > bound->term);
            if (further || (bound && bound->term == candidate->term && !bound->inclusive)) return;
            bound = candidate;
        };
        tighter(range.lower, other.lower, true);
        tighter(range.upper, other.upper, false);
    }

    [[nodiscard]] SlotCondition leaf(const Expression& node, bool wanted) const {
        SlotCondition made{.field = node.field, .wanted = wanted, .sources = {{&node, wanted}}};
        if (!node.terms.empty() || !has_terms(fields_[node.field].kind)) return made;
        if (node.aspect == Aspect::length && node.op == Op::in) return length_in(node, wanted);
        if (node.op == Op::is_null) {  // never unknown
            made.wanted = true;
            made.question = wanted ? ScalarQuestion::null() : ScalarQuestion::present();
            return made;
        }
        if (node.op == Op::not_equal) made.wanted = !wanted;
        made.question =
            node.aspect == Aspect::length ? about_length(node.op, length_of(node.values[0])) : about_value(node);
        return made;
    }

    [[nodiscard]] static std::uint32_t length_of(const Value& value) {
        constexpr std::uint64_t most = std::numeric_limits<std::uint32_t>::max();
        return static_cast<std::uint32_t>(std::min(std::get<std::uint64_t>(value), most));
    }

    /// A length that is one of some values: equal to the first or to the second.
    [[nodiscard]] static SlotCondition length_in(const Expression& node, bool wanted) {
        SlotCondition made{.kind = wanted ? SlotCondition::Kind::any_of : SlotCondition::Kind::all_of,
                           .sources = {{&node, wanted}}};
        for (const Value& value : node.values) {
            made.children.push_back({.field = node.field,
                                     .wanted = wanted,
                                     .question = about_length(Op::equal, length_of(value)),
                                     .sources = {{&node, wanted}}});
        }
        return made;
    }

    /// No list has as many elements as the greatest number.
    [[nodiscard]] static ScalarQuestion about_length(Op op, std::uint32_t length) {
        constexpr std::uint32_t most = std::numeric_limits<std::uint32_t>::max();
        if (op == Op::less) return length == 0 ? ScalarQuestion::length(1, 0) : ScalarQuestion::length(0, length - 1);
        if (op == Op::less_equal) return ScalarQuestion::length(0, length);
        if (op == Op::greater)
            return length == most ? ScalarQuestion::length(1, 0) : ScalarQuestion::length(length + 1, most);
        if (op == Op::greater_equal) return ScalarQuestion::length(length, most);
        KITH_ASSERT(op == Op::equal || op == Op::not_equal);
        return ScalarQuestion::length(length, length);
    }

    [[nodiscard]] std::optional<ScalarQuestion> about_value(const Expression& node) const {
        const auto term = [&](std::size_t at) {
            const FieldKind kind = fields_[node.field].kind;
            return std::visit([kind](const auto& value) { return term_of(kind, value); }, node.values[at]);
        };
        const auto terms = [&] {
            std::vector<std::string> all;
            for (std::size_t at = 0; at < node.values.size(); ++at) all.push_back(term(at));
            return all;
        };
        switch (node.op) {
            case Op::equal:
            case Op::not_equal:
                return ScalarQuestion::equal(term(0));
            case Op::less:
                return ScalarQuestion::range({}, TermBound{term(0), false});
            case Op::less_equal:
                return ScalarQuestion::range({}, TermBound{term(0), true});
            case Op::greater:
                return ScalarQuestion::range(TermBound{term(0), false}, {});
            case Op::greater_equal:
                return ScalarQuestion::range(TermBound{term(0), true}, {});
            case Op::in:
            case Op::contains_any:
                return ScalarQuestion::any_of(terms());
            case Op::contains_all:
                return ScalarQuestion::all_of(terms());
            case Op::has_prefix:
                return ScalarQuestion::prefix(term(0));
            case Op::has_suffix:
                return ScalarQuestion::suffix(term(0));
            case Op::has_substring:
                return ScalarQuestion::substring(term(0));
            case Op::like:
                return ScalarQuestion::matching(letters_before_wildcards(term(0)), term(0), &matches<false>);
            case Op::ilike:
                return ScalarQuestion::matching({}, term(0), &matches<true>);
            case Op::is_null:
            case Op::all_of:
            case Op::any_of:
            case Op::negation:
                break;
        }
        KITH_ASSERT(false);
        return std::nullopt;
    }

    /// What every text begins with that matches a canonical pattern.
    [[nodiscard]] static std::string letters_before_wildcards(std::string_view pattern) {
        std::string letters;
        for (std::size_t at = 0; at < pattern.size() && pattern[at] != '%' && pattern[at] != '_'; ++at) {
            if (pattern[at] == '\\') ++at;
            letters += pattern[at];
        }
        return letters;
    }

    std::span<const FieldInfo> fields_;
};

}  // namespace kith::inline v0::detail
