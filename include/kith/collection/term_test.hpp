// kith/collection/term_test.hpp — a comparison of calculated terms, or of what JSON holds, put to slots by columns.
//
// No index answers such a comparison: each slot that is left is looked at.
//
// Thread safety: none; each query makes its own. The leaf and the fields must outlive it.
#pragma once

#include "kith/collection/scalar_field.hpp"
#include "kith/core/slot.hpp"
#include "kith/query/evaluate.hpp"
#include "kith/query/expression.hpp"
#include "kith/query/term_value.hpp"
#include "kith/scalar/number_intervals.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace kith::inline v0::detail {

class TermTest final : public SlotTest {
public:
    /// A test of a leaf with terms; null where a field of theirs has no column.
    [[nodiscard]] static std::unique_ptr<TermTest> make(const Expression& leaf,
                                                        std::span<const ScalarField* const> fields) {
        const bool known = std::all_of(leaf.terms.begin(), leaf.terms.end(),
                                       [&](const Term& term) { return has_columns(term, fields); });
        return known ? std::make_unique<TermTest>(leaf, fields) : nullptr;
    }

    /// Requires: each field of the leaf's terms has a column.
    TermTest(const Expression& leaf, std::span<const ScalarField* const> fields) noexcept
        : leaf_(leaf), fields_(fields) {}

    void keep(bool wanted, std::span<std::uint64_t> words) override {
        keep_bits(words, 0, [&](Slot slot) { return holds(slot, wanted); });
    }

    [[nodiscard]] bool holds(Slot slot, bool wanted) const override {
        const auto member = [&](std::size_t field, bool length) { return fields_[field]->value(slot, length); };
        return terms_satisfy(member, leaf_) == truth(wanted);
    }

private:
    static bool has_columns(const Term& term, std::span<const ScalarField* const> fields) {
        const bool of_field = term.op == TermOp::column || term.op == TermOp::length || term.op == TermOp::path ||
                              term.op == TermOp::size;
        const bool there = !of_field || (term.field < fields.size() && fields[term.field] != nullptr);
        if (!there || (of_field && !fields[term.field]->has_column())) return false;
        return std::all_of(term.parts.begin(), term.parts.end(),
                           [&](const Term& part) { return has_columns(part, fields); });
    }

    const Expression& leaf_;
    std::span<const ScalarField* const> fields_;
};

}  // namespace kith::inline v0::detail
