// src/storage/segment_file.cpp — a payload streamed out under a checksum, and mapped back in.
#include "kith/storage/segment_file.hpp"

#include "kith/core/bytes.hpp"
#include "kith/core/crc32c.hpp"
#include "kith/core/error.hpp"
#include "kith/storage/file.hpp"

#include <string>
#include <string_view>

namespace kith::inline v0::detail {

namespace {

constexpr std::string_view magic = "kithSEGM";                         // on disk
constexpr std::size_t header_crc_offset = segment_payload_offset - 4;  // on disk
constexpr std::size_t tag_offset = 12;                                 // on disk
constexpr std::size_t piece_bytes = std::size_t{1} << 20;

struct Header {
    std::uint32_t version = 0;
    SegmentFileTag tag;
    std::uint64_t payload_bytes = 0;
    std::uint32_t payload_crc = 0;
};

std::string encode_header(const Header& header) {
    std::string bytes(magic);
    ByteWriter writer(bytes);
    writer.u32(header.version);
    writer.bytes(header.tag.collection.data(), header.tag.collection.size());
    writer.u32(header.tag.segment);
    writer.u32(header.tag.kind);
    writer.u64(header.payload_bytes);
    writer.u32(header.payload_crc);
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
    std::string_view id;
    ByteReader reader(bytes.substr(magic.size()));
    static_cast<void>(reader.u32(header.version) && reader.bytes(header.tag.collection.size(), id) &&
                      reader.u32(header.tag.segment) && reader.u32(header.tag.kind) &&
                      reader.u64(header.payload_bytes) && reader.u32(header.payload_crc));
    for (std::size_t i = 0; i < id.size(); ++i) header.tag.collection[i] = static_cast<std::uint8_t>(id[i]);
    return header;
}

}  // namespace

void write_segment_file(const std::filesystem::path& path, const SegmentFileTag& tag,
                        const std::function<void(const ByteSink&)>& produce) {
    TemporaryFile temporary(path);
    Header header{segment_file_version, tag, 0, 0};
    std::string buffer;
    std::uint64_t written = segment_payload_offset;
    const auto flush = [&](std::string_view piece) {
        temporary.file().write_at(written, buffer, piece);
        written += buffer.size() + piece.size();
        buffer.clear();
    };
    produce([&](const void* bytes, std::size_t count) {
        const std::string_view piece(static_cast<const char*>(bytes), count);
        header.payload_crc = crc32c(piece, header.payload_crc);
        header.payload_bytes += count;
        if (buffer.size() + count < piece_bytes) {
            buffer.append(piece);
        } else {
            flush(piece);
        }
    });
    flush({});
    temporary.file().write_at(0, encode_header(header));
    temporary.publish();
}

SegmentFile::SegmentFile(const std::filesystem::path& path, const SegmentFileTag& tag) : file_(path) {
    const std::string_view bytes = file_.text();
    const Header header = decode_header(bytes, path);
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
    const std::string_view payload = bytes.substr(segment_payload_offset);
    if (payload.size() != header.payload_bytes) {
        raise_damaged(path, bytes.size(),
                      std::to_string(header.payload_bytes) + " bytes should follow its header, " +
                          std::to_string(payload.size()) + " do");
    }
    if (crc32c(payload) != header.payload_crc) {
        raise_damaged(path, segment_payload_offset, "the checksum of its payload is wrong");
    }
}

}  // namespace kith::inline v0::detail
