// kith/storage/segment_file.hpp — one immutable, checksummed, mapped file: the rows of a segment, or its graph.
//
//   segment file := header; payload; table                                                                 (on disk)
//   header       := magic "kithSEGM"; u32 version (2); 16 bytes collection id; u32 segment id; u32 kind;
//                   u64 payload bytes; u32 block bytes (65536); u32 CRC-32C of table; 64 bytes maker, with zeros
//                   behind it; zeros up to byte 4092; u32 CRC-32C of the 4092 before
//   table        := for each block u32 CRC-32C of the payload in it
//
// A block is 65536 bytes of the file, counted from its beginning: the first one holds the header and the payload behind
// it, the last one ends with the payload. So a reader checks what it needs when it needs it, and opening reads only
// header and table.
//
// The payload begins at byte 4096, so it is aligned to anything when the file is mapped. The header names where the
// file belongs: one that strayed from another segment or collection is refused.
//
// Thread safety: any number of threads may read and verify one; writing belongs to one thread.
#pragma once

#include "kith/core/byte_sink.hpp"
#include "kith/storage/identity.hpp"
#include "kith/storage/mapped_file.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kith::inline v0::detail {

inline constexpr std::uint32_t segment_file_version = 2;     // on disk
inline constexpr std::size_t segment_payload_offset = 4096;  // on disk
inline constexpr std::size_t segment_block_bytes = 65536;    // on disk

/// Where a file belongs.
struct SegmentFileTag {
    CollectionId collection{};
    std::uint32_t segment = 0;
    std::uint32_t kind = 0;  // what the payload is; the collection gives the numbers

    friend bool operator==(const SegmentFileTag&, const SegmentFileTag&) = default;
};

inline constexpr std::size_t max_maker_bytes = 64;  // on disk

/// Writes a file whose payload is what `produce` hands to its sink, piece by piece. `maker` says what can read it, where
/// that is not always the same. Requires: that has at most max_maker_bytes.
/// Ensures: the file is on the disk, whole, under its name.
/// Throws: Errc::disk_full, Errc::io, what `produce` throws; nothing is left behind but what stood there before.
void write_segment_file(const std::filesystem::path& path, const SegmentFileTag& tag,
                        const std::function<void(const ByteSink&)>& produce, std::string_view maker = {});

class SegmentFile {
public:
    /// Maps the file, and checks its length, its header and its table.
    /// Throws: Errc::corrupt, naming path and offset, when it is cut, damaged there or belongs elsewhere;
    /// Errc::unsupported_version; Errc::io when it cannot be read.
    /// Cost: two reads, of 4096 bytes and of 4 for every 65536.
    SegmentFile(const std::filesystem::path& path, const SegmentFileTag& tag);

    /// The same with a file that is open, and need not stay so.
    SegmentFile(const File& file, const SegmentFileTag& tag);

    /// The payload, 4096-aligned; it lives as long as this object. Nobody has checked it before verify() did.
    [[nodiscard]] std::span<const std::byte> payload() const noexcept {
        return file_.bytes().subspan(segment_payload_offset, payload_bytes_);
    }

    [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

    /// As it was written with.
    [[nodiscard]] const std::string& maker() const noexcept { return maker_; }

    /// Checks every block that was not found right before; who calls beside it waits and is told the same.
    /// Throws: Errc::corrupt with path and offset of the first block that is wrong, Errc::io where one cannot be read;
    /// and so again when it is called again.
    /// Cost: one pass over the file the first time, a load after that.
    void verify() const;

    /// The same for the blocks that `bytes` bytes of the payload from `offset` on lie in.
    /// Requires: they are within the payload.
    void verify(std::size_t offset, std::size_t bytes) const;

    // For whoever reads blocks by number:

    enum class BlockState : std::uint8_t { right, wrong, unreadable };

    [[nodiscard]] std::size_t block_count() const noexcept { return checks_->table.size(); }

    /// The bytes of the mapping that a block takes, as an offset in the file and a length.
    struct Range {
        std::size_t begin = 0, bytes = 0;
    };
    [[nodiscard]] Range block_range(std::size_t block) const noexcept;

    /// Reads a block and compares it with its checksum, whatever was found before.
    [[nodiscard]] BlockState check(std::size_t block) const noexcept;

    /// Throws: what verify() throws for a block in such a state. Requires: it is not right.
    [[noreturn]] void raise_block(std::size_t block, BlockState state) const;

    [[nodiscard]] const MappedFile& mapping() const noexcept { return file_; }

private:
    /// What is known of the blocks.
    struct Checks {
        std::vector<std::uint32_t> table;                  // the checksum of each
        std::vector<std::atomic<std::uint64_t>> verified;  // a bit each, once it was found right
        std::atomic<bool> all_verified = false;
        std::mutex verifying;  // held by the one who checks them all
    };

    void verify_block(std::size_t block) const;

    std::filesystem::path path_;     // for errors
    std::string maker_;              // what can read the payload
    MappedFile file_;                // header and payload, without the table
    std::size_t payload_bytes_ = 0;  // the mapping is segment_payload_offset longer
    std::unique_ptr<Checks> checks_;
};

}  // namespace kith::inline v0::detail
