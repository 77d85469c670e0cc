// tests/fuzz/state_record.cpp — the state record and its delete bitmaps, whose checksums are made right, too.
#include "fuzz/target.hpp"

#include "kith/collection/state_record.hpp"
#include "kith/core/crc32c.hpp"

namespace kith_fuzz {

namespace {

namespace store = kith::detail;

constexpr std::size_t head_bytes = 4 + 16 + 8 + 8 + 4;  // see kith/collection/state_record.hpp

void read(const std::string& bytes) {
    store::StateRecord state;
    if (refuses([&] { state = store::decode_state(bytes, "data.mdb"); })) return;
    const std::string again = store::encode_state(state);
    claim(store::encode_state(store::decode_state(again, "data.mdb")) == again,
          "a state that was read is written the same");
}

/// The same record with right checksums of its bitmaps, as far as it can be read. Memory for a segment is in
/// proportion to its slots, which is no fault: larger ones are made small.
std::string repaired(std::string bytes) {
    constexpr std::uint32_t most_slots = 1U << 22;
    kith::ByteReader reader(bytes);
    std::string_view skipped;
    std::uint64_t count = 0;
    std::vector<std::pair<std::size_t, std::uint32_t>> numbers;
    if (!reader.bytes(head_bytes, skipped) || !reader.varint(count)) return bytes;
    for (; count > 0; --count) {
        std::uint32_t id = 0, slots = 0, deleted = 0;
        std::string_view bitmap;
        if (!reader.u32(id)) break;
        const std::size_t at = reader.offset();
        if (!reader.u32(slots) || !reader.u32(deleted) || !reader.sized(bitmap)) break;
        if (slots > most_slots) numbers.emplace_back(at, slots % most_slots);
        if (bitmap.size() >= 4) numbers.emplace_back(reader.offset() - bitmap.size(), kith::crc32c(bitmap.substr(4)));
    }
    for (const auto& [at, number] : numbers) bytes = with_number(bytes, at, number);
    return bytes;
}

void attack(std::string_view bytes) {
    read(repaired(std::string(bytes)));
}

std::vector<std::string> examples() {
    store::StateRecord state;
    state.fingerprint = 7;
    state.applied_sequence = 99;
    state.next_segment = 4;
    std::vector<std::string> made{store::encode_state(state)};
    state.segments.push_back({0, 100, 0, {}});
    state.segments.push_back({1, 100, 3, {0b1011, 0}});
    state.segments.push_back({3, 5000, 4096, std::vector<std::uint64_t>(79)});
    for (std::size_t word = 0; word < 64; ++word) state.segments[2].delete_words[word] = ~std::uint64_t{0};
    made.push_back(store::encode_state(state));
    return made;
}

}  // namespace

const Target state_record_target{"state_record", attack, examples};

}  // namespace kith_fuzz
