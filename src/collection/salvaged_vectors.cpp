// src/collection/salvaged_vectors.cpp — blocks judged one by one.
#include "collection/salvaged_vectors.hpp"

#include "kith/core/crc32c.hpp"
#include "kith/core/element.hpp"
#include "kith/core/error.hpp"

#include <algorithm>
#include <array>
#include <string>

namespace kith::inline v0::detail {

namespace {

// On disk, as storage/segment_file.hpp says.
constexpr std::string_view file_magic = "kithSEGM";
constexpr std::size_t tag_offset = 12;
constexpr std::size_t payload_bytes_offset = 36;
constexpr std::size_t table_crc_offset = 48;
constexpr std::size_t header_crc_offset = segment_payload_offset - 4;
constexpr std::size_t entry_bytes = 4;

std::uint64_t blocks_of(std::uint64_t payload_bytes) {
    return (segment_payload_offset + payload_bytes + segment_block_bytes - 1) / segment_block_bytes;
}

std::uint64_t file_bytes(std::uint64_t payload_bytes) {
    return segment_payload_offset + payload_bytes + entry_bytes * blocks_of(payload_bytes);
}

/// The payload of a whole file of so many bytes; nothing when no file has so many.
std::optional<std::uint64_t> payload_in(std::uint64_t bytes) {
    if (bytes < segment_payload_offset) return std::nullopt;
    for (std::uint64_t blocks = bytes / (segment_block_bytes + entry_bytes); blocks * entry_bytes <= bytes; ++blocks) {
        if (bytes < segment_payload_offset + blocks * entry_bytes) break;
        const std::uint64_t payload = bytes - segment_payload_offset - blocks * entry_bytes;
        if (blocks_of(payload) == blocks) return payload;
        if (blocks_of(payload) < blocks) break;
    }
    return std::nullopt;
}

std::uint32_t u32_at(std::string_view bytes, std::size_t offset) {
    std::uint32_t value = 0;
    static_cast<void>(ByteReader(bytes.substr(offset)).u32(value));
    return value;
}

std::uint32_t element_number(std::string_view name) {
    constexpr std::array<std::string_view, 6> names{"f32", "f16", "bf16", "i8", "u8", "bits"};  // on disk
    const auto found = std::find(names.begin(), names.end(), name.empty() ? names[0] : name);
    return static_cast<std::uint32_t>(found - names.begin());
}

}  // namespace

SalvagedVectors::SalvagedVectors(const std::filesystem::path& path, const SegmentFileTag& tag,
                                 const StoredVectorField& field, Slot count)
    : holds_(count, false) {
    vectors_.dim = static_cast<std::uint32_t>(field.dim);
    vectors_.count = count;
    vectors_.element = element_number(field.element);
    sound_ = attempt([&] { SegmentFile(path, tag).verify(); }) == nullptr;
    const std::exception_ptr failed = attempt([&] {
        file_ = std::make_unique<FileWindow>(File::open_to_read(path));
        const std::optional<Shape> known = shape(tag);
        if (!known.has_value() || !find_layout(field, known->payload_bytes)) return;
        holds_.assign(count, true);
        check_blocks(*known);
    });
    if (failed != nullptr) holds_.assign(count, false);
}

/// Where everything stands: the header says it when it is right, else the length of the file.
std::optional<SalvagedVectors::Shape> SalvagedVectors::shape(const SegmentFileTag& tag) {
    if (file_->size() < segment_payload_offset) return std::nullopt;
    const std::string header(file_->at(0, segment_payload_offset));
    const bool header_is_right =
        header.substr(0, file_magic.size()) == file_magic &&
        u32_at(header, header_crc_offset) == crc32c(std::string_view(header).substr(0, header_crc_offset));
    if (header_is_right) {
        ByteReader reader(std::string_view(header).substr(tag_offset));
        std::string_view id;
        std::uint32_t segment = 0;
        std::uint32_t kind = 0;
        static_cast<void>(reader.bytes(tag.collection.size(), id) && reader.u32(segment) && reader.u32(kind));
        const bool is_ours = std::equal(id.begin(), id.end(), tag.collection.begin(),
                                        [](char a, std::uint8_t b) { return static_cast<std::uint8_t>(a) == b; });
        if (!is_ours || segment != tag.segment || kind != tag.kind) return std::nullopt;
        std::uint64_t payload_bytes = 0;
        static_cast<void>(ByteReader(std::string_view(header).substr(payload_bytes_offset)).u64(payload_bytes));
        return Shape{payload_bytes, file_->size() == file_bytes(payload_bytes)};
    }
    const std::optional<std::uint64_t> payload_bytes = payload_in(file_->size());
    if (!payload_bytes.has_value()) return std::nullopt;
    return Shape{*payload_bytes, true};
}

/// Finds the stride, from the payload's own header or from its length.
bool SalvagedVectors::find_layout(const StoredVectorField& field, std::uint64_t payload_bytes) {
    constexpr std::size_t header_bytes = StoredVectors::header_bytes;
    if (file_->size() < segment_payload_offset + header_bytes || payload_bytes < header_bytes) return false;
    const std::optional<StoredVectors> stored = StoredVectors::read(file_->at(segment_payload_offset, header_bytes));
    const auto fits = [&](const StoredVectors& vectors) {
        return vectors.dim == field.dim && vectors.count == vectors_.count && vectors.element == vectors_.element &&
               header_bytes + std::uint64_t{vectors.count} * vectors.row_bytes() == payload_bytes;
    };
    if (stored.has_value() && fits(*stored)) {
        vectors_ = *stored;
        return true;
    }
    if (vectors_.count == 0) return false;
    vectors_.stride = 1;
    const std::size_t element_bytes = vectors_.row_bytes();
    const std::uint64_t row_bytes = (payload_bytes - header_bytes) / vectors_.count;
    if (element_bytes == 0) return false;
    vectors_.stride = static_cast<std::uint32_t>(row_bytes / element_bytes);
    return vectors_.stride > 0 && fits(vectors_);
}

std::vector<std::uint32_t> SalvagedVectors::stored_table(const Shape& shape, std::size_t blocks) {
    const std::string_view bytes = file_->at(segment_payload_offset + shape.payload_bytes, entry_bytes * blocks);
    std::vector<std::uint32_t> table(blocks);
    for (std::size_t block = 0; block < blocks; ++block) table[block] = u32_at(bytes, entry_bytes * block);
    return table;
}

void SalvagedVectors::check_blocks(const Shape& shape) {
    const std::uint64_t end = segment_payload_offset + shape.payload_bytes;
    if (!shape.table_is_there) {
        proved_ = false;
        if (file_->size() < end) note_wrong(file_->size(), end);
        return;
    }
    const auto blocks = static_cast<std::size_t>(blocks_of(shape.payload_bytes));
    const std::vector<std::uint32_t> table = stored_table(shape, blocks);
    const std::uint32_t table_crc = u32_at(file_->at(0, segment_payload_offset), table_crc_offset);
    std::string right_table;  // as the blocks are
    ByteWriter writer(right_table);
    std::vector<std::size_t> wrong;
    for (std::size_t block = 0; block < blocks; ++block) {
        const std::uint64_t begin = std::max<std::uint64_t>(block * segment_block_bytes, segment_payload_offset);
        const std::uint64_t stop = std::min<std::uint64_t>((block + 1) * segment_block_bytes, end);
        std::uint32_t crc = table[block] + 1;
        static_cast<void>(attempt([&] { crc = crc32c(file_->at(begin, static_cast<std::size_t>(stop - begin))); }));
        writer.u32(crc);
        if (crc != table[block]) wrong.push_back(block);
    }
    if (crc32c(right_table) == table_crc) return;  // it is the table that is wrong
    for (const std::size_t block : wrong) {
        note_wrong(std::max<std::uint64_t>(block * segment_block_bytes, segment_payload_offset),
                   std::min<std::uint64_t>((block + 1) * segment_block_bytes, end));
    }
}

/// The bytes of the file from `begin` to `end` are not what they were.
void SalvagedVectors::note_wrong(std::uint64_t begin, std::uint64_t end) {
    const std::uint64_t first_payload = std::max<std::uint64_t>(begin, segment_payload_offset) - segment_payload_offset;
    const std::uint64_t last_payload = end - segment_payload_offset;
    if (last_payload <= StoredVectors::header_bytes) return;
    const StoredVectors::Slots slots = vectors_.slots_in(static_cast<std::size_t>(first_payload),
                                                         static_cast<std::size_t>(last_payload - first_payload));
    std::fill(holds_.begin() + slots.first, holds_.begin() + slots.last, false);
}

void SalvagedVectors::write(const ByteSink& sink) {
    std::string header(StoredVectors::magic);
    ByteWriter writer(header);
    for (const std::uint32_t number :
         {StoredVectors::known_version, vectors_.dim, vectors_.stride, vectors_.count, vectors_.element}) {
        writer.u32(number);
    }
    header.resize(StoredVectors::header_bytes, '\0');
    sink(header.data(), header.size());
    const std::string zeros(vectors_.row_bytes(), '\0');
    for (Slot slot = 0; slot < vectors_.count; ++slot) {
        const std::uint64_t offset =
            segment_payload_offset + StoredVectors::header_bytes + std::uint64_t{slot} * vectors_.row_bytes();
        const std::string_view row = holds_[slot] ? file_->at(offset, vectors_.row_bytes()) : std::string_view(zeros);
        sink(row.data(), row.size());
    }
}

}  // namespace kith::inline v0::detail
