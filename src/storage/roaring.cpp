// src/storage/roaring.cpp — delete bitmaps by CRoaring; its only door.
//
// Through its C interface, which is the same from 0.2 to 5 and, unlike the C++ one, in no namespace in either.
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
    // All of it is proven before CRoaring sees any: given wrong bytes it prints, or reads where it should not.
    if (crc != crc32c(bytes.substr(sizeof(crc)))) raise_damaged(sizeof(crc), "its checksum is wrong");
    if (stored_bits != bits) {
        raise_damaged(sizeof(crc), "it is for " + std::to_string(stored_bits) + " slots, not " + std::to_string(bits));
    }
    if (compressed_bytes != reader.remaining()) raise_damaged(header_bytes, "its length is wrong");

    const Bitmap bitmap(roaring_bitmap_portable_deserialize_safe(bytes.data() + header_bytes, compressed_bytes));
    if (bitmap == nullptr) raise_damaged(header_bytes, "it is no roaring bitmap");
    std::vector<std::uint32_t> found(static_cast<std::size_t>(roaring_bitmap_get_cardinality(bitmap.get())));
    roaring_bitmap_to_uint32_array(bitmap.get(), found.data());
    if (!found.empty() && found.back() >= bits) raise_damaged(header_bytes, "it names a slot past its end");
    for (const std::uint32_t bit : found) words[bit / word_bits] |= std::uint64_t{1} << (bit % word_bits);
}

}  // namespace kith::inline v0::detail
