// kith/collection/state_record.hpp — the one record that says what a checkpoint holds.
//
// It is committed in the same transaction as the rows and keys it speaks of, so no second manifest can disagree.
//
//   state   := u32 version (2); 16 bytes collection id; u64 schema fingerprint; u64 number of the last log record it
//              contains; u32 next segment id; varint count; count × segment                             (on disk)
//   segment := u32 id; u32 slots; u32 deleted slots; varint-sized bitmap of them, empty when there are none
//
// The bitmap is what storage/delete_bitmap.hpp encodes. The environment adds the checksum.
#pragma once

#include "kith/core/slot.hpp"
#include "kith/storage/identity.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace kith::inline v0::detail {

struct SegmentState {
    std::uint32_t id = 0;
    Slot count = 0;
    Slot deleted = 0;
    std::vector<std::uint64_t> delete_words;  // empty, or a bit for each of `count` slots
};

struct StateRecord {
    CollectionId collection{};  // the one it belongs to: LMDB's file says nothing of that
    std::uint64_t fingerprint = 0;
    std::uint64_t applied_sequence = 0;
    std::uint32_t next_segment = 0;
    std::vector<SegmentState> segments;  // ordered by id
};

[[nodiscard]] std::string encode_state(const StateRecord& state);

/// Throws: Errc::unsupported_version, Errc::corrupt; the text names `file`, which holds the record.
[[nodiscard]] StateRecord decode_state(std::string_view bytes, const std::filesystem::path& file);

}  // namespace kith::inline v0::detail
