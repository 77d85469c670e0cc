// kith/query/parse/check_maker.hpp — stands where a tree would be made when a text is only checked.
//
// Thread safety: functions without state.
#pragma once

#include "kith/query/expression.hpp"
#include "kith/query/parse/constant.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace kith::inline v0::detail {

/// Makes nothing: the text is only checked.
struct CheckMaker {
    struct Tree {};
    struct TermTree {};
    struct Values {};

    static constexpr TermTree column(std::size_t) noexcept { return {}; }
    static constexpr TermTree length(std::size_t) noexcept { return {}; }
    static constexpr TermTree constant(const Constant&) noexcept { return {}; }
    static constexpr TermTree path(std::size_t) noexcept { return {}; }
    static constexpr void step(TermTree&, std::string_view) noexcept {}
    static constexpr void step(TermTree&, std::uint64_t) noexcept {}
    static constexpr TermTree size(TermTree) noexcept { return {}; }
    static constexpr TermTree calculation(TermOp, TermTree, TermTree = {}) noexcept { return {}; }
    static constexpr void add(Values&, const Constant&) noexcept {}
    static constexpr Tree subject(std::size_t, Aspect) noexcept { return {}; }
    static constexpr Tree subject(TermTree) noexcept { return {}; }
    static constexpr Tree ask(Op, Tree, Values) noexcept { return {}; }
    static constexpr Tree ask_pattern(Op, Tree, std::string_view, const Constant&, char) noexcept { return {}; }
    static constexpr Tree compare(Op, TermTree, TermTree) noexcept { return {}; }
    static constexpr Tree always(bool) noexcept { return {}; }
    static constexpr Tree negation(Tree) noexcept { return {}; }
    static constexpr Tree join(Op, Tree, Tree) noexcept { return {}; }
};

}  // namespace kith::inline v0::detail
