// src/collection/segment_files.hpp — the files of one sealed segment, mapped whole or read through a cache.
//
// Thread safety: any number of threads may check, and read what is mapped.
#pragma once

#include "kith/collection/engine_schema.hpp"
#include "kith/collection/sealed_scalars.hpp"
#include "kith/collection/segment.hpp"
#include "kith/storage/cached_file.hpp"
#include "kith/storage/identity.hpp"
#include "kith/storage/lease.hpp"
#include "kith/storage/segment_file.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace kith::inline v0::detail {

class SegmentFiles {
public:
    /// Opens the files of a segment in `folder`, through `cache` where there is one. Of what they hold only headers are
    /// read, and checked.
    /// Throws: Errc::corrupt, Errc::unsupported_version, Errc::io.
    SegmentFiles(const std::filesystem::path& folder, const Identity& identity, std::uint32_t segment,
                 const EngineSchema& schema, const std::shared_ptr<BlockCache>& cache);

    /// The segment of `count` slots over these files, which it keeps. Where a graph is missing, or another index made it,
    /// vectors are compared one by one, and the segment is outdated(); where columns or an index of a scalar field are,
    /// conditions read rows, and the segment is incomplete().
    /// Throws: Errc::corrupt, Errc::unsupported_version; the text names the file.
    static std::shared_ptr<Segment> map(std::shared_ptr<SegmentFiles> files, std::uint32_t segment, Slot count,
                                        const EngineSchema& schema);

    /// Keeps `lease` for as long as the segment lives.
    void hold(SharedLease lease) noexcept { lease_ = std::move(lease); }

    /// Raises Errc::corrupt or Errc::io for what is damaged in a vector field, or in the keys (Segment::keys_part): through
    /// a cache what was read so far, else anything. Cheap when asked again.
    void check(std::size_t part) const;

    /// The same for the vector of a slot alone, of the `count` there are.
    void check_vector(std::size_t field, Slot slot, Slot count) const;

private:
    [[nodiscard]] ImageBytes image(std::size_t file) const;
    [[nodiscard]] bool has_graph(std::size_t field) const noexcept;
    [[nodiscard]] std::unique_ptr<const SealedScalars> scalars(const EngineSchema& schema, Slot count) const;
    void check_column(const ColumnFile& file, const StoredColumn& column) const;

    std::filesystem::path folder_;
    // Rows and graph of each field, null for a graph that is missing or that another index made; in one of the two.
    std::vector<std::unique_ptr<SegmentFile>> mapped_;
    std::vector<std::unique_ptr<CachedFile>> cached_;
    std::optional<SegmentFile> keys_;
    std::optional<SegmentFile> columns_;                        // where there are any
    std::vector<std::unique_ptr<SegmentFile>> scalar_indexes_;  // by the place of the field, null for one without
    SharedLease lease_;  // a reader's, of the folder; null for the writer, who alone removes it
};

}  // namespace kith::inline v0::detail
