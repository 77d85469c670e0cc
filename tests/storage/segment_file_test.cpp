// tests/storage/segment_file_test.cpp — segment files are whole, belong where they are, and are checked block by block.
#include "kith/storage/segment_file.hpp"

#include "kith/core/bytes.hpp"
#include "kith/core/crc32c.hpp"

#include "support/catch.hpp"
#include "support/raised.hpp"
#include "support/temporary_directory.hpp"

#include <algorithm>
#include <atomic>
#include <thread>
#include <utility>
#include <vector>

using kith::ByteSink;
using kith::Errc;
using kith::detail::CollectionId;
using kith::detail::segment_block_bytes;
using kith::detail::segment_payload_offset;
using kith::detail::SegmentFile;
using kith::detail::SegmentFileTag;
using kith_test::bytes_of;
using kith_test::flipped;
using kith_test::Raised;
using kith_test::raised;
using kith_test::set_bytes;
using kith_test::TemporaryDirectory;

namespace {

constexpr CollectionId id{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
constexpr SegmentFileTag tag{id, 3, 1};

void write_segment(const std::filesystem::path& path, std::string_view payload, std::size_t piece = 1000) {
    kith::detail::write_segment_file(path, tag, [&](const ByteSink& sink) {
        for (std::size_t at = 0; at < payload.size(); at += piece) {
            const std::string_view part = payload.substr(at, piece);
            sink(part.data(), part.size());
        }
    });
}

std::string payload_of(const SegmentFile& file) {
    return {reinterpret_cast<const char*>(file.payload().data()), file.payload().size()};
}

std::string some_payload(std::size_t size) {
    std::string payload(size, '\0');
    for (std::size_t i = 0; i < size; ++i) payload[i] = static_cast<char>(i * 7 + i / 251);
    return payload;
}

/// The first byte of the payload in a block, as an offset in the file.
std::size_t begin_of(std::size_t block) {
    return std::max(block * segment_block_bytes, segment_payload_offset);
}

std::string damaged_at(const std::filesystem::path& path, std::size_t offset) {
    return path.string() + " is damaged at byte " + std::to_string(offset) + ": ";
}

}  // namespace

TEST_CASE("A segment file gives back its payload, aligned, however it was handed over") {
    const TemporaryDirectory directory;
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{4096}, std::size_t{61440},
                                   std::size_t{61441}, std::size_t{3'000'000}}) {
        const std::string payload = some_payload(size);
        for (const std::size_t piece : {std::size_t{1} << 12, std::size_t{1} << 21, std::size_t{999'983}}) {
            write_segment(directory / "s", payload, piece);
            const SegmentFile file(directory / "s", tag);
            REQUIRE(payload_of(file) == payload);
            REQUIRE(reinterpret_cast<std::uintptr_t>(file.payload().data()) % 4096 == 0);
            REQUIRE(file.block_count() == (4096 + size + 65535) / 65536);
            file.verify();
            file.verify(0, size);
            file.verify();
        }
    }
    CHECK_FALSE(std::filesystem::exists(directory / "s.tmp"));
}

TEST_CASE("A segment file cut at any length, or flipped in header or table, is refused with path and offset") {
    const TemporaryDirectory directory;
    const auto path = directory / "s";
    write_segment(path, some_payload(5 * segment_block_bytes));
    const std::string whole = bytes_of(path);
    const std::size_t table = whole.size() - 6 * sizeof(std::uint32_t);
    const auto expect_damage = [&](const std::string& bytes) {
        set_bytes(path, bytes);
        const Raised trouble = raised([&] { SegmentFile(path, tag); });
        REQUIRE(trouble.code == Errc::corrupt);
        REQUIRE(trouble.says(path.string() + " is damaged at byte "));
    };
    for (std::size_t offset = 0; offset < 4096; ++offset) expect_damage(flipped(whole, offset));
    for (std::size_t offset = table; offset < whole.size(); ++offset) expect_damage(flipped(whole, offset));
    for (std::size_t length = 0; length < whole.size(); length += length < 64 ? 1 : 9973) {
        expect_damage(whole.substr(0, length));
    }
    for (std::size_t cut = 1; cut < 64; ++cut) expect_damage(whole.substr(0, whole.size() - cut));
    expect_damage(whole + '\0');
    set_bytes(path, flipped(whole, table));
    CHECK(raised([&] { SegmentFile(path, tag); }).says(damaged_at(path, table) + "the checksum of its table"));
}

TEST_CASE("A bit that flips in a block is found by who verifies all, again and again, with the block's offset") {
    const TemporaryDirectory directory;
    const auto path = directory / "s";
    write_segment(path, some_payload(4 * segment_block_bytes + 100));
    const std::string whole = bytes_of(path);
    const std::size_t end = segment_payload_offset + 4 * segment_block_bytes + 100;
    for (std::size_t block = 0; block < 5; ++block) {
        const std::size_t begin = begin_of(block), next = std::min((block + 1) * segment_block_bytes, end);
        for (const std::size_t offset : {begin, begin + (next - begin) / 2, next - 1}) {
            set_bytes(path, flipped(whole, offset));
            const SegmentFile file(path, tag);
            for (int again = 0; again < 3; ++again) {
                const Raised trouble = raised([&] { file.verify(); });
                REQUIRE(trouble.code == Errc::corrupt);
                REQUIRE(trouble.says(damaged_at(path, begin) + "the checksum of the block"));
            }
        }
    }
    set_bytes(path, flipped(flipped(whole, begin_of(3)), begin_of(1)));
    CHECK(raised([&] { SegmentFile(path, tag).verify(); }).says(damaged_at(path, begin_of(1))));
}

TEST_CASE("Who verifies a range of a segment file checks the blocks it lies in and no others") {
    const TemporaryDirectory directory;
    const auto path = directory / "s";
    const std::size_t size = 6 * segment_block_bytes;
    write_segment(path, some_payload(size));
    const std::string whole = bytes_of(path);
    constexpr std::size_t bad = 3;
    set_bytes(path, flipped(whole, begin_of(bad) + 77));
    const SegmentFile file(path, tag);
    const std::size_t bad_begin = begin_of(bad) - segment_payload_offset;  // in the payload
    const std::size_t bad_end = bad_begin + segment_block_bytes;
    file.verify(0, bad_begin);
    file.verify(bad_end, size - bad_end);
    file.verify(bad_begin, 0);
    for (const auto& [from, bytes] : {std::pair{bad_begin, std::size_t{1}}, std::pair{bad_end - 1, std::size_t{1}},
                                      std::pair{bad_begin - 1, std::size_t{2}}, std::pair{std::size_t{0}, size}}) {
        REQUIRE(raised([&] { file.verify(from, bytes); }).says(damaged_at(path, begin_of(bad))));
    }
    // What was right once is not read again: only what is new is compared when all is verified.
    set_bytes(path, whole);
    const SegmentFile right(path, tag);
    right.verify(0, size - 2 * segment_block_bytes);
    set_bytes(path, flipped(whole, 5000));
    right.verify(0, 4096);
    right.verify();
}

TEST_CASE("Several threads verify a segment file, and all are told the same", "[threads]") {
    const TemporaryDirectory directory;
    const auto path = directory / "s";
    const std::size_t size = 40 * segment_block_bytes;
    write_segment(path, some_payload(size));
    const std::string whole = bytes_of(path);
    for (const bool damaged : {false, true}) {
        set_bytes(path, damaged ? flipped(whole, begin_of(29)) : whole);
        const SegmentFile file(path, tag);
        std::atomic<int> raisers = 0, others = 0;
        std::vector<std::thread> threads;
        for (int thread = 0; thread < 4; ++thread) {
            threads.emplace_back([&, thread] {
                for (std::size_t at = 0; at < 20 * segment_block_bytes; at += 100'000) file.verify(at, 4096);
                const Raised trouble = raised([&] {
                    if (thread % 2 == 0) file.verify();
                    if (thread % 2 != 0) file.verify(0, size);
                });
                ++(trouble.code == Errc::corrupt && trouble.says(damaged_at(path, begin_of(29))) ? raisers : others);
            });
        }
        for (std::thread& thread : threads) thread.join();
        CHECK((damaged ? raisers : others) == 4);
    }
}

#if defined(__linux__)
TEST_CASE("A segment file that is cut while it is open is an error to who verifies it, and no signal") {
    const TemporaryDirectory directory;
    const auto path = directory / "s";
    write_segment(path, some_payload(4 * segment_block_bytes));
    const SegmentFile file(path, tag);
    file.verify(0, 1);
    std::filesystem::resize_file(path, 2 * segment_block_bytes);
    file.verify(0, segment_block_bytes);
    const Raised trouble = raised([&] { file.verify(); });
    CHECK(trouble.code == Errc::io);
    CHECK(trouble.says(path.string() + ": cannot read at byte " + std::to_string(begin_of(2)) + ": it was cut"));
}
#endif

TEST_CASE("A segment file of another format, or of other blocks, is refused") {
    const TemporaryDirectory directory;
    const auto path = directory / "s";
    write_segment(path, "payload");
    const std::string whole = bytes_of(path);
    const auto with = [&](std::size_t offset, char byte) {
        std::string bytes = whole;
        bytes[offset] = byte;
        std::string crc;
        kith::ByteWriter(crc).u32(kith::crc32c(std::string_view(bytes).substr(0, 4092)));
        return bytes.replace(4092, 4, crc);
    };
    set_bytes(path, with(8, 3));
    CHECK(raised([&] { SegmentFile(path, tag); }).says("was written by segment format 3, this build reads 2"));
    set_bytes(path, with(45, 1));
    CHECK(raised([&] { SegmentFile(path, tag); }).says(damaged_at(path, 44) + "its blocks have 65792 bytes"));
}

TEST_CASE("A segment file that strayed is refused, and the text says from where") {
    const TemporaryDirectory directory;
    write_segment(directory / "s", "payload");
    const auto trouble_as = [&](const SegmentFileTag& expected) {
        return raised([&] { SegmentFile(directory / "s", expected); });
    };
    SegmentFileTag other = tag;
    other.collection[15] = 0;
    CHECK(trouble_as(other).says("it belongs to another collection"));
    CHECK(trouble_as({id, 4, 1}).says("it is file 1 of segment 3, not file 1 of segment 4"));
    CHECK(trouble_as({id, 3, 2}).code == Errc::corrupt);
    CHECK(raised([&] { SegmentFile(directory / "none", tag); }).code == Errc::io);
}

TEST_CASE("A segment file whose producer fails leaves what stood there before") {
    const TemporaryDirectory directory;
    write_segment(directory / "s", "payload");
    CHECK(raised([&] {
              kith::detail::write_segment_file(directory / "s", tag, [](const ByteSink& sink) {
                  sink("half", 4);
                  kith::raise(Errc::invalid_argument, "enough");
              });
          }).code == Errc::invalid_argument);
    CHECK(payload_of(SegmentFile(directory / "s", tag)) == "payload");
    CHECK_FALSE(std::filesystem::exists(directory / "s.tmp"));
}
