// kith/collection/key_table.hpp — the keys of a sealed segment in order of their bytes, each with its slot.
//
//   key table := u32 version (1); u32 count; u64 bytes of all keys; count × u64 where each key ends;
//                count × u32 slot; the keys, one after the other                                        (on disk)
//
// The environment knows where the newest version of each key is. A snapshot that was overtaken, and a reader process
// whose snapshot is older than the environment, ask the tables of their own segments instead; a merge reads them to
// tell the environment where its records went.
//
// Thread safety: a table is immutable; its bytes outlive it.
#pragma once

#include "kith/core/bytes.hpp"
#include "kith/core/error.hpp"
#include "kith/core/slot.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kith::inline v0::detail {

struct KeySlot {
    std::string_view key;
    Slot slot = 0;

    friend bool operator<(const KeySlot& a, const KeySlot& b) noexcept { return a.key < b.key; }
};

/// Writes the table of `keys`, which are in order and all different.
inline void write_key_table(const std::vector<KeySlot>& keys,
                            const std::function<void(const void* data, std::size_t bytes)>& sink) {
    std::string head;
    ByteWriter writer(head);
    std::uint64_t end = 0;
    for (const KeySlot& one : keys) end += one.key.size();
    writer.u32(1);
    writer.u32(static_cast<std::uint32_t>(keys.size()));
    writer.u64(end);
    end = 0;
    for (const KeySlot& one : keys) writer.u64(end += one.key.size());
    for (const KeySlot& one : keys) writer.u32(one.slot);
    sink(head.data(), head.size());
    for (const KeySlot& one : keys) sink(one.key.data(), one.key.size());
}

class KeyTable {
public:
    /// A table of no keys.
    KeyTable() = default;

    /// Throws: Errc::corrupt, Errc::unsupported_version.
    explicit KeyTable(std::span<const std::byte> image)
        : bytes_(reinterpret_cast<const char*>(image.data()), image.size()) {
        ByteReader reader(bytes_);
        std::uint32_t version = 0;
        std::uint64_t key_bytes = 0;
        if (!reader.u32(version) || !reader.u32(count_) || !reader.u64(key_bytes)) {
            raise(Errc::corrupt, "key table: ends at offset " + std::to_string(bytes_.size()));
        }
        if (version != 1) {
            raise(Errc::unsupported_version,
                  "key table: has version " + std::to_string(version) + "; this build reads 1");
        }
        const std::uint64_t head = head_bytes + std::uint64_t{count_} * (sizeof(std::uint64_t) + sizeof(Slot));
        if (bytes_.size() < head || bytes_.size() - head != key_bytes) {
            raise(Errc::corrupt, "key table: holds " + std::to_string(bytes_.size()) + " bytes, which is not what " +
                                     std::to_string(count_) + " keys of " + std::to_string(key_bytes) + " bytes take");
        }
        keys_ = bytes_.substr(head);
    }

    [[nodiscard]] Slot size() const noexcept { return count_; }

    /// The key at a place of the order. Bytes that were damaged give some other key, never one outside of the table.
    [[nodiscard]] std::string_view key(Slot at) const noexcept {
        const std::uint64_t first = at == 0 ? 0 : end_of(at - 1);
        const std::uint64_t end = end_of(at);
        return first <= end && end <= keys_.size() ? keys_.substr(first, end - first) : std::string_view();
    }

    [[nodiscard]] Slot slot(Slot at) const noexcept {
        std::uint32_t slot = no_slot;
        const std::size_t first = head_bytes + std::size_t{count_} * sizeof(std::uint64_t);
        static_cast<void>(ByteReader(bytes_.substr(first + std::size_t{at} * sizeof(Slot))).u32(slot));
        return slot;
    }

    /// The slot of a key. Cost: a binary search.
    [[nodiscard]] std::optional<Slot> find(std::string_view wanted) const noexcept {
        Slot first = 0;
        for (Slot left = count_; left > 0;) {
            const Slot half = left / 2;
            if (key(first + half) < wanted) {
                first += half + 1;
                left -= half + 1;
            } else {
                left = half;
            }
        }
        if (first == count_ || key(first) != wanted) return std::nullopt;
        return slot(first);
    }

private:
    static constexpr std::size_t head_bytes = 16;

    [[nodiscard]] std::uint64_t end_of(Slot at) const noexcept {
        std::uint64_t end = 0;
        static_cast<void>(ByteReader(bytes_.substr(head_bytes + std::size_t{at} * sizeof(std::uint64_t))).u64(end));
        return end;
    }

    std::string_view bytes_;   // the whole table
    std::string_view keys_;    // its last part
    std::uint32_t count_ = 0;  // of keys
};

}  // namespace kith::inline v0::detail
