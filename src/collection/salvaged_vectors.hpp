// src/collection/salvaged_vectors.hpp — the vectors of a segment that can still be read, and proved right.
//
// A file whose header is damaged says by its length where everything stands, and its table proves the blocks. Where the
// table is damaged the header proves it: when the checksums of the blocks as they are make the table that the header
// knows, the blocks are right. Of a file that was cut the table is gone, and what stands before the cut has no proof.
//
// Thread safety: none; each owner uses its own.
#pragma once

#include "collection/stored_schema.hpp"
#include "collection/stored_vectors.hpp"
#include "kith/core/slot.hpp"
#include "kith/storage/segment_file.hpp"
#include "storage/log_file_reader.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace kith::inline v0::detail {

class SalvagedVectors {
public:
    /// Reads a `.rows` file of `count` vectors. One that is missing, or of another segment, holds nothing.
    SalvagedVectors(const std::filesystem::path& path, const SegmentFileTag& tag, const StoredVectorField& field,
                    Slot count);

    /// Whether the vector of a slot can be read, and nothing speaks against it.
    [[nodiscard]] bool holds(Slot slot) const noexcept { return holds_[slot]; }
    /// Whether every vector that it holds is proved right.
    [[nodiscard]] bool proved() const noexcept { return proved_; }
    /// Whether the file is wholly sound.
    [[nodiscard]] bool sound() const noexcept { return sound_; }

    /// Writes a payload of the same shape, with zeros for the vectors that are lost.
    /// Requires: it holds one.
    void write(const ByteSink& sink);

private:
    struct Shape {
        std::uint64_t payload_bytes = 0;
        bool table_is_there = false;
    };

    [[nodiscard]] std::optional<Shape> shape(const SegmentFileTag& tag);
    void check_blocks(const Shape& shape);
    void note_wrong(std::uint64_t begin, std::uint64_t end);
    [[nodiscard]] bool find_layout(const StoredVectorField& field, std::uint64_t payload_bytes);
    [[nodiscard]] std::vector<std::uint32_t> stored_table(const Shape& shape, std::size_t blocks);

    std::unique_ptr<FileWindow> file_;
    StoredVectors vectors_;
    std::vector<bool> holds_;
    bool proved_ = true;
    bool sound_ = false;
};

}  // namespace kith::inline v0::detail
