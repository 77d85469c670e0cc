// kith/scalar/slot_list.hpp — many slots in few bytes: the portable roaring format, written and read here.
//
// An index reads its lists straight into the words of an answer and believes none of their bytes, which a library
// that keeps bitmaps of its own does not offer. The bytes are those CRoaring writes and reads.
//
// Thread safety: functions without state.
// Source: github.com/RoaringBitmap/RoaringFormatSpec.
#pragma once

#include "kith/core/slot.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace kith::inline v0::detail {

/// Appends the list of the bits that are set in `words`.
void append_slot_list(std::span<const std::uint64_t> words, std::string& out);

/// Appends the list of `slots`, which ascend.
void append_slot_list(std::span<const Slot> slots, std::string& out);

/// Sets the bits of a list in `words`.
/// Shape: `words` holds words_of(universe) words.
/// Throws: Errc::corrupt when the bytes are no list of slots below `universe`; some bits may then be set.
/// Cost: as its bytes, or as the slots of its runs / 64.
void add_slot_list(std::string_view list, Slot universe, std::span<std::uint64_t> words);

}  // namespace kith::inline v0::detail
