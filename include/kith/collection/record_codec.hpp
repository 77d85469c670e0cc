// kith/collection/record_codec.hpp — typed records to the engine's bytes and back.
#pragma once

#include "kith/collection/batch.hpp"
#include "kith/collection/engine.hpp"
#include "kith/core/element.hpp"
#include "kith/core/error.hpp"

#include <concepts>
#include <cstddef>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace kith::inline v0::detail {

[[noreturn]] inline void raise_bad_row(RecordId id) {
    raise(Errc::corrupt, "the row of segment " + std::to_string(id.segment) + ", slot " + std::to_string(id.slot) +
                             " cannot be read under this schema");
}

/// `elements` as floats, in place or in `buffer`.
template <Element T>
std::span<const float> floats_of(std::span<const T> elements, std::vector<float>& buffer) {
    if constexpr (std::same_as<T, float>) {
        return elements;
    } else {
        buffer.resize(elements.size() * dimensions_an_element<T>);
        decode_elements(elements.data(), buffer.size(), buffer.data());
        return buffer;
    }
}

/// Fills `elements` from the floats that read(out) writes.
template <Element T, class Read>
void fill_elements(std::span<T> elements, const Read& read) {
    if constexpr (std::same_as<T, float>) {
        read(elements.data());
    } else {
        std::vector<float> floats(elements.size() * dimensions_an_element<T>);
        read(floats.data());
        encode_elements(floats.data(), floats.size(), elements.data());
    }
}

/// Adds a put of `record` to `batch`.
template <class S>
void put_record(const typename S::Record& record, BatchWriter& batch) {
    std::string row;
    S::encode_row(record, row);
    batch.put(S::key_bytes(S::key_of(record)), row);
    S::for_each_vector(record, [&]<class T>(std::size_t, std::span<const T> elements) { batch.vector(elements); });
}

/// Fills the fields of `record` that live in its row: all but the vector fields.
template <class S>
void decode_row(const Engine& engine, const SegmentView& view, Slot slot, typename S::Record& record) {
    if (!S::decode_row(engine.row(view, slot), record)) raise_bad_row({view.segment->id(), slot});
}

/// A whole record, its vectors bit for bit as they were written.
template <class S>
typename S::Record decode_record(const Engine& engine, const SegmentView& view, Slot slot) {
    typename S::Record record{};
    decode_row<S>(engine, view, slot, record);
    S::for_each_vector(record, [&](std::size_t field, auto elements) {
        fill_elements(elements, [&](float* out) { view.segment->vector(field, slot, out); });
    });
    return record;
}

}  // namespace kith::inline v0::detail
