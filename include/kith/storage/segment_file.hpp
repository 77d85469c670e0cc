// kith/storage/segment_file.hpp — one immutable, checksummed, mapped file: the rows of a segment, or its graph.
//
//   segment file := header; payload                                                                        (on disk)
//   header       := magic "kithSEGM"; u32 version (1); 16 bytes collection id; u32 segment id; u32 kind;
//                   u64 payload bytes; u32 CRC-32C of payload; zeros up to byte 4092; u32 CRC-32C of the 4092 before
//
// The payload begins at byte 4096, so it is aligned to anything when the file is mapped. The header names where the
// file belongs: one that strayed from another segment or collection is refused.
//
// Thread safety: any number of threads may read one; writing belongs to one thread.
#pragma once

#include "kith/storage/identity.hpp"
#include "kith/storage/mapped_file.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>

namespace kith::inline v0::detail {

inline constexpr std::uint32_t segment_file_version = 1;     // on disk
inline constexpr std::size_t segment_payload_offset = 4096;  // on disk

/// Where a file belongs.
struct SegmentFileTag {
    CollectionId collection{};
    std::uint32_t segment = 0;
    std::uint32_t kind = 0;  // what the payload is; the collection gives the numbers

    friend bool operator==(const SegmentFileTag&, const SegmentFileTag&) = default;
};

/// Takes the next bytes of a payload.
using ByteSink = std::function<void(const void*, std::size_t)>;

/// Writes a file whose payload is what `produce` hands to its sink, piece by piece.
/// Ensures: the file is on the disk, whole, under its name.
/// Throws: Errc::disk_full, Errc::io, what `produce` throws; nothing is left behind but what stood there before.
void write_segment_file(const std::filesystem::path& path, const SegmentFileTag& tag,
                        const std::function<void(const ByteSink&)>& produce);

class SegmentFile {
public:
    /// Maps the file and checks every byte of it.
    /// Throws: Errc::corrupt, naming path and offset, when it is cut, damaged or belongs elsewhere;
    /// Errc::unsupported_version; Errc::io when it cannot be read.
    /// Cost: one pass over the file.
    SegmentFile(const std::filesystem::path& path, const SegmentFileTag& tag);

    /// The payload, 4096-aligned; it lives as long as this object.
    [[nodiscard]] std::span<const std::byte> payload() const noexcept {
        return file_.bytes().subspan(segment_payload_offset);
    }

private:
    MappedFile file_;  // at least segment_payload_offset bytes
};

}  // namespace kith::inline v0::detail
