// tests/storage/block_cache_test.cpp — blocks of files in memory: those that are read, within the limit, and right.
#include "kith/storage/block_cache.hpp"

#include "kith/core/random.hpp"
#include "kith/storage/cached_file.hpp"

#include "support/catch.hpp"
#include "support/mapped_pages.hpp"
#include "support/raised.hpp"
#include "support/temporary_directory.hpp"

#include <sys/wait.h>
#include <unistd.h>
#include <array>
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

using kith::ByteSink;
using kith::Errc;
using kith::Held;
using kith::Residency;
using kith::SplitMix64;
using kith::detail::BlockCache;
using kith::detail::CachedFile;
using kith::detail::segment_payload_offset;
using kith::detail::SegmentFile;
using kith::detail::SegmentFileTag;
using kith_test::bytes_of;
using kith_test::flipped;
using kith_test::Raised;
using kith_test::raised;
using kith_test::resident_bytes;
using kith_test::set_bytes;
using kith_test::TemporaryDirectory;

namespace {

constexpr std::size_t block_bytes = BlockCache::block_bytes;
constexpr SegmentFileTag tag{{}, 1, 0};
constexpr auto in_order = Residency::Use::in_order;
constexpr auto at_random = Residency::Use::at_random;

std::byte byte_at(std::size_t at) {
    return static_cast<std::byte>(at * 7 + at / 251);
}

void write_blocks(const std::filesystem::path& path, std::size_t blocks) {
    std::vector<std::byte> payload(blocks * block_bytes - segment_payload_offset);
    for (std::size_t at = 0; at < payload.size(); ++at) payload[at] = byte_at(at);
    kith::detail::write_segment_file(path, tag, [&](const ByteSink& sink) { sink(payload.data(), payload.size()); });
}

/// The place in the payload of a byte in the middle of a block.
std::size_t inside(std::size_t block) {
    return block * block_bytes + block_bytes / 2 - segment_payload_offset;
}

/// Reads one byte as a search would.
std::byte read(CachedFile& file, std::size_t at, Residency::Use use = at_random) {
    const kith::ImageBytes image = file.image();
    const Held held(image.residency, image.data() + at, 1, use);
    return image.data()[at];
}

/// Writes a byte into a file that is open elsewhere.
void overwrite(const std::filesystem::path& path, std::size_t offset, std::byte byte) {
    kith::detail::File file = kith::detail::File::open_to_write(path);
    file.write_at(offset, std::string(1, static_cast<char>(byte)));
    file.sync();
}

/// A file of one block that is read for as long as the test says.
class SlowFile final : public BlockCache::Member {
public:
    explicit SlowFile(BlockCache& cache) : Member(cache, 1) {}
    ~SlowFile() { leave(); }

    std::atomic<bool> is_being_read = false;
    std::atomic<bool> may_end = false;

private:
    void ask_for(std::size_t) noexcept override {}
    bool read(std::size_t) noexcept override {
        is_being_read = true;
        while (!may_end) std::this_thread::yield();
        return true;
    }
    void drop(std::size_t) noexcept override {}
};

}  // namespace

TEST_CASE(
    "Of a file that is larger than the cache no more is in memory than its limit, and all that is read is right") {
    const TemporaryDirectory directory;
    constexpr std::size_t blocks = 100, limit = 8;
    write_blocks(directory / "s", blocks);
    const auto cache = std::make_shared<BlockCache>(limit * block_bytes + 17);
    CachedFile file(cache, directory / "s", tag);
    const kith::ImageBytes image = file.image();
    REQUIRE(image.size() == blocks * block_bytes - segment_payload_offset);
    SplitMix64 random(1);
    for (int i = 0; i < 3000; ++i) {
        const std::size_t at = random.below(image.size());
        REQUIRE(read(file, at) == byte_at(at));
        if (i % 100 == 0) REQUIRE(resident_bytes(directory.path()) <= limit * block_bytes);
    }
    const BlockCache::Stats stats = cache->stats();
    CHECK(stats.limit == limit * block_bytes);
    CHECK(stats.resident_bytes == limit * block_bytes);
    CHECK(stats.reads == stats.evictions + limit);
    CHECK(stats.reads > 2500);
    CHECK(stats.damaged == 0);
    file.raise_damage();
#if defined(__linux__)
    // Neither does the system keep more for us, but for what it read to open the file.
    const std::size_t kept = kith_test::cached_bytes(image.data(), image.size());
    if (kept < image.size()) CHECK(kept <= limit * block_bytes);  // a file system in memory keeps it all
#endif
}

TEST_CASE("A block in memory is not read again, one that went is, and is checked again") {
    const TemporaryDirectory directory;
    write_blocks(directory / "s", 10);
    const auto cache = std::make_shared<BlockCache>(3 * block_bytes);
    CachedFile file(cache, directory / "s", tag);
    for (int again = 0; again < 5; ++again) {
        for (const std::size_t block : {0U, 1U, 2U}) CHECK(read(file, inside(block)) == byte_at(inside(block)));
    }
    CHECK(cache->stats().reads == 3);
    for (const std::size_t block : {3U, 4U, 5U, 0U}) CHECK(read(file, inside(block)) == byte_at(inside(block)));
    CHECK(cache->stats().reads == 7);

    // What goes wrong on the disk after a block was right is found when it comes in again.
    for (const std::size_t block : {7U, 8U, 9U}) static_cast<void>(read(file, inside(block)));
    overwrite(directory / "s", block_bytes + 5, ~byte_at(block_bytes + 5 - segment_payload_offset));
    file.raise_damage();
    CHECK(read(file, inside(2)) == byte_at(inside(2)));
    file.raise_damage();
    CHECK(read(file, inside(1)) == std::byte{0});
    const Raised trouble = raised([&] { file.raise_damage(); });
    CHECK(trouble.code == Errc::corrupt);
    CHECK(trouble.says((directory / "s").string() + " is damaged at byte 65536: the checksum of the block"));
}

TEST_CASE("A damaged block reads as zeros, takes no memory, and is what whoever asks is told first") {
    const TemporaryDirectory directory;
    constexpr std::size_t blocks = 12;
    write_blocks(directory / "s", blocks);
    const std::string whole = bytes_of(directory / "s");
    for (std::size_t block = 0; block < blocks; ++block) {
        set_bytes(directory / "s", flipped(whole, std::max(block * block_bytes, segment_payload_offset) + block));
        const auto cache = std::make_shared<BlockCache>(4 * block_bytes);
        CachedFile file(cache, directory / "s", tag);
        for (int again = 0; again < 2; ++again) {
            for (std::size_t other = 0; other < blocks; ++other) {
                if (other > block || again > 0) {
                    CHECK(raised([&] { file.raise_damage(); }).code == Errc::corrupt);
                } else {
                    file.raise_damage();
                }
                REQUIRE(read(file, inside(other)) == (other == block ? std::byte{0} : byte_at(inside(other))));
            }
        }
        CHECK(cache->stats().damaged == 1);
        CHECK(resident_bytes(directory.path()) <= 4 * block_bytes);
        CHECK(raised([&] { file.verify(); }).says(" is damaged at byte "));
    }
    set_bytes(directory / "s", whole);
    CachedFile(std::make_shared<BlockCache>(1), directory / "s", tag).verify();
}

TEST_CASE("Blocks that are held stay, past the limit if need be, and go when they are released") {
    const TemporaryDirectory directory;
    write_blocks(directory / "s", 60);
    const auto cache = std::make_shared<BlockCache>(4 * block_bytes);
    CachedFile file(cache, directory / "s", tag);
    const kith::ImageBytes image = file.image();
    const auto pieces_from = [&](std::size_t first) {
        std::vector<Residency::Piece> pieces;
        for (std::size_t block = first; block < first + 20; ++block)
            pieces.push_back({&image.data()[inside(block)], 9});
        return pieces;
    };
    {
        const Held held(*image.residency, pieces_from(0), at_random);
        CHECK(resident_bytes(directory.path()) == 20 * block_bytes);
        const std::uint64_t reads = cache->stats().reads;
        const Held others(*image.residency, pieces_from(20), at_random);
        CHECK(resident_bytes(directory.path()) == 40 * block_bytes);
        const Held same(*image.residency, pieces_from(0), in_order);
        CHECK(cache->stats().reads == reads + 20);
    }
    CHECK(resident_bytes(directory.path()) == 4 * block_bytes);
    CHECK(cache->stats().resident_bytes == 4 * block_bytes);

    // More than a Held keeps is brought in all the same, and checked; a piece may be longer than the file.
    overwrite(directory / "s", 3 * block_bytes, ~byte_at(3 * block_bytes - segment_payload_offset));
    static_cast<void>(Held(image.residency, image.data(), image.size() + 1000));
    CHECK(cache->stats().damaged == 1);
    CHECK(resident_bytes(directory.path()) <= 4 * block_bytes);
}

TEST_CASE("Blocks that are read once do not drive out those that are read again") {
    const TemporaryDirectory directory;
    write_blocks(directory / "s", 100);
    const auto cache = std::make_shared<BlockCache>(10 * block_bytes);
    CachedFile file(cache, directory / "s", tag);
    const auto read_again = [&] {
        for (std::size_t block = 0; block < 5; ++block) static_cast<void>(read(file, inside(block)));
    };
    read_again();
    read_again();
    for (std::size_t block = 10; block < 100; ++block) {
        for (int times = 0; times < 20; ++times) static_cast<void>(read(file, inside(block) + 1, in_order));
        if (block % 3 == 0) read_again();
    }
    CHECK(cache->stats().reads == 5 + 90);
}

TEST_CASE("Files share one cache, each with its own blocks, and leave room when they close") {
    const TemporaryDirectory directory;
    const auto cache = std::make_shared<BlockCache>(8 * block_bytes);
    write_blocks(directory / "a", 10);
    write_blocks(directory / "b", 20);
    CachedFile a(cache, directory / "a", tag);
    for (int round = 0; round < 3; ++round) {
        CachedFile b(cache, directory / "b", tag);
        CachedFile same(cache, directory / "b", tag);
        for (std::size_t block = 0; block < 10; ++block) {
            REQUIRE(read(a, inside(block)) == byte_at(inside(block)));
            REQUIRE(read(b, inside(2 * block)) == byte_at(inside(2 * block)));
            REQUIRE(read(same, inside(block)) == byte_at(inside(block)));
        }
        CHECK(resident_bytes(directory.path()) <= 8 * block_bytes);
    }
    CHECK(cache->stats().resident_bytes < 8 * block_bytes);
    CHECK(read(a, inside(9)) == byte_at(inside(9)));
}

TEST_CASE("Threads that read, and files that come and go, agree on what is in memory", "[threads]") {
    const TemporaryDirectory directory;
    constexpr std::size_t blocks = 40, limit = 6, thread_count = 4;
    for (const char* name : {"a", "b", "c"}) write_blocks(directory / name, blocks);
    const auto cache = std::make_shared<BlockCache>(limit * block_bytes);
    CachedFile shared(cache, directory / "a", tag);
    std::atomic<std::size_t> wrong = 0;
    std::vector<std::thread> threads;
    for (std::size_t thread = 0; thread < thread_count; ++thread) {
        threads.emplace_back([&, thread] {
            SplitMix64 random(thread);
            for (int round = 0; round < 6; ++round) {
                CachedFile own(cache, directory / (thread % 2 == 0 ? "b" : "c"), tag);
                for (int i = 0; i < 150; ++i) {
                    CachedFile& file = i % 2 == 0 ? own : shared;
                    const kith::ImageBytes image = file.image();
                    const std::size_t at = random.below(image.size() - 3 * block_bytes);
                    const Residency::Piece pieces[] = {{&image.data()[at], 2},
                                                       {&image.data()[at + 2 * block_bytes], 1}};
                    const Held held(*image.residency, pieces, i % 3 == 0 ? in_order : at_random);
                    wrong += image.data()[at] != byte_at(at) ? 1U : 0U;
                    wrong += image.data()[at + 2 * block_bytes] != byte_at(at + 2 * block_bytes) ? 1U : 0U;
                }
            }
        });
    }
    std::size_t most = 0;
    for (int i = 0; i < 20; ++i) most = std::max(most, resident_bytes(directory.path()));
    for (std::thread& thread : threads) thread.join();
    CHECK(wrong == 0);
    // A thread holds up to four blocks, brings one in and lets two go.
    CHECK(most <= (limit + thread_count * 7) * block_bytes);
    CHECK(resident_bytes(directory.path()) <= limit * block_bytes);
    shared.raise_damage();
}

#if defined(__linux__)
TEST_CASE("A file that is cut while it is read gives zeros and an error, and no signal") {
    const TemporaryDirectory directory;
    write_blocks(directory / "s", 10);
    const auto cache = std::make_shared<BlockCache>(4 * block_bytes);
    CachedFile file(cache, directory / "s", tag);
    std::filesystem::resize_file(directory / "s", 5 * block_bytes);
    CHECK(read(file, inside(4)) == byte_at(inside(4)));
    file.raise_damage();
    CHECK(read(file, inside(5)) == std::byte{0});
    CHECK(read(file, inside(9)) == std::byte{0});
    const Raised trouble = raised([&] { file.raise_damage(); });
    CHECK(trouble.code == Errc::io);
    CHECK(trouble.says(": cannot read at byte 327680: it was cut since it was opened, or the disk fails"));
}
#endif

TEST_CASE("A file that is cut or damaged where it begins is refused when it is opened") {
    const TemporaryDirectory directory;
    write_blocks(directory / "s", 3);
    const std::string whole = bytes_of(directory / "s");
    const auto cache = std::make_shared<BlockCache>(4 * block_bytes);
    set_bytes(directory / "s", whole.substr(0, whole.size() - 1));
    CHECK(raised([&] { CachedFile(cache, directory / "s", tag); }).code == Errc::corrupt);
    set_bytes(directory / "s", flipped(whole, 100));
    CHECK(raised([&] { CachedFile(cache, directory / "s", tag); }).code == Errc::corrupt);
    CHECK(raised([&] { CachedFile(cache, directory / "none", tag); }).code == Errc::io);
    CHECK(cache->stats().resident_bytes == 0);
}

TEST_CASE("A child made by fork drops what it inherited of a cache at which a thread of its parent is at work") {
    auto cache = std::make_unique<BlockCache>(block_bytes);
    auto file = std::make_unique<SlowFile>(*cache);
    std::thread reader([&] {
        const std::array<std::uint32_t, 1> blocks{0};
        cache->release(cache->hold(*file, blocks, at_random));
    });
    while (!file->is_being_read) std::this_thread::yield();
    const pid_t child = ::fork();
    if (child == 0) {
        ::alarm(20);  // should it wait for a thread that is not there
        file.reset();
        cache.reset();
        ::_exit(0);
    }
    file->may_end = true;
    reader.join();
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
}
