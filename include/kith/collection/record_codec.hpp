// kith/collection/record_codec.hpp — typed records to the engine's bytes and back.
#pragma once

#include "kith/collection/batch.hpp"
#include "kith/collection/engine.hpp"
#include "kith/core/error.hpp"

#include <cstddef>
#include <span>
#include <string>
#include <type_traits>
#include <utility>

namespace kith::inline v0::detail {

[[noreturn]] inline void raise_bad_row(RecordId id) {
    raise(Errc::corrupt, "the row of segment " + std::to_string(id.segment) + ", slot " + std::to_string(id.slot) +
                             " cannot be read under this schema");
}

/// Adds a put of `record` to `batch`.
template <class S>
void put_record(const typename S::Record& record, BatchWriter& batch) {
    std::string row;
    S::encode_row(record, row);
    batch.put(S::key_bytes(S::key_of(record)), row);
    S::for_each_vector(record, [&](std::size_t, std::span<const float> elements) { batch.vector(elements); });
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
    S::for_each_vector(record, [&](std::size_t field, std::span<float> elements) {
        view.segment->index(field).vector(slot, elements.data());
    });
    return record;
}

}  // namespace kith::inline v0::detail
