// src/storage/cached_file.cpp — blocks brought in, compared, and given back.
#include "kith/storage/cached_file.hpp"

#include "kith/core/error.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace kith::inline v0::detail {

namespace {

static_assert(BlockCache::block_bytes == segment_block_bytes && MappedFile::alignment % segment_block_bytes == 0,
              "a page fault maps no page outside its block");

constexpr unsigned state_shift = 56;  // of damage_: the state of a block stands above its number

}  // namespace

CachedFile::Opened CachedFile::open(const std::filesystem::path& path, const SegmentFileTag& tag) {
    File file = File::open_to_read(path);
    SegmentFile segment(file, tag);
    return {std::move(file), std::move(segment)};
}

CachedFile::CachedFile(std::shared_ptr<BlockCache> cache, const std::filesystem::path& path, const SegmentFileTag& tag)
    : CachedFile(std::move(cache), open(path, tag)) {}

CachedFile::CachedFile(std::shared_ptr<BlockCache> cache, Opened opened)
    : Member(*cache, opened.segment.block_count()), cache_(std::move(cache)), file_(std::move(opened.segment)) {
    if (cache_->take_descriptor()) descriptor_ = std::move(opened.file);
    file_.mapping().expect_random_reads();
    // It may have been written a moment ago, and then the system keeps it in pieces larger than a block.
    forget(0, 0);
}

CachedFile::~CachedFile() {
    leave();
    if (descriptor_.is_open()) cache_->give_descriptor();
}

/// What cannot be forgotten, because no descriptor is left or the file has no name any more, the system keeps as long as
/// it likes: memory that nobody's limit counts, unless a control group's does.
void CachedFile::forget(std::size_t offset, std::size_t bytes) const noexcept {
    if (descriptor_.is_open()) return descriptor_.forget_cached(offset, bytes);
    static_cast<void>(attempt([&] {
        const File file = File::open_if_there(file_.path());
        if (file.is_open()) file.forget_cached(offset, bytes);
    }));
}

void* CachedFile::hold(std::span<const Piece> pieces, Use use) noexcept {
    std::array<std::uint32_t, BlockCache::most_held> blocks;
    std::size_t count = 0;
    const std::span<const std::byte> bytes = file_.mapping().bytes();
    for (const Piece& piece : pieces) {
        if (piece.bytes == 0) continue;
        const auto begin = static_cast<std::size_t>(static_cast<const std::byte*>(piece.first) - bytes.data());
        if (begin >= bytes.size()) continue;
        const auto first = static_cast<std::uint32_t>(begin / segment_block_bytes);
        const auto last =
            static_cast<std::uint32_t>((begin + std::min(piece.bytes, bytes.size() - begin) - 1) / segment_block_bytes);
        for (std::uint32_t block = first; block <= last; ++block) {
            if (count > 0 && blocks[count - 1] == block) continue;
            if (count == blocks.size()) {  // more than is held at once: those so far were at least brought in
                cache_->release(cache_->hold(*this, blocks, use));
                count = 0;
            }
            blocks[count++] = block;
        }
    }
    return cache_->hold(*this, std::span(blocks).first(count), use);
}

void CachedFile::release(void* held) noexcept {
    cache_->release(held);
}

void CachedFile::ask_for(std::size_t block) noexcept {
    const SegmentFile::Range range = file_.block_range(block);
    file_.mapping().ask_for(range.begin, range.bytes);
}

bool CachedFile::read(std::size_t block) noexcept {
    ask_for(block);  // whole, or the pages of a mapping for random reads would come one by one
    const SegmentFile::BlockState state = file_.check(block);
    if (state == SegmentFile::BlockState::right) return true;
    std::uint64_t none = 0;
    damage_.compare_exchange_strong(none, (static_cast<std::uint64_t>(state) << state_shift) | (block + 1));
    const SegmentFile::Range range = file_.block_range(block);
    if (!file_.mapping().replace_by_zeros(range.begin, range.bytes)) {
        // The system splits mappings no further. Zeros all over need no split, and nobody is told anything but damage.
        static_cast<void>(file_.mapping().replace_by_zeros(0, file_.mapping().bytes().size()));
    }
    forget(range.begin, range.bytes);
    return false;
}

void CachedFile::drop(std::size_t block) noexcept {
    const SegmentFile::Range range = file_.block_range(block);
    file_.mapping().let_go(range.begin, range.bytes);
    forget(range.begin, segment_block_bytes);
}

void CachedFile::raise_damage() const {
    const std::uint64_t damage = damage_.load();
    if (damage == 0) [[likely]]
        return;
    file_.raise_block((damage & ((std::uint64_t{1} << state_shift) - 1)) - 1,
                      static_cast<SegmentFile::BlockState>(damage >> state_shift));
}

void CachedFile::verify() {
    for (std::size_t block = 0; block < file_.block_count(); ++block) {
        const std::byte* const first = file_.mapping().bytes().data() + file_.block_range(block).begin;
        static_cast<void>(Held(this, first, 1, Use::in_order));
        raise_damage();
    }
}

}  // namespace kith::inline v0::detail
