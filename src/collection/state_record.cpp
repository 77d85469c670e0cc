// src/collection/state_record.cpp — the state record's bytes.
#include "kith/collection/state_record.hpp"

#include "kith/collection/options.hpp"
#include "kith/core/bytes.hpp"
#include "kith/core/error.hpp"
#include "kith/storage/delete_bitmap.hpp"

#include <algorithm>

namespace kith::inline v0::detail {

namespace {

constexpr std::uint32_t state_version = 2;  // on disk
// Bounds what a wrong number can make a reader allocate. A merge may keep dead slots beside a segment's records.
constexpr Slot most_slots = 2 * largest_segment;

bool read_segment(ByteReader& reader, SegmentState& segment) {
    std::string_view bitmap;
    if (!reader.u32(segment.id) || !reader.u32(segment.count) || !reader.u32(segment.deleted)) return false;
    if (!reader.sized(bitmap) || segment.deleted > segment.count || segment.count > most_slots) return false;
    if (bitmap.empty()) return segment.deleted == 0;
    segment.delete_words.resize((std::size_t{segment.count} + 63) / 64);
    decode_bitmap(bitmap, segment.delete_words.data(), segment.count);
    return true;
}

}  // namespace

std::string encode_state(const StateRecord& state) {
    std::string bytes;
    ByteWriter writer(bytes);
    writer.u32(state_version);
    writer.bytes(state.collection.data(), state.collection.size());
    writer.u64(state.fingerprint);
    writer.u64(state.applied_sequence);
    writer.u32(state.next_segment);
    writer.varint(state.segments.size());
    for (const SegmentState& segment : state.segments) {
        writer.u32(segment.id);
        writer.u32(segment.count);
        writer.u32(segment.deleted);
        writer.sized(segment.deleted == 0 ? std::string() : encode_bitmap(segment.delete_words.data(), segment.count));
    }
    return bytes;
}

StateRecord decode_state(std::string_view bytes, const std::filesystem::path& file) {
    StateRecord state;
    ByteReader reader(bytes);
    std::uint32_t version = 0;
    std::uint64_t count = 0;
    std::string_view collection;
    if (reader.u32(version) && version != state_version) {
        raise(Errc::unsupported_version, file.string() + ": the state record has version " + std::to_string(version) +
                                             "; this build reads version " + std::to_string(state_version));
    }
    bool whole = version == state_version && reader.bytes(state.collection.size(), collection) &&
                 reader.u64(state.fingerprint) && reader.u64(state.applied_sequence) &&
                 reader.u32(state.next_segment) && reader.varint(count);
    std::copy(collection.begin(), collection.end(), state.collection.begin());
    for (; whole && count > 0; --count) {
        SegmentState segment;
        whole = read_segment(reader, segment);
        state.segments.push_back(std::move(segment));
    }
    if (!whole || reader.remaining() != 0) raise(Errc::corrupt, file.string() + ": the state record cannot be read");
    return state;
}

}  // namespace kith::inline v0::detail
