// kith/storage/delete_bitmap.hpp — which slots of a segment are deleted, in few bytes.
//
//   bitmap := u32 CRC-32C of all that follows; u64 bits; u32 roaring bytes; roaring bitmap, portable format  (on disk)
//
// In memory a bitmap is plain words, as BitsetView reads them; only what is stored is compressed.
//
// Thread safety: any number of threads.
// Source: the portable format of github.com/RoaringBitmap/RoaringFormatSpec.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace kith::inline v0::detail {

/// The stored form of `bits` bits; `words` may be null when all of them are 0.
/// Requires: bits is at most 2^32; bits of the last word past `bits` are ignored.
[[nodiscard]] std::string encode_bitmap(const std::uint64_t* words, std::size_t bits);

/// Sets the (bits + 63) / 64 words to what encode_bitmap was given.
/// Throws: Errc::corrupt when a byte is wrong or missing, or it was made for another number of bits; words are then 0.
void decode_bitmap(std::string_view bytes, std::uint64_t* words, std::size_t bits);

}  // namespace kith::inline v0::detail
