// kith/storage/cached_file.hpp — a segment file of which only some blocks are in memory at a time.
//
// All of it is mapped, so a pointer into it is always valid; but pages are there only for the blocks that a BlockCache
// keeps, and neither the process nor the system's own cache holds more of it. A block is compared with its checksum each
// time it comes in. One that is wrong, or that cannot be read, is replaced by zeros, for searches have no way to stop:
// whoever searched asks afterwards, and is told.
//
// Thread safety: any number of threads may hold, read and ask; it is made and destroyed by one.
#pragma once

#include "kith/core/residency.hpp"
#include "kith/storage/block_cache.hpp"
#include "kith/storage/file.hpp"
#include "kith/storage/segment_file.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

namespace kith::inline v0::detail {

class CachedFile final : public Residency, private BlockCache::Member {
public:
    /// Opens a segment file; nothing of its payload is read. What of it is in the system's cache is dropped.
    /// Throws: as SegmentFile.
    CachedFile(std::shared_ptr<BlockCache> cache, const std::filesystem::path& path, const SegmentFileTag& tag);

    /// Requires: nothing of it is held.
    ~CachedFile();

    /// The payload, and this as who brings it in. It lives as long as this object.
    [[nodiscard]] ImageBytes image() noexcept { return {file_.payload(), this}; }

    /// As SegmentFile::maker.
    [[nodiscard]] const std::string& maker() const noexcept { return file_.maker(); }

    /// Asks whether a block that anybody held was damaged.
    /// Throws: Errc::corrupt with path and offset of the first block that was wrong, Errc::io where it could not be
    /// read; from then on always.
    /// Cost: one load.
    void raise_damage() const;

    /// Checks every block, through the cache. Throws: as raise_damage.
    void verify();

    [[nodiscard]] void* hold(std::span<const Piece> pieces, Use use) noexcept override;
    void release(void* held) noexcept override;

private:
    /// Opened first: a Member has to know how many blocks there are.
    struct Opened {
        File file;
        SegmentFile segment;
    };
    static Opened open(const std::filesystem::path& path, const SegmentFileTag& tag);
    CachedFile(std::shared_ptr<BlockCache> cache, Opened opened);

    void forget(std::size_t offset, std::size_t bytes) const noexcept;
    void ask_for(std::size_t block) noexcept override;
    [[nodiscard]] bool read(std::size_t block) noexcept override;
    void drop(std::size_t block) noexcept override;

    std::shared_ptr<BlockCache> cache_;
    File descriptor_;  // by it the system is told what it need not keep; open where the cache had a place for it
    SegmentFile file_;
    std::atomic<std::uint64_t> damage_ = 0;  // 0, or state and 1 + number of the first block that is damaged
};

}  // namespace kith::inline v0::detail
