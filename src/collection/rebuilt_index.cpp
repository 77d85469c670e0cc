// src/collection/rebuilt_index.cpp — stored rows to floats, and floats to a new index.
#include "collection/rebuilt_index.hpp"

#include "collection/stored_vectors.hpp"
#include "kith/core/element.hpp"
#include "kith/core/error.hpp"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <vector>

namespace kith::inline v0::detail {

namespace {

template <Element T>
void decode(const char* row, std::size_t dim, float* out) {
    std::vector<T> elements(elements_for<T>(dim));
    std::memcpy(elements.data(), row, elements.size() * sizeof(T));
    decode_elements(elements.data(), dim, out);
}

/// The function for an element number. On disk: see StoredVectors.
auto decoder_of(std::uint32_t element) {
    using Decoder = void (*)(const char*, std::size_t, float*);
    constexpr Decoder decoders[] = {decode<float>,       decode<Half>,         decode<Bfloat16>,
                                    decode<std::int8_t>, decode<std::uint8_t>, decode<Bits8>};
    return element < std::size(decoders) ? decoders[element] : nullptr;
}

}  // namespace

std::unique_ptr<VectorIndex> rebuilt_index(const VectorFieldType& type, Slot count, const SegmentFile& rows) {
    rows.verify();
    const std::string_view payload(reinterpret_cast<const char*>(rows.payload().data()), rows.payload().size());
    const std::optional<StoredVectors> vectors = StoredVectors::read(payload);
    const bool fits = vectors.has_value() && vectors->dim == type.dim && vectors->count == count &&
                      payload.size() == StoredVectors::header_bytes + std::size_t{count} * vectors->row_bytes();
    if (!fits || decoder_of(vectors->element) == nullptr) {
        raise(Errc::corrupt, rows.path().string() + " is damaged at byte " + std::to_string(segment_payload_offset) +
                                 ": it does not hold " + std::to_string(count) + " vectors of dimension " +
                                 std::to_string(type.dim));
    }
    std::unique_ptr<VectorIndex> index = type.make(type.dim, count);
    std::vector<float> vector(type.dim);
    for (Slot slot = 0; slot < count; ++slot) {
        const char* const row = payload.data() + StoredVectors::header_bytes + slot * vectors->row_bytes();
        decoder_of(vectors->element)(row, type.dim, vector.data());
        index->append(vector.data());
    }
    return index;
}

}  // namespace kith::inline v0::detail
