// kith/query/parse/check_maker.hpp — stands where a tree would be made when a text is only checked.
//
// Thread safety: functions without state.
#pragma once

#include "kith/query/column.hpp"
#include "kith/query/expression.hpp"
#include "kith/query/parse/constant.hpp"

#include <cstddef>

namespace kith::inline v0::detail {

/// Makes nothing: the text is only checked.
struct CheckMaker {
    struct Tree {};
    struct TermTree {};
    struct Values {};

    static constexpr TermTree column(std::size_t) noexcept { return {}; }
    static constexpr TermTree length(std::size_t) noexcept { return {}; }
    static constexpr TermTree constant(const Constant&) noexcept { return {}; }
    static constexpr TermTree calculation(TermOp, TermTree, TermTree = {}) noexcept { return {}; }
    static constexpr Tree terms(Op, TermTree, TermTree) noexcept { return {}; }
    static constexpr Tree leaf(Op, const Column&, std::size_t, Aspect, const Constant&) noexcept { return {}; }
    static constexpr void add(Values&, const Column&, Aspect, const Constant&) noexcept {}
    static constexpr Tree among(Op, std::size_t, Aspect, Values&&) noexcept { return {}; }
    static constexpr Tree pattern(Op, const Column&, std::size_t, const Constant&, char) noexcept { return {}; }
    static constexpr Tree is_null(std::size_t) noexcept { return {}; }
    static constexpr Tree always(bool) noexcept { return {}; }
    static constexpr Tree negation(Tree) noexcept { return {}; }
    static constexpr Tree join(Op, Tree, Tree) noexcept { return {}; }
};

}  // namespace kith::inline v0::detail
