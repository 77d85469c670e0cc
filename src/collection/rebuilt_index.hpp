// src/collection/rebuilt_index.hpp — an index in memory over the vectors of a sealed segment whose graph is missing.
//
// A graph is derived from its vectors. When its file is gone, because it was damaged and a repair left it out, the
// segment opens all the same: its vectors are compared one by one until the background has linked them.
//
// Thread safety: any number of threads.
#pragma once

#include "kith/collection/engine_schema.hpp"
#include "kith/core/slot.hpp"
#include "kith/index/vector_index.hpp"
#include "kith/storage/segment_file.hpp"

#include <memory>

namespace kith::inline v0::detail {

/// An index that holds the `count` vectors of `rows`, none of them linked yet.
/// Throws: Errc::corrupt, Errc::io, Errc::unsupported_version.
/// Cost: one pass over the file, and its bytes in memory.
[[nodiscard]] std::unique_ptr<VectorIndex> rebuilt_index(const VectorFieldType& type, Slot count,
                                                         const SegmentFile& rows);

}  // namespace kith::inline v0::detail
