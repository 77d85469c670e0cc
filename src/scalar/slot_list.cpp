// src/scalar/slot_list.cpp — the portable roaring format.
//
//   list      := u32 12346, u32 containers                                       where no container is of runs
//              | u32 12347 + (containers - 1) × 65536, a bit for each: is of runs                  otherwise;
//                for each container u16 key, u16 count - 1;
//                for each u32 where it begins, but for lists with runs of fewer than 4 containers;
//                the containers
//   container := runs: u16 runs, for each u16 first, u16 more | at most 4096 slots: u16 each | 1024 × u64     (on disk)
//
// A container holds the slots whose upper 16 bits are its key by their lower 16 bits.
#include "kith/scalar/slot_list.hpp"

#include "kith/core/bytes.hpp"
#include "kith/core/error.hpp"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstring>
#include <vector>

namespace kith::inline v0::detail {

namespace {

constexpr std::uint32_t cookie_without_runs = 12346;  // on disk
constexpr std::uint32_t cookie_with_runs = 12347;     // on disk: the lower half
constexpr std::size_t fewest_with_offsets = 4;        // on disk: containers, where any is of runs
constexpr std::uint32_t most_in_array = 4096;         // on disk
constexpr std::size_t container_words = 1024;         // on disk
constexpr std::size_t container_bits = 64 * container_words;

/// The slots of one container, while a list is written.
struct Container {
    std::uint16_t key = 0;
    std::uint32_t count = 0;
    bool of_runs = false;
    std::string bytes = {};
};

Container container_of(std::uint16_t key, const std::uint64_t* words, std::size_t count) {
    Container made{.key = key};
    std::uint32_t runs = 0;
    std::uint64_t before = 0;  // the highest bit of the word before
    for (std::size_t at = 0; at < count; ++at) {
        const std::uint64_t word = words[at];
        made.count += static_cast<std::uint32_t>(std::popcount(word));
        runs += static_cast<std::uint32_t>(std::popcount(word & ~((word << 1) | before)));
        before = word >> 63;
    }
    if (made.count == 0) return made;
    const std::size_t plain_bytes =
        made.count <= most_in_array ? 2 * std::size_t{made.count} : sizeof(std::uint64_t) * container_words;
    made.of_runs = 2 + 4 * std::size_t{runs} < plain_bytes;
    ByteWriter writer(made.bytes);
    if (made.of_runs) {
        writer.u16(static_cast<std::uint16_t>(runs));
        std::size_t bit = 0;
        const std::size_t bits = 64 * count;
        const auto next = [&](std::uint64_t flip) {  // the first bit from `bit` on that is 1 after flipping
            while (bit < bits) {
                const std::uint64_t left = (words[bit / 64] ^ flip) >> (bit % 64);
                if (left != 0) return bit + static_cast<std::size_t>(std::countr_zero(left));
                bit = (bit / 64 + 1) * 64;
            }
            return bits;
        };
        for (; runs > 0; --runs) {
            const std::size_t first = next(0);
            bit = first;
            const std::size_t end = next(~std::uint64_t{0});
            bit = end;
            writer.u16(static_cast<std::uint16_t>(first));
            writer.u16(static_cast<std::uint16_t>(end - first - 1));
        }
    } else if (made.count <= most_in_array) {
        for (std::size_t at = 0; at < count; ++at) {
            for (std::uint64_t left = words[at]; left != 0; left &= left - 1) {
                writer.u16(static_cast<std::uint16_t>(64 * at + static_cast<std::size_t>(std::countr_zero(left))));
            }
        }
    } else {
        for (std::size_t at = 0; at < container_words; ++at) writer.u64(at < count ? words[at] : 0);
    }
    return made;
}

void write_list(const std::vector<Container>& containers, std::string& out) {
    const bool runs =
        std::any_of(containers.begin(), containers.end(), [](const Container& one) { return one.of_runs; });
    const std::size_t begin = out.size();
    ByteWriter writer(out);
    if (runs) {
        writer.u32(cookie_with_runs | (static_cast<std::uint32_t>(containers.size() - 1) << 16));
        for (std::size_t at = 0; at < containers.size(); at += 8) {
            std::uint32_t eight = 0;
            for (std::size_t bit = 0; bit < 8 && at + bit < containers.size(); ++bit) {
                if (containers[at + bit].of_runs) eight |= 1U << bit;
            }
            writer.u8(static_cast<std::uint8_t>(eight));
        }
    } else {
        writer.u32(cookie_without_runs);
        writer.u32(static_cast<std::uint32_t>(containers.size()));
    }
    for (const Container& one : containers) {
        writer.u16(one.key);
        writer.u16(static_cast<std::uint16_t>(one.count - 1));
    }
    if (!runs || containers.size() >= fewest_with_offsets) {
        std::size_t offset = out.size() - begin + sizeof(std::uint32_t) * containers.size();
        for (const Container& one : containers) {
            writer.u32(static_cast<std::uint32_t>(offset));
            offset += one.bytes.size();
        }
    }
    for (const Container& one : containers) writer.bytes(one.bytes);
}

/// Reads a list and believes nothing: whatever the bytes, only words of the answer are written.
class ListReader {
public:
    ListReader(std::string_view bytes, Slot universe, std::span<std::uint64_t> words) noexcept
        : reader_(bytes), universe_(universe), words_(words) {}

    /// False when the bytes are not as the format says or name a slot that does not exist.
    [[nodiscard]] bool read() noexcept {
        std::uint32_t cookie = 0;
        std::uint32_t count = 0;
        std::string_view flags;
        std::string_view heads;
        std::string_view skipped;
        if (!reader_.u32(cookie)) return false;
        if (cookie == cookie_without_runs) {
            if (!reader_.u32(count)) return false;
        } else {
            count = (cookie >> 16) + 1;
            if ((cookie & 0xffffU) != cookie_with_runs || !reader_.bytes((count + 7) / 8, flags)) return false;
        }
        if (count > container_bits || !reader_.bytes(4 * std::size_t{count}, heads)) return false;
        if ((flags.empty() || count >= fewest_with_offsets) && !reader_.bytes(4 * std::size_t{count}, skipped))
            return false;
        ByteReader head(heads);
        for (std::uint32_t at = 0, next = 0; at < count; ++at) {
            std::uint16_t key = 0;
            std::uint16_t less_one = 0;
            if (!head.u16(key) || !head.u16(less_one) || key < next) return false;
            next = std::uint32_t{key} + 1;
            first_ = std::size_t{key} * container_bits;
            if (first_ >= universe_) return false;
            room_ = std::min<std::size_t>(container_bits, universe_ - first_);
            const std::uint32_t eight = flags.empty() ? 0U : static_cast<unsigned char>(flags[at / 8]);
            const bool of_runs = ((eight >> (at % 8)) & 1U) != 0;
            const std::uint32_t slots = std::uint32_t{less_one} + 1;
            if (!(of_runs ? read_runs() : slots <= most_in_array ? read_array(slots) : read_words())) return false;
        }
        return reader_.remaining() == 0;
    }

private:
    bool read_runs() noexcept {
        std::uint16_t runs = 0;
        if (!reader_.u16(runs)) return false;
        for (; runs > 0; --runs) {
            std::uint16_t first = 0;
            std::uint16_t more = 0;
            if (!reader_.u16(first) || !reader_.u16(more)) return false;
            const std::size_t last = std::size_t{first} + more;
            if (last >= room_) return false;
            set_range(first_ + first, first_ + last);
        }
        return true;
    }

    void set_range(std::size_t first, std::size_t last) noexcept {
        const std::uint64_t from = ~std::uint64_t{0} << (first % 64);
        const std::uint64_t upto = ~std::uint64_t{0} >> (63 - last % 64);
        if (first / 64 == last / 64) {
            words_[first / 64] |= from & upto;
            return;
        }
        words_[first / 64] |= from;
        for (std::size_t word = first / 64 + 1; word < last / 64; ++word) words_[word] = ~std::uint64_t{0};
        words_[last / 64] |= upto;
    }

    bool read_array(std::uint32_t count) noexcept {
        std::string_view numbers;
        if (!reader_.bytes(2 * std::size_t{count}, numbers)) return false;
        std::uint64_t* const words = words_.data() + first_ / 64;
        const char* at = numbers.data();
        std::size_t highest = 0;
        for (; count > 0; --count, at += 2) {
            std::uint16_t number = 0;
            std::memcpy(&number, at, sizeof(number));
            number = little_endian(number);
            highest = std::max<std::size_t>(highest, number);
            if (number >= room_) break;
            words[number / 64] |= std::uint64_t{1} << (number % 64);
        }
        return highest < room_;
    }

    bool read_words() noexcept {
        std::string_view bytes;
        if (!reader_.bytes(sizeof(std::uint64_t) * container_words, bytes)) return false;
        const std::size_t whole = room_ / 64;
        std::uint64_t* const words = words_.data() + first_ / 64;
        for (std::size_t at = 0; at < whole; ++at) words[at] |= word_at(bytes, at);
        std::size_t at = whole;
        if (room_ % 64 != 0) {
            const std::uint64_t word = word_at(bytes, at++);
            if ((word >> (room_ % 64)) != 0) return false;
            words[whole] |= word;
        }
        for (; at < container_words; ++at) {
            if (word_at(bytes, at) != 0) return false;
        }
        return true;
    }

    static std::uint64_t word_at(std::string_view bytes, std::size_t at) noexcept {
        std::uint64_t word = 0;
        std::memcpy(&word, bytes.data() + sizeof(word) * at, sizeof(word));
        return little_endian(word);
    }

    ByteReader reader_;
    std::size_t universe_;  // slots that exist
    std::span<std::uint64_t> words_;
    std::size_t first_ = 0;  // the first slot of the present container
    std::size_t room_ = 0;   // its slots that exist
};

}  // namespace

void append_slot_list(std::span<const std::uint64_t> words, std::string& out) {
    std::vector<Container> containers;
    for (std::size_t first = 0; first < words.size(); first += container_words) {
        const std::size_t count = std::min(container_words, words.size() - first);
        Container made = container_of(static_cast<std::uint16_t>(first / container_words), words.data() + first, count);
        if (made.count > 0) containers.push_back(std::move(made));
    }
    write_list(containers, out);
}

void append_slot_list(std::span<const Slot> slots, std::string& out) {
    std::vector<Container> containers;
    std::vector<std::uint64_t> words(container_words);
    for (std::size_t at = 0; at < slots.size();) {
        const Slot key = slots[at] >> 16;
        std::fill(words.begin(), words.end(), std::uint64_t{0});
        for (; at < slots.size() && slots[at] >> 16 == key; ++at) {
            words[(slots[at] & 0xffff) / 64] |= std::uint64_t{1} << (slots[at] % 64);
        }
        containers.push_back(container_of(static_cast<std::uint16_t>(key), words.data(), words.size()));
    }
    write_list(containers, out);
}

void add_slot_list(std::string_view list, Slot universe, std::span<std::uint64_t> words) {
    if (ListReader(list, universe, words).read()) return;
    raise(Errc::corrupt, "a list of slots is damaged: its " + std::to_string(list.size()) +
                             " bytes are no roaring bitmap of " + std::to_string(universe) + " slots");
}

}  // namespace kith::inline v0::detail
