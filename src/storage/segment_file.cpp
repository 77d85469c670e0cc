// src/storage/segment_file.cpp — a payload streamed out under checksums, mapped back in, and checked block by block.
#include "kith/storage/segment_file.hpp"

#include "kith/core/assert.hpp"
#include "kith/core/bytes.hpp"
#include "kith/core/crc32c.hpp"
#include "kith/core/error.hpp"
#include "kith/storage/file.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

namespace kith::inline v0::detail {

namespace {

constexpr std::string_view magic = "kithSEGM";                         // on disk
constexpr std::size_t header_crc_offset = segment_payload_offset - 4;  // on disk
constexpr std::size_t tag_offset = 12;                                 // on disk
constexpr std::size_t block_bytes_offset = 44;                         // on disk
constexpr std::size_t piece_bytes = std::size_t{1} << 20;

struct Header {
    std::uint32_t version = segment_file_version;
    SegmentFileTag tag;
    std::uint64_t payload_bytes = 0;
    std::uint32_t block_bytes = segment_block_bytes;
    std::uint32_t table_crc = 0;
    std::string maker;
};

std::string encode_header(const Header& header) {
    std::string bytes(magic);
    ByteWriter writer(bytes);
    writer.u32(header.version);
    writer.bytes(header.tag.collection.data(), header.tag.collection.size());
    writer.u32(header.tag.segment);
    writer.u32(header.tag.kind);
    writer.u64(header.payload_bytes);
    writer.u32(header.block_bytes);
    writer.u32(header.table_crc);
    writer.bytes(header.maker);
    bytes.resize(header_crc_offset, '\0');
    writer.u32(crc32c(bytes));
    return bytes;
}

[[noreturn]] void raise_damaged(const std::filesystem::path& path, std::uint64_t offset, const std::string& what) {
    raise(Errc::corrupt, path.string() + " is damaged at byte " + std::to_string(offset) + ": " + what);
}

Header decode_header(std::string_view bytes, const std::filesystem::path& path) {
    if (bytes.size() < segment_payload_offset) raise_damaged(path, bytes.size(), "it ends inside its header");
    if (bytes.substr(0, magic.size()) != magic) raise_damaged(path, 0, "it does not begin as a segment file does");
    std::uint32_t crc = 0;
    static_cast<void>(ByteReader(bytes.substr(header_crc_offset)).u32(crc));
    if (crc != crc32c(bytes.substr(0, header_crc_offset))) {
        raise_damaged(path, magic.size(), "the checksum of its header is wrong");
    }
    Header header;
    std::string_view id, maker;
    ByteReader reader(bytes.substr(magic.size()));
    static_cast<void>(reader.u32(header.version) && reader.bytes(header.tag.collection.size(), id) &&
                      reader.u32(header.tag.segment) && reader.u32(header.tag.kind) &&
                      reader.u64(header.payload_bytes) && reader.u32(header.block_bytes) &&
                      reader.u32(header.table_crc) && reader.bytes(max_maker_bytes, maker));
    header.maker = maker.substr(0, maker.find('\0'));
    for (std::size_t i = 0; i < id.size(); ++i) header.tag.collection[i] = static_cast<std::uint8_t>(id[i]);
    return header;
}

void require_belongs(const Header& header, const SegmentFileTag& tag, const std::filesystem::path& path) {
    if (header.version != segment_file_version) {
        raise(Errc::unsupported_version, path.string() + " was written by segment format " +
                                             std::to_string(header.version) + ", this build reads " +
                                             std::to_string(segment_file_version));
    }
    if (header.tag.collection != tag.collection) raise_damaged(path, tag_offset, "it belongs to another collection");
    if (header.tag != tag) {
        raise_damaged(path, tag_offset + tag.collection.size(),
                      "it is file " + std::to_string(header.tag.kind) + " of segment " +
                          std::to_string(header.tag.segment) + ", not file " + std::to_string(tag.kind) +
                          " of segment " + std::to_string(tag.segment));
    }
    if (header.block_bytes != segment_block_bytes) {
        raise_damaged(path, block_bytes_offset, "its blocks have " + std::to_string(header.block_bytes) + " bytes");
    }
}

/// Blocks of a file with so many bytes of header and payload.
std::size_t blocks_for(std::uint64_t bytes) noexcept {
    return static_cast<std::size_t>((bytes + segment_block_bytes - 1) / segment_block_bytes);
}

/// The checksums of the blocks of a payload that comes piece by piece.
class BlockSums {
public:
    void add(std::string_view bytes) {
        while (!bytes.empty()) {
            const std::string_view now = bytes.substr(0, segment_block_bytes - filled_);
            crc_ = crc32c(now, crc_);
            filled_ += now.size();
            payload_bytes_ += now.size();
            bytes.remove_prefix(now.size());
            if (filled_ == segment_block_bytes) end_block();
        }
    }

    [[nodiscard]] std::uint64_t payload_bytes() const noexcept { return payload_bytes_; }

    /// The table. Requires: all of the payload was added; called once.
    [[nodiscard]] std::string table() {
        if (filled_ > 0) end_block();
        return std::move(table_);
    }

private:
    void end_block() {
        ByteWriter(table_).u32(crc_);
        crc_ = 0;
        filled_ = 0;
    }

    std::string table_;
    std::uint64_t payload_bytes_ = 0;
    std::size_t filled_ = segment_payload_offset;  // of the present block; the first one begins with the header
    std::uint32_t crc_ = 0;                        // of the payload in the present block
};

}  // namespace

void write_segment_file(const std::filesystem::path& path, const SegmentFileTag& tag,
                        const std::function<void(const ByteSink&)>& produce, std::string_view maker) {
    KITH_ASSERT(maker.size() <= max_maker_bytes);
    TemporaryFile temporary(path);
    BlockSums sums;
    std::string buffer;
    std::uint64_t written = segment_payload_offset;
    const auto flush = [&](std::string_view piece) {
        temporary.file().write_at(written, buffer, piece);
        written += buffer.size() + piece.size();
        buffer.clear();
    };
    produce([&](const void* bytes, std::size_t count) {
        const std::string_view piece(static_cast<const char*>(bytes), count);
        sums.add(piece);
        if (buffer.size() + count < piece_bytes) {
            buffer.append(piece);
        } else {
            flush(piece);
        }
    });
    const std::string table = sums.table();
    flush(table);
    temporary.file().write_at(0, encode_header({segment_file_version, tag, sums.payload_bytes(), segment_block_bytes,
                                                crc32c(table), std::string(maker)}));
    temporary.publish();
}

SegmentFile::SegmentFile(const std::filesystem::path& path, const SegmentFileTag& tag)
    : SegmentFile(File::open_to_read(path), tag) {}

SegmentFile::SegmentFile(const File& file, const SegmentFileTag& tag) : path_(file.path()) {
    // Read, not mapped: a disk that fails is an error here, and no signal.
    std::string bytes(segment_payload_offset, '\0');
    bytes.resize(file.read_at(0, bytes.data(), bytes.size()));
    const Header header = decode_header(bytes, path_);
    require_belongs(header, tag, path_);
    const std::uint64_t size = file.size();
    const std::uint64_t end = segment_payload_offset + header.payload_bytes;
    const std::size_t blocks = blocks_for(end);
    const std::size_t table_bytes = blocks * sizeof(std::uint32_t);
    if (header.payload_bytes > size || size != end + table_bytes) {
        raise_damaged(path_, std::min(size, end + table_bytes),
                      std::to_string(header.payload_bytes) + " bytes and a table of " + std::to_string(table_bytes) +
                          " should follow its header, " + std::to_string(size - segment_payload_offset) + " do");
    }
    std::string table(table_bytes, '\0');
    table.resize(file.read_at(end, table.data(), table.size()));
    if (table.size() != table_bytes || crc32c(table) != header.table_crc) {
        raise_damaged(path_, end, "the checksum of its table is wrong");
    }
    checks_ = std::make_unique<Checks>();
    checks_->table.resize(blocks);
    ByteReader reader(table);
    for (std::uint32_t& crc : checks_->table) static_cast<void>(reader.u32(crc));
    checks_->verified = std::vector<std::atomic<std::uint64_t>>((blocks + 63) / 64);
    file_ = MappedFile(file, static_cast<std::size_t>(end));
    payload_bytes_ = static_cast<std::size_t>(header.payload_bytes);
    maker_ = header.maker;
}

SegmentFile::Range SegmentFile::block_range(std::size_t block) const noexcept {
    const std::size_t begin = block * segment_block_bytes;
    return {begin, std::min(segment_block_bytes, segment_payload_offset + payload_bytes_ - begin)};
}

SegmentFile::BlockState SegmentFile::check(std::size_t block) const noexcept {
    const Range range = block_range(block);
    if (!file_.bring_in(range.begin, range.bytes)) return BlockState::unreadable;
    const std::size_t skipped = block == 0 ? segment_payload_offset : 0;
    const std::uint32_t crc = crc32c(file_.bytes().data() + range.begin + skipped, range.bytes - skipped);
    return crc == checks_->table[block] ? BlockState::right : BlockState::wrong;
}

void SegmentFile::raise_block(std::size_t block, BlockState state) const {
    const std::size_t begin = std::max(block_range(block).begin, segment_payload_offset);
    if (state == BlockState::wrong) {
        raise_damaged(path_, begin, "the checksum of the block that begins there is wrong");
    }
    raise(Errc::io, path_.string() + ": cannot read at byte " + std::to_string(begin) +
                        ": it was cut since it was opened, or the disk fails");
}

void SegmentFile::verify_block(std::size_t block) const {
    std::atomic<std::uint64_t>& word = checks_->verified[block / 64];
    const std::uint64_t bit = std::uint64_t{1} << (block % 64);
    if ((word.load(std::memory_order_acquire) & bit) != 0) return;
    const BlockState state = check(block);
    if (state != BlockState::right) raise_block(block, state);
    word.fetch_or(bit, std::memory_order_release);
}

void SegmentFile::verify() const {
    if (checks_->all_verified.load(std::memory_order_acquire)) return;
    const std::lock_guard lock(checks_->verifying);
    if (checks_->all_verified.load(std::memory_order_relaxed)) return;
    constexpr std::size_t ahead = 32;  // blocks that are on their way while one is checked
    const std::size_t size = file_.bytes().size();
    for (std::size_t block = 0; block < block_count(); ++block) {
        if (block % ahead == 0) {
            const std::size_t from = block_range(block).begin;
            file_.ask_for(from, std::min(2 * ahead * segment_block_bytes, size - from));
        }
        verify_block(block);
    }
    checks_->all_verified.store(true, std::memory_order_release);
}

void SegmentFile::verify(std::size_t offset, std::size_t bytes) const {
    KITH_ASSERT(offset <= payload_bytes_ && bytes <= payload_bytes_ - offset);
    if (bytes == 0 || checks_->all_verified.load(std::memory_order_acquire)) return;
    const std::size_t first = (segment_payload_offset + offset) / segment_block_bytes;
    const std::size_t last = (segment_payload_offset + offset + bytes - 1) / segment_block_bytes;
    for (std::size_t block = first; block <= last; ++block) verify_block(block);
}

}  // namespace kith::inline v0::detail
