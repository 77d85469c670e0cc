// kith/collection/scalar_files.hpp — writes the columns and indexes of a segment in about as much memory as it may take.
//
// Rows are read as often as that needs: a pass makes all that is left, and what takes up most goes out of it, to be made
// in a later one, while together they take more. A column that is too large by itself goes to its file as it is read. An
// index that is too large by itself is held all the same: its terms have to be sorted.
//
// What a format has no room for is left out, and the columns say so: conditions then do without it.
//
// Thread safety: none; one thread writes the files of a segment.
#pragma once

#include "kith/core/byte_sink.hpp"
#include "kith/core/long_call.hpp"
#include "kith/core/slot.hpp"
#include "kith/schema/field.hpp"

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>

namespace kith::inline v0::detail {

/// What the files are made from.
struct ScalarSource {
    std::span<const FieldInfo> fields;     // of a schema, in their order
    Slot count = 0;                        // slots
    std::function<std::string(Slot)> row;  // empty for a slot that nobody sees; the same each time it is asked for
};

/// Writes a file of what `produce` hands to its sink: the columns, or the index of a field, by its place in the record.
/// That of an index is called while that of the columns goes on.
using WriteScalarFile =
    std::function<void(std::optional<std::size_t> index_of, const std::function<void(const ByteSink&)>& produce)>;

/// Throws: Errc::corrupt for a row that does not hold those fields; what `write`, `row` and `call` throw, but for what
/// raises Errc::limit_exceeded while an index is written: that index is left out.
/// Requires: `memory_bytes` is not 0.
/// Cost: about `memory_bytes` of memory, or more where one index takes more (see estimate()).
void write_scalar_files(const ScalarSource& source, std::size_t memory_bytes, const WriteScalarFile& write,
                        const LongCall& call = {});

}  // namespace kith::inline v0::detail
