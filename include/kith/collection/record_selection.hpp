// kith/collection/record_selection.hpp — a condition on records as the engine asks it.
//
// Thread safety: none; each thread makes its own. Engine and condition must outlive it.
#pragma once

#include "kith/collection/record_codec.hpp"
#include "kith/collection/selection.hpp"
#include "kith/query/condition.hpp"
#include "kith/query/evaluate.hpp"

#include <memory>

namespace kith::inline v0::detail {

template <class S>
[[nodiscard]] Selection select_records(const Engine& engine, const Condition<typename S::Record>& condition) {
    using Record = typename S::Record;
    return {SlotConditionMaker(S::fields).make(condition.expression()),
            [&engine, record = std::make_shared<Record>()](const SegmentView& view, Slot slot, const Expression& tree) {
                decode_row<S>(engine, view, slot, *record);
                return satisfies(*record, tree) == Truth::yes;
            }};
}

}  // namespace kith::inline v0::detail
