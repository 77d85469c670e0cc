// kith/collection/engine_schema.hpp — what the engine knows of a schema: names, sizes, and how to make an index.
//
// The engine moves keys, rows and vectors as bytes, so one engine serves every schema, typed or known only at run
// time. Only the factories below are instantiated for each vector field.
#pragma once

#include "kith/core/residency.hpp"
#include "kith/core/slot.hpp"
#include "kith/index/index_space.hpp"
#include "kith/index/vector_index.hpp"
#include "kith/schema/field.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kith::inline v0::detail {

struct VectorFieldType {
    std::string_view name;
    std::string_view index;  // what makes graphs: on disk, in each
    std::size_t dim = 0;
    std::size_t bytes = 0;  // of a vector in a batch
    /// The floats of a vector in a batch.
    void (*read)(const char* bytes, std::size_t dim, float* out) noexcept = nullptr;
    /// An empty index in memory for up to `capacity` rows.
    std::unique_ptr<VectorIndex> (*make)(std::size_t dim, Slot capacity) = nullptr;
    /// An index of `count` rows over bytes that VectorIndex::save_rows and save_graph wrote; nothing is copied.
    std::unique_ptr<VectorIndex> (*map)(std::size_t dim, Slot count, const ImageBytes& rows,
                                        const ImageBytes& graph) = nullptr;
    /// The same without a graph, whose vectors are compared one by one.
    std::unique_ptr<VectorIndex> (*map_flat)(std::size_t dim, Slot count, const ImageBytes& rows,
                                             const ImageBytes& nothing) = nullptr;
    /// What `count` vectors take, in memory until they are sealed and on disk from then on.
    IndexSpace (*space)(std::size_t dim, Slot count) = nullptr;
};

struct EngineSchema {
    std::string descriptor;
    std::uint64_t fingerprint = 0;
    std::vector<VectorFieldType> vectors;
    std::span<const FieldInfo> fields = {};  // all of a record, in order; none where rows are only bytes
    /// A key as a person writes it, for messages.
    std::string (*show_key)(std::string_view key) = nullptr;
    /// Readable lines on what differs between two descriptors in how records are stored; none when nothing does.
    std::string (*difference)(std::string_view stored, std::string_view current) = nullptr;

    /// Bytes of the vector fields of one record.
    [[nodiscard]] std::size_t vector_bytes() const noexcept {
        std::size_t bytes = 0;
        for (const VectorFieldType& field : vectors) bytes += field.bytes;
        return bytes;
    }
};

}  // namespace kith::inline v0::detail
