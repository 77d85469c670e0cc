// src/storage/roaring.cpp — delete bitmaps by CRoaring; its only door.
//
// Through its C interface, which is the same from 0.2 to 5 and, unlike the C++ one, in no namespace in either. It only
// writes: its reader believes the counts it finds, and before version 1 writes past its memory where they are wrong.
//
// Source: github.com/RoaringBitmap/RoaringFormatSpec, for the reader.
#include "kith/storage/delete_bitmap.hpp"

#include "kith/core/assert.hpp"
#include "kith/core/bytes.hpp"
#include "kith/core/crc32c.hpp"
#include "kith/core/error.hpp"

#include <roaring/roaring.h>

#include <algorithm>
#include <bit>
#include <memory>
#include <vector>

namespace kith::inline v0::detail {

namespace {

constexpr std::size_t header_bytes = 16;  // on disk: checksum, bits, roaring bytes
constexpr std::size_t word_bits = 64;

struct FreeBitmap {
    void operator()(roaring_bitmap_t* bitmap) const noexcept { roaring_bitmap_free(bitmap); }
};
using Bitmap = std::unique_ptr<roaring_bitmap_t, FreeBitmap>;

[[noreturn]] void raise_damaged(std::size_t offset, const std::string& what) {
    raise(Errc::corrupt, "a delete bitmap is damaged at byte " + std::to_string(offset) + ": " + what);
}

std::vector<std::uint32_t> set_bits(const std::uint64_t* words, std::size_t bits) {
    std::vector<std::uint32_t> found;
    if (words == nullptr) return found;
    for (std::size_t word = 0; word * word_bits < bits; ++word) {
        for (std::uint64_t left = words[word]; left != 0; left &= left - 1) {
            const std::size_t bit = word * word_bits + static_cast<std::size_t>(std::countr_zero(left));
            if (bit < bits) found.push_back(static_cast<std::uint32_t>(bit));
        }
    }
    return found;
}

bool is_set(std::string_view flags, std::size_t bit) noexcept {
    const unsigned byte = static_cast<unsigned char>(flags[bit / 8]);
    return ((byte >> (bit % 8)) & 1U) != 0;
}

/// Reads the portable format, and believes nothing: whatever the bytes, only words of the bitmap are written.
class RoaringReader {
public:
    /// Requires: the (bits + 63) / 64 words are 0.
    RoaringReader(std::string_view bytes, std::uint64_t* words, std::size_t bits)
        : reader_(bytes), words_(words), bits_(bits) {}

    /// Sets the bits. False when the bytes are not as the format says or name a bit past the last; some are set then.
    [[nodiscard]] bool read() {
        std::string_view flags;
        std::string_view skipped;
        std::vector<Container> containers;
        if (!read_head(containers, flags)) return false;
        const bool has_offsets = flags.empty() || containers.size() >= fewest_with_offsets;
        if (has_offsets && !reader_.bytes(containers.size() * sizeof(std::uint32_t), skipped)) return false;
        for (std::size_t at = 0; at < containers.size(); ++at) {
            const Container& one = containers[at];
            if (at > 0 && one.key <= containers[at - 1].key) return false;
            const bool is_runs = !flags.empty() && is_set(flags, at);
            const bool whole = is_runs                      ? read_runs(one)
                               : one.count <= most_in_array ? read_array(one)
                                                            : read_words(one);
            if (!whole) return false;
        }
        return reader_.remaining() == 0;
    }

private:
    static constexpr std::uint32_t cookie_without_runs = 12346;  // on disk
    static constexpr std::uint32_t cookie_with_runs = 12347;     // on disk: the lower half
    static constexpr std::size_t fewest_with_offsets = 4;        // on disk: containers, where any is of runs
    static constexpr std::uint32_t most_in_array = 4096;         // on disk
    static constexpr std::size_t container_bits = 65536;         // on disk

    struct Container {
        std::uint16_t key = 0;    // of the upper half of its numbers
        std::uint32_t count = 0;  // of its numbers
    };

    /// The containers, and a bit each where some are of runs.
    bool read_head(std::vector<Container>& containers, std::string_view& flags) {
        std::uint32_t cookie = 0;
        std::uint32_t count = 0;
        if (!reader_.u32(cookie)) return false;
        if (cookie == cookie_without_runs) {
            if (!reader_.u32(count)) return false;
        } else {
            count = (cookie >> 16) + 1;
            if ((cookie & 0xffffU) != cookie_with_runs || !reader_.bytes((count + 7) / 8, flags)) return false;
        }
        if (count > (bits_ + container_bits - 1) / container_bits) return false;
        containers.resize(count);
        for (Container& one : containers) {
            std::uint16_t less_one = 0;
            if (!reader_.u16(one.key) || !reader_.u16(less_one)) return false;
            one.count = std::uint32_t{less_one} + 1;
        }
        return true;
    }

    bool read_runs(const Container& one) {
        std::uint16_t runs = 0;
        if (!reader_.u16(runs)) return false;
        std::uint32_t next = 0;  // the least number a run may begin with
        std::uint32_t count = 0;
        for (; runs > 0; --runs) {
            std::uint16_t first = 0;
            std::uint16_t more = 0;
            if (!reader_.u16(first) || !reader_.u16(more) || first < next) return false;
            next = std::uint32_t{first} + more + 1;
            if (next > container_bits) return false;
            count += next - first;
            for (std::uint32_t number = first; number < next; ++number) {
                if (!set(one, number)) return false;
            }
        }
        return count == one.count;
    }

    bool read_array(const Container& one) {
        std::uint32_t next = 0;
        for (std::uint32_t left = one.count; left > 0; --left) {
            std::uint16_t number = 0;
            if (!reader_.u16(number) || number < next || !set(one, number)) return false;
            next = std::uint32_t{number} + 1;
        }
        return true;
    }

    bool read_words(const Container& one) {
        std::uint32_t count = 0;
        for (std::size_t at = 0; at < container_bits; at += word_bits) {
            std::uint64_t word = 0;
            if (!reader_.u64(word)) return false;
            count += static_cast<std::uint32_t>(std::popcount(word));
            const std::size_t first = one.key * container_bits + at;
            const std::size_t there = first < bits_ ? std::min(bits_ - first, word_bits) : 0;
            if (there < word_bits && (word >> there) != 0) return false;
            if (there > 0) words_[first / word_bits] = word;
        }
        return count == one.count;
    }

    bool set(const Container& one, std::uint32_t number) {
        const std::size_t bit = one.key * container_bits + number;
        if (bit >= bits_) return false;
        words_[bit / word_bits] |= std::uint64_t{1} << (bit % word_bits);
        return true;
    }

    ByteReader reader_;
    std::uint64_t* words_;
    std::size_t bits_;
};

}  // namespace

std::string encode_bitmap(const std::uint64_t* words, std::size_t bits) {
    KITH_ASSERT(bits <= std::size_t{1} << 32);
    const std::vector<std::uint32_t> found = set_bits(words, bits);
    const Bitmap bitmap(roaring_bitmap_create());
    if (bitmap == nullptr) raise(Errc::out_of_memory, "no memory for a delete bitmap");
    if (!found.empty()) roaring_bitmap_add_many(bitmap.get(), found.size(), found.data());
    roaring_bitmap_run_optimize(bitmap.get());
    std::string compressed(roaring_bitmap_portable_size_in_bytes(bitmap.get()), '\0');
    compressed.resize(roaring_bitmap_portable_serialize(bitmap.get(), compressed.data()));

    std::string checked;
    ByteWriter fields(checked);
    fields.u64(bits);
    fields.u32(static_cast<std::uint32_t>(compressed.size()));
    fields.bytes(compressed);
    std::string bytes;
    ByteWriter writer(bytes);
    writer.u32(crc32c(checked));
    writer.bytes(checked);
    return bytes;
}

void decode_bitmap(std::string_view bytes, std::uint64_t* words, std::size_t bits) {
    std::fill_n(words, (bits + word_bits - 1) / word_bits, std::uint64_t{0});
    ByteReader reader(bytes);
    std::uint32_t crc = 0;
    std::uint64_t stored_bits = 0;
    std::uint32_t compressed_bytes = 0;
    if (!reader.u32(crc) || !reader.u64(stored_bits) || !reader.u32(compressed_bytes)) {
        raise_damaged(bytes.size(), "it ends inside its header");
    }
    if (crc != crc32c(bytes.substr(sizeof(crc)))) raise_damaged(sizeof(crc), "its checksum is wrong");
    if (stored_bits != bits) {
        raise_damaged(sizeof(crc), "it is for " + std::to_string(stored_bits) + " slots, not " + std::to_string(bits));
    }
    if (compressed_bytes != reader.remaining()) raise_damaged(header_bytes, "its length is wrong");

    if (RoaringReader(bytes.substr(header_bytes), words, bits).read()) return;
    std::fill_n(words, (bits + word_bits - 1) / word_bits, std::uint64_t{0});
    raise_damaged(header_bytes, "it is no roaring bitmap of its slots");
}

}  // namespace kith::inline v0::detail
